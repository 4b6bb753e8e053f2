"""Breached passwords: no new one is taken, whichever way it comes, if its service knows it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any, Final

import pytest

from gql_app.accounts import validation
from gql_app.lib.breached_passwords import BreachedPasswords, Lookup
from gql_app.lib.fair_queue import LOCAL
from gql_app.settings import Settings
from tests.api import Api, running
from tests.letterbox import Letterbox
from tests.people import PASSWORD, Person, add_customer
from tests.ranges import Handler, RangeService, digest_of, knowing, range_service
from tests.schema.mutations import SUCCESS, CodeAndField, do, faults, send
from tests.schema.test_password_reset import link
from tests.scraping import Numbers, told

pytestmark = pytest.mark.usefixtures("letterbox")

STOLEN: Final = "mountain giraffe 71"
PATIENCE: Final = 30
"""Seconds that nothing here takes."""
UNKNOWN: Final = "mountain giraffe 72"
STOLEN_MESSAGE: Final = "This password is in a list of stolen passwords. Choose another."
NORA: Final = {"name": "Nora New", "email": "nora@example.com"}
WAYS: Final = {
    "register": "password",
    "createCustomer": "password",
    "updateCustomer": "password",
    "changePassword": "newPassword",
    "resetPassword": "newPassword",
    "acceptInvitation": "password",
}
"""The mutations that take a new password, and the fields that have it."""


@pytest.fixture
def service() -> Iterator[RangeService]:
    """Answer as a service that knows one password."""
    with range_service(knowing(STOLEN)) as service:
        yield service


@pytest.fixture
async def api(
    settings: Settings, service: RangeService, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Api]:
    """Run the API, which asks that service, and has the patience for a machine that is busy."""
    patient = partial(BreachedPasswords, deadline=PATIENCE)
    monkeypatch.setattr(validation, "BreachedPasswords", patient)
    asking = settings.model_copy(update={"breached_passwords_url": service.url})
    async with running(asking) as api:
        yield api


def looked_up(numbers: Numbers) -> dict[str, float]:
    """Return how often each thing came of a lookup."""
    name = "gql_app_breached_password_checks_total"
    return {result: numbers.of(name, result=result) for result in Lookup}


def counts(api: Api, **expected: int) -> bool:
    """Return whether each thing came of a lookup as often as expected, or never."""
    return looked_up(told(api.resources.metrics)) == dict.fromkeys(Lookup, 0) | expected


async def given_to(
    api: Api, name: str, plain: Person, admin: Person, letterbox: Letterbox
) -> tuple[str | None, dict[str, Any]]:
    """Return the token of who uses a mutation, and all that it takes but the password."""
    match name:
        case "register":
            return None, {"input": NORA}
        case "createCustomer":
            return admin.token, {"input": NORA}
        case "updateCustomer":
            return admin.token, {"id": str(plain.id), "input": {}}
        case "changePassword":
            return plain.token, {"currentPassword": PASSWORD}
        case "resetPassword":
            return None, {"token": await link(api, letterbox, plain)}
        case _:
            invited = await do(api, "inviteCustomer", token=admin.token, input=NORA)
            assert faults(invited) == SUCCESS
            return None, {"token": await letterbox.link()}


def including(given: dict[str, Any], field: str, password: str) -> dict[str, Any]:
    """Return what a mutation is given, the password included."""
    if "input" in given:
        return {**given, "input": {**given["input"], field: password}}
    return {**given, field: password}


@pytest.mark.parametrize("name", WAYS)
async def test_stolen_password_is_weak_whichever_way_it_comes(
    api: Api,
    service: RangeService,
    plain: Person,
    admin: Person,
    letterbox: Letterbox,
    name: str,
) -> None:
    token, given = await given_to(api, name, plain, admin, letterbox)
    field = WAYS[name]
    refused = await send(api, name, including(given, field, STOLEN), token=token)
    assert refused.data[name]["errors"] == [
        {"code": "WEAK_PASSWORD", "field": field, "message": STOLEN_MESSAGE}
    ]
    assert counts(api, breached=1)
    done = await send(api, name, including(given, field, UNKNOWN), token=token)
    assert faults(done.data[name]) == SUCCESS
    assert counts(api, breached=1, clean=1)
    assert service.paths == [f"/range/{digest_of(each)[0]}" for each in (STOLEN, UNKNOWN)]


@pytest.mark.parametrize("status", [404, 429, 500])
async def test_password_is_taken_where_the_service_fails_and_that_is_counted(
    api: Api, service: RangeService, plain: Person, status: int
) -> None:
    service.answer = lambda asked: asked.send(b"", status)
    done = await do(api, "register", input={**NORA, "password": STOLEN})
    assert faults(done) == SUCCESS
    given = {"currentPassword": PASSWORD, "newPassword": STOLEN}
    changed = await send(api, "changePassword", given, token=plain.token)
    assert faults(changed.data["changePassword"]) == SUCCESS
    assert counts(api, failed=2)


async def test_registration_waits_for_a_silent_service_no_longer_than_its_deadline(
    settings: Settings, service: RangeService
) -> None:
    service.answer = service.say_nothing
    asking = settings.model_copy(update={"breached_passwords_url": service.url})
    async with running(asking) as api, asyncio.timeout(PATIENCE):
        done = await do(api, "register", input={**NORA, "password": STOLEN})
        assert faults(done) == SUCCESS
        assert counts(api, failed=1)


async def test_nothing_is_locked_and_hashed_while_the_service_is_asked(
    api: Api, service: RangeService
) -> None:
    answer, loop, used = service.answer, asyncio.get_running_loop(), list[object]()

    def write_elsewhere(asked: Handler) -> None:
        adding = asyncio.run_coroutine_threadsafe(add_customer(api.database, "Eve"), loop)
        adding.result(PATIENCE)  # which waits for any transaction where there is one at a time
        used.append(api.resources.passwords.use)
        answer(asked)

    service.answer = write_elsewhere
    assert faults(await do(api, "register", input={**NORA, "password": UNKNOWN})) == SUCCESS
    assert counts(api, clean=1)
    assert used == [{"running": 0, "waiting": 0}]


@pytest.mark.parametrize(
    ("password", "refused"),
    [
        ("qwertyuiop", [("WEAK_PASSWORD", "password")]),
        ("nora@example.com", [("WEAK_PASSWORD", "password")]),
        ("too short", [("WEAK_PASSWORD", "password")]),
        ("", [("REQUIRED", "password")]),
        ("x" * 201, [("TOO_LONG", "password")]),
    ],
)
async def test_what_is_refused_anyway_is_not_asked_for(
    api: Api, service: RangeService, password: str, refused: list[CodeAndField]
) -> None:
    done = await do(api, "register", input={**NORA, "password": password})
    assert faults(done) == refused
    assert service.requests == []


async def test_signing_in_asks_nobody(api: Api, service: RangeService, plain: Person) -> None:
    assert faults(await do(api, "login", email=plain.email, password=PASSWORD)) == SUCCESS
    assert service.requests == []


async def test_nobody_is_asked_unless_it_is_set(settings: Settings, service: RangeService) -> None:
    async with running(settings) as api:
        done = await do(api, "register", input={**NORA, "password": STOLEN})
        assert faults(done) == SUCCESS
        assert counts(api)
    assert service.requests == []


async def test_service_is_asked_no_more_once_the_process_ends(
    settings: Settings, service: RangeService
) -> None:
    asking = settings.model_copy(update={"breached_passwords_url": service.url})
    async with running(asking) as api:
        resources = api.resources
    for ended in (
        resources.rules.breached.contains(STOLEN),
        resources.passwords.hash(UNKNOWN, LOCAL),
    ):
        with pytest.raises(RuntimeError):
            await ended
    assert service.requests == []
