"""Entrances: each takes one kind of token, and says why it takes no other."""

from typing import Any

import pytest

from tests.api import Api
from tests.letterbox import Letterbox
from tests.people import PASSWORD, Kind, Person
from tests.schema.addresses import use
from tests.schema.mutations import SUCCESS, do, faults, reset, send, token_reason

pytestmark = pytest.mark.usefixtures("letterbox")

NEW_PASSWORD = "another good one"
MUTATIONS: dict[str, dict[str, Any]] = {
    "updateMe": {"input": {"name": "Ada"}},
    "changePassword": {"currentPassword": PASSWORD, "newPassword": NEW_PASSWORD},
    "deleteMe": {"password": PASSWORD},
    "logout": {},
    "endOtherSessions": {},
    "endAllSessions": {},
    "endSession": {"id": "1"},
    "requestEmailVerification": {},
    "beginCodes": {},
    "confirmCodes": {"code": "123456"},
    "beginPasskey": {},
    "confirmPasskey": {"credential": {}},
    "renewRecoveryCodes": {},
    "removeSecondFactor": {"id": "1"},
    "renameSecondFactor": {"id": "1", "name": "Mine"},
    "reauthenticate": {"password": PASSWORD},
}
REASONS = {
    Kind.ANONYMOUS: "TOKEN_MISSING",
    Kind.EXPIRED: "TOKEN_EXPIRED",
    Kind.REVOKED: "TOKEN_REVOKED",
}


@pytest.fixture
async def held(api: Api, plain: Person, letterbox: Letterbox) -> dict[str, str]:
    """Give one of each kind of token, all of them good."""
    await do(api, "requestPasswordReset", email=plain.email)
    resetting = await letterbox.link()
    await do(api, "requestEmailVerification", token=plain.token)
    return {
        "access": plain.token,
        "refresh": plain.refresh_token,
        "reset": resetting,
        "verify": await letterbox.link(),
        "junk": "plain-junk",
    }


async def test_header_takes_access_tokens_only(api: Api, held: dict[str, str]) -> None:
    for kind in ("refresh", "reset", "verify", "junk"):
        refused = await api.run("{ me { id } }", token=held[kind])
        assert refused.reason("me") == "TOKEN_MALFORMED"
        assert await token_reason(api, held[kind]) == "TOKEN_MALFORMED"


async def test_refresh_takes_refresh_tokens_only(api: Api, held: dict[str, str]) -> None:
    for kind in ("access", "reset", "verify", "junk"):
        refused = await do(api, "refresh", refreshToken=held[kind])
        assert faults(refused) == [("TOKEN_INVALID", "refreshToken")]


async def test_reset_takes_the_tokens_of_letters_only(api: Api, held: dict[str, str]) -> None:
    for kind in ("access", "refresh", "verify", "junk"):
        assert await reset(api, held[kind], NEW_PASSWORD) == [("TOKEN_INVALID", "token")]


async def test_no_token_is_spent_at_a_wrong_entrance(api: Api, held: dict[str, str]) -> None:
    for kind, token in held.items():
        await api.run("{ me { id } }", token=token)
        if kind != "refresh":
            await do(api, "refresh", refreshToken=token)
        if kind != "reset":
            await reset(api, token, NEW_PASSWORD)
        if kind != "verify":
            await use(api, "verifyEmail", token)
            await use(api, "declineEmail", token)
        await use(api, "undoEmailChange", token)
        await use(api, "undoSecondFactor", token)
        await do(api, "verifySecondFactor", challenge=token, code="123456")
    assert await token_reason(api, held["access"]) is None
    assert faults(await do(api, "refresh", refreshToken=held["refresh"])) == SUCCESS
    assert await use(api, "verifyEmail", held["verify"]) == SUCCESS
    assert await reset(api, held["reset"], NEW_PASSWORD) == SUCCESS


async def test_caller_who_is_not_signed_in_is_refused_and_changes_nothing(
    api: Api, plain: Person, tokens: dict[Kind, str | None]
) -> None:
    for name, given in MUTATIONS.items():
        for kind, reason in REASONS.items():
            refused = await send(api, name, given, token=tokens[kind])
            assert (refused.code(name), refused.reason(name)) == ("UNAUTHENTICATED", reason)
    assert await token_reason(api, plain.token) is None
