"""How many connections are in use, idle and waited for."""

import asyncio

from gql_app.accounts import customers
from gql_app.db.engine import Database
from gql_app.db.turns import Turns
from tests.people import add_customer
from tests.slow import slow_down, speed_up


async def until(database: Database, *, in_use: int, waiting: int) -> None:
    """Wait until connections to read with are used like this."""
    async with asyncio.timeout(10):
        while not {"in_use": in_use, "waiting": waiting}.items() <= database.use["read"].items():  # noqa: ASYNC110 — a pool sends no event
            await asyncio.sleep(0.01)


async def test_turns_are_counted_also_of_who_gives_up() -> None:
    turns = Turns(1, 10)
    await turns.acquire()
    waiting = asyncio.create_task(turns.acquire())
    await asyncio.sleep(0)
    assert (turns.taken, turns.waiting) == (1, 1)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert (turns.taken, turns.waiting) == (1, 0)
    turns.release()
    assert (turns.taken, turns.waiting, turns.locked()) == (0, 0, False)


async def test_who_waits_for_a_connection_is_counted(database_url: str) -> None:
    database = Database(database_url, connections=1)
    row = await add_customer(database, "Ada Plain")
    await slow_down(database, "customers")

    async def ask() -> None:
        async with database.read() as db:
            await customers.by_id(db, row.id)

    asking = [asyncio.create_task(ask()) for _ in range(3)]
    await until(database, in_use=1, waiting=2)
    for task in asking:
        task.cancel()
    await asyncio.wait(asking)
    await until(database, in_use=0, waiting=0)
    await speed_up(database, "customers")
    await database.close()


async def test_connections_to_write_with_are_counted(database: Database) -> None:
    async with database.write() as db:
        await db.connection()
        assert database.use["write"] == {"in_use": 1, "idle": 0}
    assert database.use["write"] == {"in_use": 0, "idle": 1}
