"""Guesses leave a trace: each kind is an audit event, and says from where and at whose account."""

from collections.abc import Mapping
from typing import Any, Final

import pytest

from tests.api import Api
from tests.people import PASSWORD, Person
from tests.schema.agreement import BOTH_WAYS
from tests.schema.mutations import send

NEW: Final = {"name": "Nora New", "email": "nora@example.com", "password": PASSWORD}
CHANGED: Final = {"email": "thief@example.com", "currentPassword": "a mere guess"}
PROOFS: Final[Mapping[str, dict[str, Any]]] = {
    "changePassword": {"currentPassword": "a mere guess", "newPassword": "another good one"},
    "deleteMe": {"password": "a mere guess"},
    "updateMe": {"input": CHANGED},
    "reauthenticate": {"password": "a mere guess"},
}
TOKENS: Final[Mapping[str, tuple[dict[str, Any], str]]] = {
    "refresh": ({"refreshToken": f"gar_{'A' * 43}"}, "session:refresh_refused"),
    "resetPassword": (
        {"token": f"gap_{'A' * 43}", "newPassword": "another good one"},
        "password:reset_refused",
    ),
    "acceptInvitation": (
        {"token": f"gai_{'A' * 43}", "password": "another good one"},
        "link:refused",
    ),
    **{
        name: ({"token": f"{prefix}{'A' * 43}"}, "link:refused")
        for name, prefix in (
            ("verifyEmail", "gav_"),
            ("declineEmail", "gav_"),
            ("undoEmailChange", "gau_"),
            ("undoSecondFactor", "gaf_"),
        )
    },
    "verifySecondFactor": ({"challenge": f"gac_{'A' * 43}", "code": "123456"}, "link:refused"),
}
EVENTS: Final = """{ auditEvents(first: 20) { nodes {
  action fields ipAddress userAgent actor { id } customer { id }
} } }"""
FROM: Final = {"User-Agent": "a program that guesses"}


async def guesses(api: Api, admin: Person) -> list[dict[str, Any]]:
    """Return what the audit knows of guesses."""
    await api.resources.guesses.record(api.resources.database)
    nodes = (await api.run(EVENTS, token=admin.token)).data["auditEvents"]["nodes"]
    found: list[dict[str, Any]] = [
        each for each in nodes if each["userAgent"] == FROM["User-Agent"]
    ]
    return found


def event(action: str, person: Person | None = None) -> dict[str, Any]:
    """Return what an event has to say."""
    who = {"id": str(person.id)} if person else None
    return {
        "action": action,
        "fields": [],
        "ipAddress": "192.0.2.1",
        "userAgent": FROM["User-Agent"],
        "actor": who,
        "customer": who,
    }


@BOTH_WAYS
@pytest.mark.parametrize("name", PROOFS)
async def test_wrong_proof_is_an_event_of_the_account(
    api: Api, plain: Person, admin: Person, name: str
) -> None:
    payload = await send(api, name, PROOFS[name], token=plain.token, headers=FROM)
    assert [each["code"] for each in payload.data[name]["errors"]] == ["WRONG_PASSWORD"]
    assert await guesses(api, admin) == [event("password:proof_failed", plain)]


@pytest.mark.parametrize("name", PROOFS)
async def test_proofs_that_are_throttled_are_an_event_as_well(
    api: Api, plain: Person, admin: Person, name: str
) -> None:
    for _ in range(8):
        await send(api, name, PROOFS[name], token=plain.token, headers=FROM)
    await api.resources.guesses.record(api.database, last=True)
    told = await guesses(api, admin)
    assert {each["action"] for each in told} == {
        "password:proof_failed",
        "password:proof_throttled",
    }
    numbers: dict[str, int] = {}
    for each in told:
        assert each["customer"] == {"id": str(plain.id)}
        number = int(each["fields"][0].split()[0]) if each["fields"] else 1
        numbers[each["action"]] = numbers.get(each["action"], 0) + number
    assert numbers == {"password:proof_failed": 5, "password:proof_throttled": 3}


@BOTH_WAYS
@pytest.mark.parametrize("name", TOKENS)
async def test_guessed_token_is_an_event_of_nobody(api: Api, admin: Person, name: str) -> None:
    given, action = TOKENS[name]
    await send(api, name, given, headers=FROM)
    assert await guesses(api, admin) == [event(action)]


@pytest.mark.parametrize("forged", ["x", "a.b.c", "{token}A", "{token} {token}"])
async def test_forged_access_token_is_an_event_of_nobody(
    api: Api, plain: Person, admin: Person, forged: str
) -> None:
    token = forged.format(token=plain.token)
    await api.run("{ __typename }", token=token, headers=FROM)
    assert await guesses(api, admin) == [event("token:refused")]


async def test_token_that_is_genuine_or_missing_is_no_guess(
    api: Api, plain: Person, admin: Person
) -> None:
    await api.run("{ me { id } }", token=plain.token, headers=FROM)
    await send(api, "logout", {}, token=plain.token, headers=FROM)
    await api.run("{ me { id } }", token=plain.token, headers=FROM)
    await api.run("{ me { id } }", headers=FROM)
    assert {each["action"] for each in await guesses(api, admin)} == {"session:logout"}


async def test_registrations_that_are_throttled_are_an_event(api: Api, admin: Person) -> None:
    limit = api.resources.throttle.client_attempts
    for number in range(limit + 1):
        await send(api, "register", {"input": {**NEW, "name": ""}}, headers=FROM)
        if number == limit - 1:
            assert await guesses(api, admin) == []
    assert await guesses(api, admin) == [event("customer:register_throttled")]


async def test_flood_of_guesses_is_a_handful_of_events(api: Api, admin: Person) -> None:
    given, action = TOKENS["refresh"]
    for _ in range(120):
        await send(api, "refresh", given, headers=FROM)
    await api.resources.guesses.record(api.database, last=True)
    told = await guesses(api, admin)
    assert {each["action"] for each in told} == {action}
    assert len(told) <= 3
    numbers = [int(each["fields"][0].split()[0]) if each["fields"] else 1 for each in told]
    assert sum(numbers) == 120


async def test_one_network_floods_with_tokens_and_a_guess_at_an_account_keeps_its_trace(
    api: Api, plain: Person, admin: Person
) -> None:
    for number in range(20):
        async with api.elsewhere(f"2001:db8:1:2::{number:x}") as there:
            await there.run("{ __typename }", token="a.b.c", headers=FROM)
    await send(api, "deleteMe", PROOFS["deleteMe"], token=plain.token, headers=FROM)
    await api.resources.guesses.record(api.database, last=True)
    told = await guesses(api, admin)
    assert event("password:proof_failed", plain) in told
    refused = [each for each in told if each["action"] == "token:refused"]
    numbers = [int(each["fields"][0].split()[0]) if each["fields"] else 1 for each in refused]
    assert sum(numbers) == 20
    assert len(refused) <= 2
