"""Several processes that purge at once: each row goes once, and none waits for another."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from gql_app import background
from gql_app.accounts import sessions
from gql_app.db.tables import SessionRow, ThrottleRow
from gql_app.lib.clock import new_id
from gql_app.resources import Resources
from gql_app.settings import Settings
from tests.conftest import SetClock
from tests.people import NOWHERE, add_customer
from tests.rows import add_all, value

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
LATER = timedelta(days=61)
OVER = 1200
PATIENCE = 30


class Crash(Exception):
    """The end of a process amid its purge."""


@pytest.fixture
async def processes(settings: Settings, set_clock: SetClock) -> AsyncIterator[list[Resources]]:
    """Open one database as three processes do, of which much is long over, and some is not."""
    async with AsyncExitStack() as held:
        opened = [await held.enter_async_context(Resources.open(settings)) for _ in range(3)]
        resources = opened[0]
        customer = await add_customer(resources.database, "Ada Plain")
        set_clock(NOON)
        over = [
            {
                "id": new_id(),
                "customer_id": customer.id,
                "created_at": NOON,
                "last_used_at": NOON,
                "expires_at": NOON,
                "ended_at": None,
                "ip_address": None,
                "user_agent": None,
            }
            for _ in range(OVER)
        ]
        failed = [
            {"subject": f"{number:064}", "times": [], "updated_at": NOON} for number in range(OVER)
        ]
        async with resources.database.transaction() as db:
            await add_all(db, SessionRow, over)
            await add_all(db, ThrottleRow, failed)
        set_clock(NOON + LATER)
        async with resources.database.transaction() as db:
            await sessions.open_session(db, customer, NOWHERE, resources.lifetimes, methods="pwd")
            limit = resources.throttle.limit("sign-in", "ada@example.com")
            await resources.throttle.count(db, limit)
        yield opened


async def left(resources: Resources) -> list[int]:
    """Count the sessions and the throttles that are left."""
    return [
        await value(resources.database, select(func.count()).select_from(table))
        for table in (SessionRow, ThrottleRow)
    ]


async def test_three_that_purge_at_once_delete_each_row_once(processes: list[Resources]) -> None:
    async with asyncio.timeout(PATIENCE):
        counts = await asyncio.gather(*map(background.purge, processes))
    assert sum(counts) == 2 * OVER
    assert await left(processes[0]) == [1, 1]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_purge_waits_for_nobody_and_takes_up_what_another_left(
    processes: list[Resources],
) -> None:
    one, two, _ = processes
    with suppress(Crash):
        async with one.database.transaction() as db, asyncio.timeout(PATIENCE):
            assert await sessions.purge(db, batch=100) == 100
            assert await one.throttle.purge(db, batch=100) == 100
            assert await background.purge(two) == 2 * (OVER - 100)
            raise Crash
    assert await left(two) == [101, 101]
    assert await background.purge(two) == 200
    assert await left(two) == [1, 1]
