"""What one account writes: no honest use comes near its limits, and nothing else fills the disk."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest
from sqlalchemy import func, select

from gql_app.accounts import sessions
from gql_app.db.tables import AuditRow, RefreshTokenRow, SessionRow
from gql_app.lib import clock
from gql_app.resources import Resources
from gql_app.settings import Settings
from tests.api import Api, running
from tests.apps import set_up_first
from tests.conftest import SetClock
from tests.people import PASSWORD, Person, add_customer, sign_in
from tests.rows import value
from tests.schema.mutations import SUCCESS, CodeAndField, do, faults
from tests.throttles import fill

LOCKED: Final[list[CodeAndField]] = [("TOO_MANY_ATTEMPTS", None)]
Write = Callable[[Api, Person], Awaitable[dict[str, Any]]]


def carried_on(who: Person, payload: dict[str, Any]) -> Person:
    """Return who goes on by the tokens that a payload has, if it has any."""
    if not payload.get("token"):
        return who
    return replace(who, token=payload["token"], refresh_token=payload["refreshToken"])


async def kept(api: Api) -> list[int]:
    """Count the rows of what stays."""
    return [
        await value(api.database, select(func.count()).select_from(table))
        for table in (AuditRow, SessionRow, RefreshTokenRow)
    ]


async def rename(api: Api, who: Person) -> dict[str, Any]:
    """Change one's name."""
    return await do(api, "updateMe", token=who.token, input={"name": "Ada L."})


async def leave_as_it_is(api: Api, who: Person) -> dict[str, Any]:
    """Change nothing of oneself."""
    return await do(api, "updateMe", token=who.token, input={})


async def change_password(api: Api, who: Person) -> dict[str, Any]:
    """Change one's password."""
    given: dict[str, Any] = {"currentPassword": PASSWORD, "newPassword": "seven quiet boats"}
    return await do(api, "changePassword", token=who.token, **given)


async def reauthenticate(api: Api, who: Person) -> dict[str, Any]:
    """Prove one's identity again."""
    return await do(api, "reauthenticate", token=who.token, password=PASSWORD)


async def move(api: Api, who: Person) -> dict[str, Any]:
    """Ask for another e-mail address."""
    given = {"email": "another@example.com", "currentPassword": PASSWORD}
    return await do(api, "updateMe", token=who.token, input=given)


async def refresh(api: Api, who: Person) -> dict[str, Any]:
    """Carry the session on."""
    return await do(api, "refresh", refreshToken=who.refresh_token)


@pytest.mark.parametrize(
    ("write", "kind"),
    [
        (rename, "change"),
        (leave_as_it_is, "change"),
        (change_password, "access"),
        (reauthenticate, "access"),
        (refresh, "refresh"),
    ],
)
async def test_account_that_wrote_as_often_as_is_granted_waits_for_an_hour_to_pass(
    api: Api, plain: Person, other: Person, set_clock: SetClock, write: Write, kind: str
) -> None:
    start = clock.now()
    set_clock(start)
    limit = api.resources.throttle.of_account(kind, plain.id)
    assert limit.attempts == 300
    await fill(api.database, limit, but=1)
    done = await write(api, plain)
    assert faults(done) == SUCCESS
    await fill(api.database, limit)
    again = carried_on(plain, done)
    before = await kept(api)
    set_clock(start + timedelta(minutes=1))
    refused = await write(api, again)
    assert (faults(refused), refused["retryAfter"]) == (LOCKED, 59 * 60)
    assert await kept(api) == before
    assert faults(await write(api, other)) == SUCCESS
    set_clock(start + timedelta(hours=1))
    going_on = await refresh(api, again)
    assert faults(going_on) == SUCCESS
    assert faults(await rename(api, carried_on(again, going_on))) == SUCCESS


@pytest.mark.parametrize("write", [change_password, reauthenticate, move])
async def test_changes_without_a_proof_leave_room_for_those_that_take_one(
    api: Api, plain: Person, write: Write
) -> None:
    await fill(api.database, api.resources.throttle.of_account("change", plain.id))
    assert faults(await rename(api, plain)) == LOCKED
    assert faults(await write(api, plain)) == SUCCESS


@pytest.mark.parametrize(
    ("filled", "told"),
    [
        ("change", [LOCKED, SUCCESS, SUCCESS, SUCCESS]),
        ("access", [SUCCESS, LOCKED, LOCKED, LOCKED]),
    ],
)
async def test_changes_of_second_factors_but_their_names_take_a_proof(
    api: Api, plain: Person, filled: str, told: list[list[CodeAndField]]
) -> None:
    await set_up_first(api, plain)
    asked = "{ me { secondFactors { id } } }"
    [factor] = (await api.run(asked, token=plain.token)).data["me"]["secondFactors"]
    await fill(api.database, api.resources.throttle.of_account(filled, plain.id))
    steps: list[tuple[str, dict[str, Any]]] = [
        ("renameSecondFactor", {"id": factor["id"], "name": "Mine"}),
        ("renewRecoveryCodes", {}),
        ("beginCodes", {}),
        ("removeSecondFactor", {"id": factor["id"]}),
    ]
    answers = [await do(api, name, token=plain.token, **given) for name, given in steps]
    assert [*map(faults, answers)] == told


async def test_each_write_counts_once(settings: Settings) -> None:
    async with running(settings.model_copy(update={"account_writes_per_hour": 3})) as api:
        ada = await sign_in(api.resources, await add_customer(api.database, "Ada Plain"))
        told = [faults(await rename(api, ada)) for _ in range(4)]
        assert told == [SUCCESS] * 3 + [LOCKED]
        wrong = await do(api, "updateMe", token=ada.token, input={"name": ""})
        assert faults(wrong) == [("REQUIRED", "name")]
        assert faults(await refresh(api, ada)) == SUCCESS


@pytest.mark.parametrize(("ttl", "refreshes"), [(3600, 300), (300, 480), (60, 2400), (1, 144_000)])
async def test_as_many_refreshes_are_granted_as_short_tokens_need(
    settings: Settings, ttl: int, refreshes: int
) -> None:
    async with Resources.open(settings.model_copy(update={"access_token_ttl": ttl})) as opened:
        granted = opened.throttle.account_refreshes
    assert granted == refreshes >= sessions.MAX_SESSIONS * 3600 // ttl
