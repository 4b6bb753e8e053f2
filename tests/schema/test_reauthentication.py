"""Proving oneself again: by what, what it is good for, and for which session."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from gql_app.db.tables import CustomerRow
from gql_app.lib import clock
from tests.api import Api
from tests.apps import challenge, set_up_first, verify
from tests.conftest import SetClock
from tests.people import PASSWORD, Person
from tests.rows import change
from tests.schema.mutations import SUCCESS, CodeAndField, do, faults, send

NOON: Final = datetime(2030, 1, 31, 12, 0, 5, tzinfo=UTC)
LATE: Final = NOON + timedelta(minutes=11)
"""When what was proven at noon is too old."""
SESSIONS: Final = "{ me { sessions { isCurrent authenticatedAt methods } } }"
WANTING: Final = (
    *("beginCodes", "confirmCodes", "renewRecoveryCodes", "removeSecondFactor"),
    *("beginPasskey", "confirmPasskey"),
)
GIVEN: Final[dict[str, dict[str, Any]]] = {
    "confirmCodes": {"code": "123456"},
    "confirmPasskey": {"credential": {}},
    "removeSecondFactor": {"id": "x"},
    "renameSecondFactor": {"id": "x", "name": "Mine"},
}


@pytest.fixture(autouse=True)
def noon(set_clock: SetClock) -> None:
    """Begin each test at the same moment."""
    set_clock(NOON)


async def proof_of(api: Api, token: str) -> tuple[str, list[str]]:
    """Return when and how the session of a token was proven."""
    sessions = (await api.run(SESSIONS, token=token)).data["me"]["sessions"]
    [mine] = [each for each in sessions if each["isCurrent"]]
    return mine["authenticatedAt"], mine["methods"]


@pytest.mark.parametrize("name", WANTING)
async def test_old_proof_is_not_enough_and_the_methods_are_told(
    api: Api, plain: Person, set_clock: SetClock, name: str
) -> None:
    given = GIVEN.get(name, {})
    set_clock(LATE)
    refused = await send(api, name, given, token=plain.token)
    assert refused.error(name)["extensions"] == {
        "code": "FORBIDDEN",
        "reason": "REAUTHENTICATION_REQUIRED",
        "methods": ["PASSWORD"],
    }
    again = await do(api, "reauthenticate", token=plain.token, password=PASSWORD)
    assert faults(again) == SUCCESS
    assert (await send(api, name, given, token=plain.token)).errors == []


async def test_renaming_needs_no_recent_proof(api: Api, plain: Person, set_clock: SetClock) -> None:
    set_clock(LATE)
    answer = await send(api, "renameSecondFactor", GIVEN["renameSecondFactor"], token=plain.token)
    assert faults(answer.data["renameSecondFactor"]) == [("NOT_FOUND", "id")]


async def test_refreshing_proves_nobody(api: Api, plain: Person, set_clock: SetClock) -> None:
    set_clock(LATE)
    renewed = await do(api, "refresh", refreshToken=plain.refresh_token)
    refused = await send(api, "beginCodes", {}, token=renewed["token"])
    assert refused.reason("beginCodes") == "REAUTHENTICATION_REQUIRED"
    assert await proof_of(api, renewed["token"]) == (clock.rfc3339(NOON), ["pwd"])


async def test_password_proves_one_session_alone(
    api: Api, plain: Person, set_clock: SetClock
) -> None:
    other = await do(api, "login", email=plain.email, password=PASSWORD)
    set_clock(LATE)
    assert faults(await do(api, "reauthenticate", token=plain.token, password=PASSWORD)) == SUCCESS
    assert await proof_of(api, plain.token) == (clock.rfc3339(LATE), ["pwd"])
    assert await proof_of(api, other["token"]) == (clock.rfc3339(NOON), ["pwd"])
    refused = await send(api, "beginCodes", {}, token=other["token"])
    assert refused.reason("beginCodes") == "REAUTHENTICATION_REQUIRED"


async def test_who_has_a_factor_proves_by_it_and_not_by_the_password(
    api: Api, plain: Person, set_clock: SetClock
) -> None:
    other = await do(api, "login", email=plain.email, password=PASSWORD)
    app, codes = await set_up_first(api, plain)
    refused = await send(api, "renewRecoveryCodes", {}, token=other["token"])
    assert refused.error("renewRecoveryCodes")["extensions"]["methods"] == ["CODE", "RECOVERY_CODE"]
    told = await do(api, "reauthenticate", token=other["token"], password=PASSWORD)
    assert faults(told) == [("SECOND_FACTOR_REQUIRED", "password")]
    set_clock(LATE)
    for token, code in ((other["token"], app.code()), (plain.token, codes[0])):
        assert faults(await do(api, "reauthenticate", token=token, code=code)) == SUCCESS
        assert await proof_of(api, token) == (clock.rfc3339(LATE), ["pwd", "otp", "mfa"])
    assert faults(await do(api, "renewRecoveryCodes", token=other["token"])) == SUCCESS


async def test_session_of_two_factors_proves_it_for_ten_minutes(
    api: Api, plain: Person, set_clock: SetClock
) -> None:
    _, codes = await set_up_first(api, plain)
    token = await challenge(api, plain.email, PASSWORD)
    opened = (await verify(api, token, codes[0]))["token"]
    set_clock(NOON + timedelta(minutes=10))
    assert faults(await do(api, "renewRecoveryCodes", token=opened)) == SUCCESS
    set_clock(NOON + timedelta(minutes=10, seconds=1))
    refused = await send(api, "renewRecoveryCodes", {}, token=opened)
    assert refused.reason("renewRecoveryCodes") == "REAUTHENTICATION_REQUIRED"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, ("REQUIRED", "password")),
        ({"password": None, "code": None, "passkey": None}, ("REQUIRED", "password")),
        ({"password": PASSWORD, "code": "123456"}, ("INVALID", "code")),
        ({"passkey": {"id": "x"}}, ("INVALID_PASSKEY", None)),
        ({"password": "wrong"}, ("WRONG_PASSWORD", "password")),
        ({"password": ""}, ("REQUIRED", "password")),
        ({"code": " "}, ("REQUIRED", "code")),
        ({"password": PASSWORD, "code": ""}, ("INVALID", "code")),
        ({"code": "123456"}, ("INVALID_CODE", "code")),
    ],
    ids=str,
)
async def test_what_proves_nothing_leaves_the_session_as_it_was(
    api: Api, plain: Person, set_clock: SetClock, given: dict[str, Any], told: CodeAndField
) -> None:
    set_clock(LATE)
    assert faults(await do(api, "reauthenticate", token=plain.token, **given)) == [told]
    assert await proof_of(api, plain.token) == (clock.rfc3339(NOON), ["pwd"])


async def test_account_without_a_password_is_told_to_sign_in(api: Api, plain: Person) -> None:
    async with api.database.transaction() as db:
        await change(db, CustomerRow, plain.id, password_hash="")
    told = await do(api, "reauthenticate", token=plain.token, password=PASSWORD)
    assert faults(told) == [("INVALID", "password")]


async def test_wrong_passwords_are_limited_as_other_proofs_are(api: Api, plain: Person) -> None:
    for _ in range(5):
        told = await do(api, "reauthenticate", token=plain.token, password="wrong")
        assert faults(told) == [("WRONG_PASSWORD", "password")]
    refused = await do(api, "reauthenticate", token=plain.token, password=PASSWORD)
    assert faults(refused) == [("TOO_MANY_ATTEMPTS", None)]
    given = {"currentPassword": PASSWORD, "newPassword": "another good one"}
    answer = await send(api, "changePassword", given, token=plain.token)
    assert faults(answer.data["changePassword"]) == [("TOO_MANY_ATTEMPTS", None)]
