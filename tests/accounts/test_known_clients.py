"""Known clients: an address is known to an account for as long as its sessions use it."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from gql_app.accounts import refresh_tokens, sessions
from gql_app.accounts.audit import Origin
from gql_app.accounts.records import CustomerRecord
from gql_app.db.tables import KnownClientRow
from gql_app.lib.clock import new_id
from gql_app.lib.database import Database
from tests.accounts.conftest import NOON
from tests.conftest import SetClock
from tests.people import LIFETIMES, add_customer

DAY = timedelta(days=1)


async def clients(database: Database) -> dict[str, timedelta]:
    """Return which clients are known, and how long after noon each was seen."""
    rows = await database.fetch_all(select(KnownClientRow))
    return {row.client: row.seen_at - NOON for row in rows}


async def note(database: Database, customer: CustomerRecord, address: str | None) -> None:
    """Note a client in a transaction of its own."""
    async with database.transaction() as db:
        await sessions.note_client(db, customer.id, address)


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:DB8:1:2:3::4", "2001:db8:1:2::/64"),
        ("junk", "junk"),
        ("x" * 45, "x" * 45),
        ("", None),
        (None, None),
    ],
)
async def test_client_is_noted_in_its_one_spelling(
    noon: Database, ada: CustomerRecord, address: str | None, client: str | None
) -> None:
    await note(noon, ada, address)
    assert await clients(noon) == ({} if client is None else {client: timedelta()})
    async with noon.transaction() as db:
        await sessions.forget_clients(db, ada.id)
        await sessions.open_session(db, ada, Origin(address), LIFETIMES, methods="pwd")
    assert await clients(noon) == ({} if client is None else {client: timedelta()})


async def test_session_notes_from_where_it_is_opened_and_refreshed(
    noon: Database, ada: CustomerRecord, set_clock: SetClock
) -> None:
    async with noon.transaction() as db:
        opened = await sessions.open_session(db, ada, Origin("192.0.2.1"), LIFETIMES, methods="pwd")
    set_clock(NOON + timedelta(seconds=30))
    async with noon.transaction() as db:
        await refresh_tokens.rotate(db, opened.refresh_token, Origin("198.51.100.1"), LIFETIMES)
    assert await clients(noon) == {
        "192.0.2.1": timedelta(),
        "198.51.100.1": timedelta(seconds=30),
    }


async def test_signing_in_notes_a_client_again_once_an_hour(
    noon: Database, ada: CustomerRecord, set_clock: SetClock
) -> None:
    told = []
    for hours in (0, 0.5, 1, 1.5, 2):
        set_clock(NOON + timedelta(hours=hours))
        async with noon.transaction() as db:
            await sessions.open_session(db, ada, Origin("192.0.2.1"), LIFETIMES, methods="pwd")
        told.append((await clients(noon))["192.0.2.1"] / timedelta(hours=1))
    assert told == [0, 0, 0, 1.5, 1.5]


async def test_client_that_is_noted_at_once_by_several_is_noted_once(
    noon: Database, ada: CustomerRecord
) -> None:
    await asyncio.gather(*(note(noon, ada, "192.0.2.1") for _ in range(5)))
    assert await clients(noon) == {"192.0.2.1": timedelta()}


async def test_client_is_known_for_30_days_of_its_last_use_and_purged_after_90(
    noon: Database, ada: CustomerRecord, set_clock: SetClock
) -> None:
    for number in range(5):
        await note(noon, ada, f"192.0.2.{number}")
    set_clock(NOON + DAY)
    await note(noon, ada, "192.0.2.4")
    assert [sessions.is_known_client(NOON - days * DAY) for days in (28, 29)] == [True, False]
    assert not sessions.is_known_client(None)
    deleted = []
    for days in (90, 91, 91, 91):
        set_clock(NOON + days * DAY)
        async with noon.transaction() as db:
            deleted.append(await sessions.purge_clients(db, batch=3))
    assert deleted == [0, 3, 1, 0]
    assert await clients(noon) == {"192.0.2.4": DAY}


async def test_only_the_clients_of_whoever_is_gone_are_forgotten(
    noon: Database, ada: CustomerRecord
) -> None:
    bob = await add_customer(noon, "Bob")
    for customer in (ada, bob):
        await note(noon, customer, f"{customer.name.split()[0]}")
    async with noon.transaction() as db:
        await sessions.forget_clients(db, ada.id)
        await sessions.forget_clients(db, new_id())
    assert list(await clients(noon)) == ["Bob"]
