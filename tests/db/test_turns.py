"""How many connections are in use, idle and waited for."""

import asyncio

import pytest

from gql_app.accounts import customers
from gql_app.db.turns import Turns
from gql_app.lib.database import Busy, Database
from tests.people import add_customer
from tests.slow import slow_down, speed_up


async def until(database: Database, *, in_use: int, waiting: int) -> None:
    """Wait until connections to read with are used like this."""
    async with asyncio.timeout(10):
        while not {"in_use": in_use, "waiting": waiting}.items() <= database.use["read"].items():  # noqa: ASYNC110 — a pool sends no event
            await asyncio.sleep(0.01)


async def test_turns_are_counted_also_of_who_gives_up() -> None:
    turns = Turns(1, 10)
    assert turns.take()
    assert not turns.take()
    waiting = asyncio.create_task(turns.await_one())
    await asyncio.sleep(0)
    assert (turns.taken, turns.waiting) == (1, 1)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert (turns.taken, turns.waiting) == (1, 0)
    turns.give_back()
    assert (turns.taken, turns.waiting) == (0, 0)
    assert turns.take()


async def test_a_turn_is_handed_to_who_waits_longest() -> None:
    turns, served = Turns(1, 10), []
    turns.take()

    async def wait(name: str) -> None:
        await turns.await_one()
        served.append(name)
        turns.give_back()

    waiting = [asyncio.create_task(wait(name)) for name in "abc"]
    await asyncio.sleep(0)
    waiting[0].cancel()
    turns.give_back()
    assert not turns.take(), "it was handed on"
    await asyncio.wait(waiting)
    assert served == ["b", "c"]
    assert turns.take()


async def test_a_turn_that_comes_too_late_is_handed_on() -> None:
    turns = Turns(1, 10)
    turns.take()
    gone, next_one = (asyncio.create_task(turns.await_one()) for _ in range(2))
    await asyncio.sleep(0)
    turns.give_back()  # to the first, who is told to go before it can take it
    gone.cancel()
    await asyncio.wait([gone, next_one])
    assert gone.cancelled()
    assert next_one.exception() is None
    assert (turns.taken, turns.waiting) == (1, 0)


async def test_nobody_waits_longer_than_their_patience() -> None:
    turns = Turns(1, 0.01)
    turns.take()
    with pytest.raises(Busy):
        await turns.await_one()
    assert turns.waiting == 0


async def test_who_waits_for_a_connection_is_counted(database_url: str) -> None:
    database = Database(database_url, connections=1)
    row = await add_customer(database, "Ada Plain")
    await slow_down(database, "customers")

    async def ask() -> None:
        await customers.by_id(database, row.id)

    asking = [asyncio.create_task(ask()) for _ in range(3)]
    await until(database, in_use=1, waiting=2)
    for task in asking:
        task.cancel()
    await asyncio.wait(asking)
    await until(database, in_use=0, waiting=0)
    await speed_up(database, "customers")
    await database.close()


async def test_connections_to_write_with_are_counted(database: Database) -> None:
    async with database.transaction() as db:
        await db.connection()
        assert database.use["write"] == {"in_use": 1, "idle": 0}
    assert database.use["write"] == {"in_use": 0, "idle": 1}
