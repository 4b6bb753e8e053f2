"""Sessions: listed to whom they concern, and ended one by one or all but one."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from gql_app.db.tables import CustomerRow
from gql_app.lib import clock
from tests.api import Api
from tests.conftest import SetClock
from tests.people import PASSWORD, Person, add_customer, sign_in, sign_out
from tests.rows import get_row
from tests.schema.mutations import SUCCESS, do, faults, token_reason

SESSIONS = """
query Sessions($id: ID!) {
  customer(id: $id) {
    sessions { id createdAt lastUsedAt expiresAt ipAddress userAgent isCurrent }
  }
}
"""
NO_SUCH_SESSION = [("NOT_FOUND", "id")]


async def listed(api: Api, token: str, person: Person) -> list[dict[str, Any]]:
    """List somebody's sessions, as the bearer of a token sees them."""
    answer = await api.run(SESSIONS, token=token, id=str(person.id))
    sessions: list[dict[str, Any]] = answer.data["customer"]["sessions"]
    return sessions


async def again(api: Api, person: Person) -> Person:
    """Sign somebody in once more."""
    payload = await do(api, "login", email=person.email, password=PASSWORD)
    (session,) = [s for s in await listed(api, payload["token"], person) if s["isCurrent"]]
    return Person(
        person.id,
        person.name,
        person.email,
        payload["token"],
        UUID(session["id"]),
        payload["refreshToken"],
    )


async def test_session_tells_where_and_when(api: Api, plain: Person, set_clock: SetClock) -> None:
    now = clock.now() + timedelta(minutes=5)
    set_clock(now)
    agent = {"User-Agent": "tests/1 " + "x" * 400}
    login = await do(api, "login", email=plain.email, password=PASSWORD, headers=agent)
    newest, oldest = await listed(api, login["token"], plain)
    assert newest == {
        "id": newest["id"],
        "createdAt": clock.rfc3339(now),
        "lastUsedAt": clock.rfc3339(now),
        "expiresAt": clock.rfc3339(now + timedelta(days=30)),
        "ipAddress": "192.0.2.1",
        "userAgent": "tests/1 " + "x" * 292,
        "isCurrent": True,
    }
    assert (oldest["id"], oldest["isCurrent"]) == (str(plain.session_id), False)
    assert newest["id"] != oldest["id"]


@pytest.mark.parametrize(("seconds", "noted"), [(59.9, 0), (60, 60)])
async def test_last_use_is_known_to_the_minute(
    api: Api, set_clock: SetClock, seconds: float, noted: float
) -> None:
    start = clock.now()
    set_clock(start)
    plain = await sign_in(api.resources, await add_customer(api.database, "Ada Plain"))
    set_clock(start + timedelta(seconds=seconds))
    (session,) = await listed(api, plain.token, plain)
    assert session["lastUsedAt"] == clock.rfc3339(start + timedelta(seconds=noted))


async def test_ended_and_expired_sessions_are_not_listed(
    api: Api, plain: Person, set_clock: SetClock
) -> None:
    ended = await again(api, plain)
    await sign_out(api.resources, ended)
    set_clock(clock.now() + timedelta(days=30, seconds=1))
    current = await again(api, plain)
    assert [s["id"] for s in await listed(api, current.token, plain)] == [str(current.session_id)]


async def test_admin_lists_the_sessions_of_anybody(api: Api, plain: Person, admin: Person) -> None:
    (session,) = await listed(api, admin.token, plain)
    assert (session["id"], session["isCurrent"]) == (str(plain.session_id), False)


async def test_sessions_are_null_to_another(api: Api, plain: Person, other: Person) -> None:
    answer = await api.run(SESSIONS, token=other.token, id=str(plain.id))
    assert answer.data["customer"]["sessions"] is None


async def test_logout_ends_the_calling_session_alone(api: Api, plain: Person) -> None:
    here = await again(api, plain)
    assert faults(await do(api, "logout", token=here.token)) == SUCCESS
    assert await token_reason(api, here.token) == "TOKEN_REVOKED"
    assert await token_reason(api, plain.token) is None


@pytest.mark.parametrize("by_admin", [False, True])
async def test_own_session_and_for_an_admin_anybodys_can_be_ended(
    api: Api, plain: Person, admin: Person, *, by_admin: bool
) -> None:
    elsewhere = await again(api, plain)
    token = admin.token if by_admin else plain.token
    done = await do(api, "endSession", token=token, id=str(elsewhere.session_id))
    assert faults(done) == SUCCESS
    assert await token_reason(api, elsewhere.token) == "TOKEN_REVOKED"
    assert await token_reason(api, token) is None
    once_more = await do(api, "endSession", token=token, id=str(elsewhere.session_id))
    assert faults(once_more) == NO_SUCH_SESSION


async def test_calling_session_can_be_ended_by_its_id(api: Api, plain: Person) -> None:
    done = await do(api, "endSession", token=plain.token, id=str(plain.session_id))
    assert faults(done) == SUCCESS
    assert await token_reason(api, plain.token) == "TOKEN_REVOKED"


async def test_session_of_another_is_not_found_and_lives_on(
    api: Api, plain: Person, other: Person
) -> None:
    refused = await do(api, "endSession", token=other.token, id=str(plain.session_id))
    assert faults(refused) == NO_SUCH_SESSION
    assert await token_reason(api, plain.token) is None


async def test_session_that_nobody_has_is_not_found(api: Api, admin: Person) -> None:
    for unknown in ("01890000-0000-7000-8000-000000000000", "no UUID", "", "\0", "1" * 10_000):
        refused = await do(api, "endSession", token=admin.token, id=unknown)
        assert faults(refused) == NO_SUCH_SESSION


async def test_all_other_sessions_of_the_caller_end_at_once(
    api: Api, plain: Person, other: Person
) -> None:
    here, elsewhere = await again(api, plain), await again(api, plain)
    ended = await do(api, "endOtherSessions", token=here.token)
    assert (faults(ended), ended["message"]) == (SUCCESS, "2 other sessions have ended.")
    people = (here, plain, elsewhere, other)
    reasons = [await token_reason(api, person.token) for person in people]
    assert reasons == [None, "TOKEN_REVOKED", "TOKEN_REVOKED", None]
    await again(api, plain)
    ended = await do(api, "endOtherSessions", token=here.token)
    assert (faults(ended), ended["message"]) == (SUCCESS, "1 other session has ended.")


async def test_21st_session_ends_the_oldest(api: Api, plain: Person, other: Person) -> None:
    second = await again(api, plain)
    row = await get_row(api.database, CustomerRow, plain.id)
    for _ in range(18):
        await sign_in(api.resources, row)
    assert await token_reason(api, plain.token) is None
    newest = await again(api, plain)
    reasons = [await token_reason(api, p.token) for p in (plain, second, newest, other)]
    assert reasons == ["TOKEN_REVOKED", None, None, None]
    assert len(await listed(api, newest.token, plain)) == 20


async def test_expired_sessions_do_not_count_towards_the_20(
    api: Api, plain: Person, set_clock: SetClock
) -> None:
    row = await get_row(api.database, CustomerRow, plain.id)
    start = clock.now()
    set_clock(start + timedelta(days=1))
    survivor = await sign_in(api.resources, row)
    set_clock(start + timedelta(days=30, seconds=1))
    for _ in range(18):
        await sign_in(api.resources, row)
    newest = await sign_in(api.resources, row)
    ids = [session["id"] for session in await listed(api, newest.token, plain)]
    assert len(ids) == 20
    assert ids[-1] == str(survivor.session_id)
