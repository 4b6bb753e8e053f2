"""Limits of all that is neither signing in nor for everybody to try without end."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from gql_app.lib import clock
from gql_app.settings import Settings
from tests.api import Api, running
from tests.conftest import SetClock
from tests.people import PASSWORD, Person, add_customer, sign_in
from tests.schema.mutations import SUCCESS, CodeAndField, do, faults, send, token_reason

pytestmark = pytest.mark.usefixtures("letterbox")

NEW_PASSWORD = "another good one"
LOCKED: list[CodeAndField] = [("TOO_MANY_ATTEMPTS", None)]
WINDOW = 15 * 60
GUESSED_LINK, GUESSED_TOKEN = "gap_" + 43 * "A", "gar_" + 43 * "A"
GUESSED_PROOF, GUESSED_UNDO = "gav_" + 43 * "A", "gau_" + 43 * "A"
"""Tokens by their form, which nobody was given."""
LIMITS: list[tuple[str, Mapping[str, Any], CodeAndField | None]] = [
    (
        "register",
        {"input": {"name": "", "email": "e@example.com", "password": PASSWORD}},
        ("REQUIRED", "name"),
    ),
    ("requestPasswordReset", {"email": "ada@example.com"}, None),
    ("requestPasswordReset", {"email": "nobody@example.com"}, None),
    (
        "resetPassword",
        {"token": GUESSED_LINK, "newPassword": "another good one"},
        ("TOKEN_INVALID", "token"),
    ),
    (
        "acceptInvitation",
        {"token": f"gai_{43 * 'A'}", "password": "another good one"},
        ("TOKEN_INVALID", "token"),
    ),
    ("verifyEmail", {"token": GUESSED_PROOF}, ("TOKEN_INVALID", "token")),
    ("undoEmailChange", {"token": GUESSED_UNDO}, ("TOKEN_INVALID", "token")),
    ("undoSecondFactor", {"token": f"gaf_{43 * 'A'}"}, ("TOKEN_INVALID", "token")),
    (
        "verifySecondFactor",
        {"challenge": f"gac_{43 * 'A'}", "code": "123456"},
        ("TOKEN_INVALID", "challenge"),
    ),
    ("reauthenticate", {"passkey": {"id": "x"}}, ("INVALID_PASSKEY", None)),
    ("reauthenticate", {"password": "wrong"}, ("WRONG_PASSWORD", "password")),
    ("requestEmailVerification", {}, None),
    ("refresh", {"refreshToken": GUESSED_TOKEN}, ("TOKEN_INVALID", "refreshToken")),
    (
        "changePassword",
        {"currentPassword": "wrong", "newPassword": "another good one"},
        ("WRONG_PASSWORD", "currentPassword"),
    ),
    (
        "updateMe",
        {"input": {"email": "a@example.org", "currentPassword": "wrong"}},
        ("WRONG_PASSWORD", "currentPassword"),
    ),
    ("deleteMe", {"password": "wrong"}, ("WRONG_PASSWORD", "password")),
]


@pytest.mark.parametrize(("name", "given", "told"), LIMITS)
async def test_fourth_try_waits_where_three_are_granted(
    settings: Settings,
    set_clock: SetClock,
    name: str,
    given: Mapping[str, Any],
    told: CodeAndField | None,
) -> None:
    start = clock.now()
    set_clock(start)
    granted = {"login_attempts": 3, "login_client_attempts": 3}
    granted["reauthentication_seconds"] = 2 * WINDOW
    async with running(settings.model_copy(update=granted)) as api:
        ada = await sign_in(api.resources, await add_customer(api.database, "Ada Plain"))

        async def attempt() -> dict[str, Any]:
            payload: dict[str, Any] = (await send(api, name, given, token=ada.token)).data[name]
            return payload

        expected = [told] if told else SUCCESS
        assert [faults(await attempt()) for _ in range(3)] == [expected] * 3
        set_clock(start + timedelta(seconds=100))
        refused = await attempt()
        assert (faults(refused), refused["retryAfter"]) == (LOCKED, WINDOW - 100)
        set_clock(start + timedelta(seconds=WINDOW))
        assert faults(await attempt()) == expected


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("register", {"input": {"name": "E", "email": "e@example.com", "password": PASSWORD}}),
        ("requestPasswordReset", {"email": "ada@example.com"}),
    ],
)
async def test_success_counts_where_it_costs_somebody_else(
    settings: Settings, name: str, given: Mapping[str, Any]
) -> None:
    async with running(settings.model_copy(update={"login_client_attempts": 1})) as api:
        assert faults(await do(api, name, **given)) == SUCCESS
        assert faults(await do(api, name, **given)) == LOCKED
        async with api.elsewhere("192.0.2.2") as elsewhere:
            assert faults(await do(elsewhere, name, **given)) != LOCKED


async def test_right_password_is_refused_during_a_lock_and_the_session_lives_on(
    api: Api, plain: Person
) -> None:
    given: dict[str, Any] = {"newPassword": NEW_PASSWORD, "token": plain.token}
    for _ in range(5):
        wrong = await do(api, "changePassword", currentPassword="wrong", **given)
        assert faults(wrong) == [("WRONG_PASSWORD", "currentPassword")]
    right = await do(api, "changePassword", currentPassword=PASSWORD, **given)
    assert faults(right) == LOCKED
    assert await token_reason(api, plain.token) is None
    assert faults(await do(api, "login", email=plain.email, password=PASSWORD)) == SUCCESS


async def test_right_password_clears_what_was_wrong_before(api: Api, plain: Person) -> None:
    async def rename(password: str, email: str) -> list[CodeAndField]:
        changes = {"email": email, "currentPassword": password}
        return faults(await do(api, "updateMe", token=plain.token, input=changes))

    wrong = [("WRONG_PASSWORD", "currentPassword")]
    assert [await rename("wrong", "a@example.org") for _ in range(4)] == [wrong] * 4
    assert await rename(PASSWORD, "a@example.org") == SUCCESS
    assert [await rename("wrong", "b@example.org") for _ in range(5)] == [wrong] * 5
    assert await rename(PASSWORD, "b@example.org") == LOCKED


async def test_guessed_refresh_tokens_lock_nobody_out_of_a_living_session(
    settings: Settings,
) -> None:
    async with running(settings.model_copy(update={"login_client_attempts": 1})) as api:
        ada = await sign_in(api.resources, await add_customer(api.database, "Ada Plain"))
        await do(api, "refresh", refreshToken=GUESSED_TOKEN)
        assert faults(await do(api, "refresh", refreshToken=GUESSED_TOKEN)) == LOCKED
        assert faults(await do(api, "refresh", refreshToken=ada.refresh_token)) == SUCCESS
