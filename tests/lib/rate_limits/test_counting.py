"""Limits: attempts are counted in a table while there is room, whoever counts at once."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from gql_app.db.tables import ThrottleRow
from gql_app.lib.database import Database, Query, Transaction
from gql_app.lib.rate_limits import Limit, PasswordLimits
from tests.conftest import SetClock
from tests.lib.rate_limits.limiter import LIMITER, NOON, Refused, limiter
from tests.locks import until_it_waits
from tests.rows import column

ADA = Limit("ada", attempts=3, name="tries", window=60)
BOB = Limit("bob", attempts=3, name="tries", window=3600)


@pytest.fixture
def noon(database: Database, set_clock: SetClock) -> Database:
    """Return a database at noon."""
    set_clock(NOON)
    return database


async def count(database: Database, *limits: Limit) -> bool:
    """Count an attempt in a transaction of its own."""
    async with database.transaction() as db:
        return await LIMITER.count(db, *limits)


async def counted(database: Database) -> dict[str, list[float]]:
    """Return when each subject tried."""
    rows = await database.fetch_all(select(ThrottleRow.subject, ThrottleRow.times))
    return {row.subject: row.times for row in rows}


async def test_attempts_are_counted_for_each_subject(noon: Database) -> None:
    assert [await count(noon, ADA) for _ in range(2)] == [False, False]
    assert await count(noon, BOB, ADA)
    now = NOON.timestamp()
    assert await counted(noon) == {"ada": [now] * 3, "bob": [now]}


async def test_attempt_is_refused_and_not_counted_where_a_limit_is_reached(noon: Database) -> None:
    for _ in range(3):
        await count(noon, ADA)
    for attempt in (count(noon, BOB, ADA), LIMITER.require_room(noon, ADA)):
        with pytest.raises(Refused) as refused:
            await attempt
        assert refused.value.limit == "tries"
    await LIMITER.require_room(noon, BOB)
    assert "bob" not in await counted(noon)


async def test_rows_are_locked_in_one_order_whatever_the_limits_order(
    noon: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders: list[list[object]] = []
    execute_many = Transaction.execute_many

    async def noting(
        db: Transaction, query: Query[Any], rows: Iterable[Mapping[str, object]], /
    ) -> list[Any]:
        given = [*rows]
        orders.append([row["subject"] for row in given])
        return await execute_many(db, query, given)

    monkeypatch.setattr(Transaction, "execute_many", noting)
    await count(noon, BOB, ADA)
    async with noon.transaction() as db:
        await LIMITER.lock(db, (BOB, ADA))
    assert orders[0] == orders[-1] == ["ada", "bob"]


async def test_what_left_the_window_is_counted_no_more(noon: Database, set_clock: SetClock) -> None:
    await count(noon, ADA)
    later = NOON + timedelta(seconds=60)
    set_clock(later)
    await count(noon, ADA)
    assert await counted(noon) == {"ada": [later.timestamp()]}


async def test_attempts_at_once_wait_for_each_other_and_are_all_counted(noon: Database) -> None:
    for limits in ([ADA, BOB], [BOB, ADA]):
        async with noon.transaction() as db:
            await LIMITER.count(db, *limits)
            other = asyncio.create_task(count(noon, *reversed(limits)))
            await until_it_waits(db, other)
        outcome = await asyncio.gather(other, return_exceptions=True)
    assert isinstance(outcome[0], Refused)
    assert {who: len(times) for who, times in (await counted(noon)).items()} == {"ada": 3, "bob": 3}


async def test_held_subject_is_counted_by_nobody_else(noon: Database) -> None:
    await count(noon, ADA)
    limits = PasswordLimits(pair=ADA, clients=(), lockout=BOB, wider=())
    async with noon.transaction() as db:
        assert await LIMITER.hold_failures(db, limits) == [ADA]
        other = asyncio.create_task(count(noon, ADA))
        await until_it_waits(db, other)
        await LIMITER.clear(db, ADA)
    assert await other is False
    assert await counted(noon) == {"ada": [NOON.timestamp()]}


async def test_only_the_last_attempt_is_given_back(noon: Database, set_clock: SetClock) -> None:
    for seconds in range(3):
        set_clock(NOON + timedelta(seconds=seconds))
        await count(noon, ADA)
    async with noon.transaction() as db:
        await LIMITER.give_back(db, ADA)
        await LIMITER.give_back(db, BOB)
    assert await counted(noon) == {"ada": [NOON.timestamp(), NOON.timestamp() + 1]}
    assert await count(noon, ADA)


async def test_what_is_cleared_makes_room_again(noon: Database) -> None:
    for _ in range(3):
        await count(noon, ADA)
    async with noon.transaction() as db:
        await LIMITER.clear(db)
        await LIMITER.clear(db, ADA, BOB)
    assert await counted(noon) == {}
    assert not await count(noon, ADA)


@pytest.mark.parametrize("given_back", [False, True])
async def test_purge_spares_what_a_longer_window_counts_still(
    noon: Database, set_clock: SetClock, *, given_back: bool
) -> None:
    await count(noon, ADA, BOB)
    if given_back:
        await count(noon, BOB)
        async with noon.transaction() as db:
            await LIMITER.give_back(db, BOB)
    deleted, left = [], []
    for seconds in (60, 61, 3600, 3601):
        set_clock(NOON + timedelta(seconds=seconds))
        async with noon.transaction() as db:
            deleted.append(await LIMITER.purge(db, batch=10))
        left.append(sorted(await column(noon, select(ThrottleRow.subject))))
    assert deleted == [0, 1, 0, 1]
    assert left == [["ada", "bob"], ["bob"], ["bob"], []]


async def test_purge_deletes_a_batch_at_once(noon: Database, set_clock: SetClock) -> None:
    for number in range(3):
        await count(noon, Limit(str(number), attempts=1, name="tries", window=60))
    set_clock(NOON + timedelta(seconds=61))
    async with noon.transaction() as db:
        assert [await LIMITER.purge(db, batch=2) for _ in range(3)] == [2, 1, 0]


def test_subject_is_a_hash_by_the_key_the_kind_and_who_it_is() -> None:
    subjects = {
        limiter(key).subject(kind, who)
        for key in (b"a key", b"another key")
        for kind in ("sign-in", "proof")
        for who in ("ada", "bob")
    }
    assert len(subjects) == 8
    assert {len(subject) for subject in subjects} == {64}
    assert LIMITER.subject("proof", "ada") in subjects
