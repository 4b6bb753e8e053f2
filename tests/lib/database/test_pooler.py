"""Behind a pooler that lends PostgreSQL by transactions: nothing is left with one server."""

import asyncio
from collections.abc import Iterator

import pytest

from gql_app.lib.database import Database, Query, StatementError, Transaction, insert_or_ignore
from tests.lib.database.people import (
    INSERT,
    NAMES,
    ONE,
    PID,
    SLEEP,
    PersonRow,
    make_table,
    person,
)
from tests.pooler import Pooler, pooling

SERVERS = 2
CROWD = 12


@pytest.fixture
def pooler(postgresql_url: str) -> Iterator[Pooler]:
    """Put a pooler before a database, with few servers."""
    with pooling(postgresql_url, size=SERVERS) as pooler:
        yield pooler


async def where(transaction: Transaction) -> int | None:
    """Return which server a transaction is at; it stays there."""
    first = await transaction.fetch_one(PID)
    assert await transaction.fetch_one(PID) == first
    return first


async def test_queries_and_transactions_share_servers(pooler: Pooler) -> None:
    database = Database(pooler.url, prepared=False)
    asking = asyncio.gather(*(database.fetch_one(PID) for _ in range(CROWD)))
    writing = asyncio.gather(*(database.transact(where) for _ in range(CROWD)))
    await database.probe(ONE)
    assert 1 <= len({*await asking, *await writing}) <= SERVERS
    task = asyncio.create_task(database.fetch_all(SLEEP, seconds=100))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await asyncio.gather(*(database.fetch_all(PID) for _ in range(CROWD)))
    assert pooler.clients > SERVERS
    await database.close()


async def test_many_rows_are_written_without_named_statements(pooler: Pooler) -> None:
    database = Database(pooler.url, prepared=False)
    await make_table(database)
    names = Query(insert_or_ignore(PersonRow).returning(PersonRow.name), lambda row: str(row[0]))

    async def write(transaction: Transaction, number: int) -> list[str]:
        await transaction.execute(INSERT, **person(f"Ada {number}"))
        await transaction.execute_many(INSERT, [person(f"{name} {number}") for name in "BCD"])
        return await transaction.execute_many(names, [person(f"{name} {number}") for name in "EF"])

    written = await asyncio.gather(*(database.transact(write, number) for number in range(CROWD)))
    assert written == [[f"E {number}", f"F {number}"] for number in range(CROWD)]
    assert len(await database.fetch_all(NAMES)) == 6 * CROWD
    await database.close()


async def test_named_statements_are_left_behind_and_so_need_the_setting(pooler: Pooler) -> None:
    database = Database(pooler.url)
    assert await database.fetch_all(PID)
    with pytest.raises(StatementError, match="InvalidSQLStatementNameError"):
        await database.fetch_all(PID)
    await database.close()
