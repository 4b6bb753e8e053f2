"""Counters: what is counted in a table, whoever counts at once."""

import asyncio
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from gql_app.db.tables import ThrottleRow
from gql_app.lib.database import Database
from gql_app.lib.throttling import Counters, Limit
from tests.locks import until_it_waits
from tests.rows import column

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
COUNTERS = Counters(
    ThrottleRow,
    subject=ThrottleRow.subject,
    times=ThrottleRow.times,
    updated_at=ThrottleRow.updated_at,
)
ADA = Limit("ada", attempts=3, name="tries", window=60)
BOB = Limit("bob", attempts=3, name="tries", window=3600)


async def count(database: Database, *limits: Limit, now: datetime = NOON) -> bool:
    """Count an attempt in a transaction of its own."""
    async with database.transaction() as db:
        times = await COUNTERS.begin(db, limits, now)
        return await COUNTERS.add(db, limits, times, now, kept=60)


async def test_attempts_are_counted_for_each_subject(database: Database) -> None:
    assert [await count(database, ADA) for _ in range(3)] == [False, False, True]
    assert await count(database, BOB, ADA)
    now = NOON.timestamp()
    found = await COUNTERS.find(database, ["ada", "bob", "nobody"])
    assert found == {"ada": [now] * 3, "bob": [now]}


async def test_what_left_the_window_is_counted_no_more(database: Database) -> None:
    await count(database, ADA)
    later = NOON + timedelta(seconds=60)
    await count(database, ADA, now=later)
    assert await COUNTERS.find(database, ["ada"]) == {"ada": [later.timestamp()]}


async def test_attempts_at_once_wait_for_each_other_and_are_all_counted(
    database: Database,
) -> None:
    for limits in ([ADA, BOB], [BOB, ADA]):
        async with database.transaction() as db:
            times = await COUNTERS.begin(db, limits, NOON)
            other = asyncio.create_task(count(database, *reversed(limits)))
            await until_it_waits(db, other)
            await COUNTERS.add(db, limits, times, NOON, kept=60)
        await other
    found = await COUNTERS.find(database, ["ada", "bob"])
    assert {subject: len(times) for subject, times in found.items()} == {"ada": 3, "bob": 3}


async def test_held_subject_is_counted_by_nobody_else(database: Database) -> None:
    await count(database, ADA)
    async with database.transaction() as db:
        assert await COUNTERS.hold(db, ["ada", "bob"]) == {"ada": [NOON.timestamp()]}
        other = asyncio.create_task(count(database, ADA))
        await until_it_waits(db, other)
        await COUNTERS.clear(db, ["ada"])
    assert await other is False
    assert await COUNTERS.find(database, ["ada"]) == {"ada": [NOON.timestamp()]}


async def test_only_the_last_attempt_is_taken_back(database: Database) -> None:
    for seconds in range(2):
        await count(database, ADA, now=NOON + timedelta(seconds=seconds))
    async with database.transaction() as db:
        await COUNTERS.take_back(db, "ada", NOON)
        await COUNTERS.take_back(db, "nobody", NOON)
    found = await COUNTERS.find(database, ["ada", "nobody"])
    assert found == {"ada": [NOON.timestamp()]}


async def test_purge_spares_what_a_longer_window_counts_still(database: Database) -> None:
    await count(database, ADA, BOB)
    deleted, left = [], []
    for seconds in (60, 61, 3600, 3601):
        now = NOON + timedelta(seconds=seconds)
        async with database.transaction() as db:
            before = now - timedelta(seconds=60)
            deleted.append(await COUNTERS.purge(db, before=before, batch=10))
        left.append(sorted(await column(database, select(ThrottleRow.subject))))
    assert deleted == [0, 1, 0, 1]
    assert left == [["ada", "bob"], ["bob"], ["bob"], []]


async def test_purge_deletes_a_batch_at_once(database: Database) -> None:
    for number in range(3):
        await count(database, Limit(str(number), attempts=1, name="tries", window=60))
    async with database.transaction() as db:
        before = NOON + timedelta(seconds=1)
        assert [await COUNTERS.purge(db, before=before, batch=2) for _ in range(3)] == [2, 1, 0]
