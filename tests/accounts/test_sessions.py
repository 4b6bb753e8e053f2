"""Sessions: what is noted of them, how they are listed, and how they end."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from gql_app.accounts import sessions
from gql_app.accounts.audit import Origin
from gql_app.accounts.records import CustomerRecord, SessionRecord
from gql_app.accounts.sessions import MAX_SESSIONS, Lifetimes
from gql_app.cli.accounts import end_every_session
from gql_app.db.tables import SessionRow
from gql_app.lib.clock import LATEST
from gql_app.lib.database import Database, Transaction
from tests.accounts.rows import statements
from tests.people import LIFETIMES, NOWHERE, add_customer
from tests.rows import get_row

SetClock = Callable[[datetime], None]
NOON = datetime(2030, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
HOUR = timedelta(hours=1)


async def open_session(
    database: Database,
    row: CustomerRecord,
    origin: Origin = NOWHERE,
    lifetimes: Lifetimes = LIFETIMES,
) -> SessionRecord:
    """Sign a customer in."""
    async with database.transaction() as db:
        return (await sessions.open_session(db, row, origin, lifetimes, methods="pwd")).session


async def living(database: Database, *rows: CustomerRecord) -> dict[UUID, list[UUID]]:
    """List the living sessions of customers."""
    found = await sessions.living(database, [row.id for row in rows])
    ids = [[session.id for session in each] for each in found]
    return {row.id: each for row, each in zip(rows, ids, strict=True) if each}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (Origin.of(None, None), Origin(None, None)),
        (Origin.of("", ""), Origin(None, None)),
        (Origin.of("192.0.2.1", "curl/8"), Origin("192.0.2.1", "curl/8")),
        (Origin.of("f" * 45, "a" * 300), Origin("f" * 45, "a" * 300)),
        (Origin.of("f" * 46, "a" * 9000), Origin("f" * 45, "a" * 300)),
        (Origin.of(None, "é" * 301), Origin(None, "é" * 300)),
    ],
)
def test_of_a_client_only_so_much_is_kept(given: Origin, kept: Origin) -> None:
    assert given == kept


async def test_a_session_notes_when_and_from_where_it_began(
    database: Database, set_clock: SetClock
) -> None:
    set_clock(NOON)
    ada = await add_customer(database, "Ada")
    session = await open_session(database, ada, Origin("f" * 45, "é" * 300))
    row = await get_row(database, SessionRow, session.id)
    assert row.id.version == 7
    assert (row.customer_id, row.ip_address, row.user_agent) == (ada.id, "f" * 45, "é" * 300)
    assert (row.created_at, row.last_used_at, row.expires_at) == (NOON, NOON, NOON + HOUR)
    assert row.ended_at is None


async def test_no_session_outlives_the_last_moment_that_can_be_written(
    database: Database, set_clock: SetClock
) -> None:
    set_clock(NOON)
    endless = replace(LIFETIMES, refresh=10**18, longest=10**18)
    ada = await add_customer(database, "Ada")
    session = await open_session(database, ada, lifetimes=endless)
    assert session.expires_at == LATEST


async def end(db: Transaction, session: SessionRecord) -> None:
    """Sign out."""
    await sessions.end(db, session.id, of=None, origin=NOWHERE)


async def end_all(db: Transaction, session: SessionRecord) -> None:
    """Sign out everywhere."""
    await sessions.end_all(db, session.customer_id)


async def test_living_sessions_are_listed_the_newest_first(
    database: Database, set_clock: SetClock
) -> None:
    ada, bob = await add_customer(database, "Ada"), await add_customer(database, "Bob")
    carla = await add_customer(database, "Carla")
    opened = []
    for minutes in (1, 0, 2, 3):
        set_clock(NOON + timedelta(minutes=minutes))
        opened.append(await open_session(database, ada))
    bobs = await open_session(database, bob)
    async with database.transaction() as db:
        await sessions.end(db, opened[3].id, of=None, origin=NOWHERE)
    with statements() as seen:
        found = await living(database, ada, bob, carla)
    assert found == {ada.id: [opened[2].id, opened[0].id, opened[1].id], bob.id: [bobs.id]}
    assert len(seen) == 1


async def test_oldest_session_gives_way_and_those_that_ended_take_no_place(
    database: Database, set_clock: SetClock
) -> None:
    ada = await add_customer(database, "Ada")
    set_clock(NOON + timedelta(minutes=MAX_SESSIONS))
    ended = await open_session(database, ada)
    async with database.transaction() as db:
        await sessions.end(db, ended.id, of=None, origin=NOWHERE)
    opened = []
    for minutes in reversed(range(MAX_SESSIONS)):
        set_clock(NOON + timedelta(minutes=minutes))
        opened.append((await open_session(database, ada)).id)
    assert await living(database, ada) == {ada.id: opened}
    set_clock(NOON + timedelta(minutes=MAX_SESSIONS))
    newest = await open_session(database, ada)
    assert await living(database, ada) == {ada.id: [newest.id, *opened[:-1]]}


async def test_sessions_of_one_moment_are_listed_by_id(
    database: Database, set_clock: SetClock
) -> None:
    set_clock(NOON)
    ada = await add_customer(database, "Ada")
    ids = [(await open_session(database, ada)).id for _ in range(5)]
    assert await living(database, ada) == {ada.id: sorted(ids, reverse=True)}


async def test_an_ended_session_keeps_the_moment_it_first_ended(
    database: Database, set_clock: SetClock
) -> None:
    set_clock(NOON)
    ada = await add_customer(database, "Ada")
    first, second = await open_session(database, ada), await open_session(database, ada)
    for moment, ending in ((NOON + MICROSECOND, end), (NOON + HOUR, end), (NOON + HOUR, end_all)):
        set_clock(moment)
        async with database.transaction() as db:
            await ending(db, first)
    ended = [(await get_row(database, SessionRow, row.id)).ended_at for row in (first, second)]
    assert ended == [NOON + MICROSECOND, NOON + HOUR]


async def test_everybodys_sessions_end_at_once(database: Database, set_clock: SetClock) -> None:
    set_clock(NOON - HOUR)
    ada, bob = await add_customer(database, "Ada"), await add_customer(database, "Bob")
    await open_session(database, ada)
    set_clock(NOON)
    for person in (ada, ada, bob):
        await open_session(database, person)
    for count in (3, 0):  # the first has expired
        async with database.transaction() as db:
            assert await end_every_session(db) == count
    assert await living(database, ada, bob) == {}
