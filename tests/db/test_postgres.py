"""Reading from PostgreSQL: few connections, lent in turn, and given up when they are lost."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy import Float, bindparam, column, func, select, table, text
from sqlalchemy.dialects.postgresql import INTEGER

from gql_app.db.postgres import PostgresReader, Servers
from gql_app.lib.database import ConnectionLost, Database, Query
from tests.databases import Postgres

SIZE = 3
PATIENCE = 30
PID: Query[int] = Query(select(func.pg_backend_pid(type_=INTEGER)), lambda row: int(row[0]))
SLEEP = Query(
    select(func.pg_backend_pid(type_=INTEGER), func.pg_sleep(bindparam("seconds", type_=Float()))),
    lambda row: int(row[0]),
)
NOWHERE = Query(select(table("nowhere", column("x")).c.x), tuple)
ACTIVITY = """
SELECT pid, state FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND query NOT LIKE '%pg_stat%'
"""


@pytest.fixture
async def database(postgres: Postgres) -> AsyncIterator[Database]:
    """Open an empty PostgreSQL database with few connections to read with."""
    with postgres.copied() as url:
        database = Database(url, connections=SIZE)
        yield database
        await database.close()


@pytest.fixture
async def reader(database: Database) -> AsyncIterator[PostgresReader]:
    """Lend the handle to read with."""
    assert isinstance(database, PostgresReader)
    yield database


async def activity(database: Database) -> dict[int, str]:
    """Tell what each of the other connections is doing."""
    return {row.pid: row.state for row in await database.fetch_all(text(ACTIVITY))}


async def until_at_work(database: Database, count: int) -> set[int]:
    """Wait until so many statements are at work, and tell by which connections."""
    async with asyncio.timeout(PATIENCE):
        while True:
            at_work = {pid for pid, state in (await activity(database)).items() if state != "idle"}
            if len(at_work) == count:
                return at_work
            await asyncio.sleep(0.01)


async def until_gone(database: Database, pids: set[int]) -> None:
    """Wait until connections are there no more."""
    async with asyncio.timeout(PATIENCE):
        while pids & (await activity(database)).keys():  # noqa: ASYNC110 — an end sends no event
            await asyncio.sleep(0.01)


async def cancel(*tasks: asyncio.Task[list[int]]) -> None:
    """Cancel tasks, and see them end by it."""
    for task in tasks:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(each, asyncio.CancelledError) for each in ended)


async def terminate(database: Database, pids: set[int]) -> None:
    """End connections from the server's side."""
    for pid in pids:
        await database.fetch_all(text("SELECT pg_terminate_backend(:pid)"), pid=pid)
    await until_gone(database, pids)


async def test_questions_one_by_one_share_a_connection(reader: PostgresReader) -> None:
    assert len({(await reader.fetch_all(PID))[0] for _ in range(5)}) == 1


async def test_no_more_connections_are_opened_than_were_granted(
    database: Database, reader: PostgresReader
) -> None:
    pids = await asyncio.gather(*(reader.fetch_all(SLEEP, seconds=0.01) for _ in range(20)))
    assert len({pid for (pid,) in pids}) == SIZE
    assert len(await activity(database)) == SIZE


async def test_who_finds_all_connections_out_is_served_in_turn(
    database: Database, reader: PostgresReader
) -> None:
    tasks = [asyncio.create_task(reader.fetch_all(SLEEP, seconds=100)) for _ in range(SIZE)]
    await until_at_work(database, SIZE)
    served: list[int] = []

    async def ask(number: int) -> None:
        await reader.fetch_all(PID)
        served.append(number)

    line = [asyncio.create_task(ask(number)) for number in range(10)]
    await asyncio.sleep(0)
    line[3].cancel()
    await cancel(tasks[0])
    await asyncio.gather(*line, return_exceptions=True)
    assert served == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    await cancel(*tasks[1:])


async def test_cancelled_statement_ends_on_the_server_and_its_connection_too(
    database: Database, reader: PostgresReader
) -> None:
    tasks = [asyncio.create_task(reader.fetch_all(SLEEP, seconds=100)) for _ in range(SIZE)]
    pids = await until_at_work(database, SIZE)
    await cancel(*tasks)
    [pid] = await reader.fetch_all(PID)
    assert pid not in pids
    await until_gone(database, pids)


async def test_connection_that_was_closed_while_idle_is_replaced(
    database: Database, reader: PostgresReader
) -> None:
    asked = await asyncio.gather(*(reader.fetch_all(SLEEP, seconds=0.01) for _ in range(SIZE)))
    pids = {pid for (pid,) in asked}
    await terminate(database, pids)
    [again] = await reader.fetch_all(PID)
    assert again not in pids


async def test_question_whose_connection_dies_is_asked_once_more(
    database: Database, reader: PostgresReader
) -> None:
    task = asyncio.create_task(reader.fetch_all(SLEEP, seconds=1))
    [first] = await until_at_work(database, 1)
    await terminate(database, {first})
    [second] = await task
    assert second != first


async def test_question_whose_connection_dies_each_time_is_given_up(
    database: Database, reader: PostgresReader
) -> None:
    task = asyncio.create_task(reader.fetch_all(SLEEP, seconds=100))
    tries = set()
    async with asyncio.timeout(PATIENCE):
        while not task.done():
            at_work = {pid for pid, state in (await activity(database)).items() if state != "idle"}
            await terminate(database, at_work)
            tries |= at_work
    with pytest.raises(ConnectionLost) as why:
        await task
    assert "terminating connection" in why.value.cause
    assert len(tries) > 2
    assert await reader.fetch_all(PID)


async def test_connection_that_is_out_is_forgotten_as_well(
    database: Database, reader: PostgresReader
) -> None:
    task = asyncio.create_task(reader.fetch_all(SLEEP, seconds=0.5))
    out = await until_at_work(database, 1)
    reader.forget()
    assert set(await task) == out
    assert set(await reader.fetch_all(PID)).isdisjoint(out)


async def test_statement_that_fails_leaves_its_connection_as_it_was(
    reader: PostgresReader,
) -> None:
    [pid] = await reader.fetch_all(PID)
    for _ in range(2 * SIZE):
        with pytest.raises(asyncpg.UndefinedTableError):
            await reader.fetch_all(NOWHERE)
    assert await reader.fetch_all(PID) == [pid]


async def test_what_was_prepared_before_a_migration_is_prepared_anew(
    database: Database, reader: PostgresReader
) -> None:
    everything = Query(select(text("*")).select_from(text("places")), tuple)

    async def change(statement: str) -> None:
        async with database.transaction() as db:
            await db.execute(text(statement))

    await change("CREATE TABLE places (x int)")
    assert await reader.fetch_all(everything) == []
    await change("ALTER TABLE places ALTER x TYPE text, ADD y int")
    await change("INSERT INTO places VALUES ('here', 7)")
    assert await reader.fetch_all(everything) == [("here", 7)]


async def test_server_that_is_not_there_is_unavailable() -> None:
    reader = PostgresReader(Servers("postgresql://nobody:secret@127.0.0.1:1/postgres"), 1, 5)
    with pytest.raises(ConnectionLost) as why:
        await reader.fetch_all(PID)
    assert why.value.cause.startswith("ConnectionRefusedError")
    await reader.close()


async def test_close_ends_every_connection(database: Database, reader: PostgresReader) -> None:
    asked = await asyncio.gather(*(reader.fetch_all(SLEEP, seconds=0.01) for _ in range(SIZE)))
    await reader.close()
    await until_gone(database, {pid for (pid,) in asked})
