"""A pool: how many connections are out and waited for, and who gets the next one."""

import asyncio
from typing import Any

import pytest

from gql_app.lib.database import Busy
from gql_app.lib.database.pool import Pool


class Idle:
    """A connection that begins a transaction, and is free at once."""

    begin = "BEGIN"
    is_free = is_open = True

    async def execute(self, sql: str, bound: object) -> int:
        """Begin."""
        assert (sql, bound) == ("BEGIN", ())
        return 0


@pytest.fixture(params=[None, "lock"])
def lock(request: pytest.FixtureRequest) -> asyncio.Lock | None:
    """Have transactions go side by side, or one after the other."""
    return asyncio.Lock() if request.param else None


def pool_of(size: int, timeout: float, lock: asyncio.Lock | None = None) -> Pool:
    """Return a pool of connections to nowhere."""
    connect: Any = Idle
    return Pool(connect, size, timeout, lock=lock)


def counts(pool: Pool) -> tuple[int, int]:
    """Return how many connections are out and waited for."""
    return pool.use["in_use"], pool.waiting


async def test_connections_are_counted_also_of_who_gives_up(lock: asyncio.Lock | None) -> None:
    pool = pool_of(1, 10, lock)
    connection = await pool.begin()
    waiting = asyncio.create_task(pool.begin())
    await asyncio.sleep(0)
    assert counts(pool) == (1, 1)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert counts(pool) == (1, 0)
    pool.release(connection)
    assert counts(pool) == (0, 0)
    assert await pool.begin() is connection


@pytest.mark.parametrize("size", [1, 4])
async def test_a_connection_is_handed_to_who_waits_longest(size: int) -> None:
    pool, served = pool_of(size, 10, asyncio.Lock()), list[str]()
    first = await pool.begin()

    async def wait(name: str) -> None:
        connection = await pool.begin()
        served.append(name)
        await asyncio.sleep(0)
        pool.release(connection)

    waiting = [asyncio.create_task(wait(name)) for name in "abc"]
    await asyncio.sleep(0)
    waiting[0].cancel()
    pool.release(first)
    await wait("d")
    await asyncio.wait(waiting)
    assert served == ["b", "c", "d"]
    assert counts(pool) == (0, 0)


async def test_a_connection_that_comes_too_late_is_handed_on(lock: asyncio.Lock | None) -> None:
    pool = pool_of(1, 10, lock)
    connection = await pool.begin()
    gone, next_one = (asyncio.create_task(pool.begin()) for _ in range(2))
    await asyncio.sleep(0)
    pool.release(connection)  # to the first, who is told to go before it can take it
    gone.cancel()
    await asyncio.wait([gone, next_one])
    assert gone.cancelled()
    assert await next_one is connection
    assert counts(pool) == (1, 0)


async def test_nobody_waits_longer_than_their_patience(
    lock: asyncio.Lock | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = pool_of(1, 0.01, lock)
    connection = await pool.begin()
    with pytest.raises(Busy):
        await pool.begin()
    assert counts(pool) == (1, 0)
    monkeypatch.setattr("gql_app.lib.database.pool.BUSY_TIMEOUT", 0.01)
    pool = pool_of(2, 10, lock := asyncio.Lock())
    connection = await pool.begin()
    with pytest.raises(Busy):
        await pool.begin()
    assert (counts(pool), lock.locked()) == ((1, 0), True)
    pool.release(connection)
    assert (counts(pool), lock.locked()) == ((0, 0), False)


async def test_it_is_drained_when_all_connections_are_back_or_after_a_time() -> None:
    pool = pool_of(2, 0.01)
    await pool.begin()
    await pool.drain(0.05)
    pool = pool_of(2, 0.01)
    connection = await pool.begin()
    draining = asyncio.create_task(pool.drain(60))
    await asyncio.sleep(0.05)
    assert not draining.done()
    pool.release(connection)
    await draining
    with pytest.raises(Busy):
        await pool.begin()
