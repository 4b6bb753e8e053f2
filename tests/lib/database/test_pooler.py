"""Behind a pooler that lends PostgreSQL by transactions: nothing is left with one server."""

import asyncio
from collections.abc import Iterator

import asyncpg
import pytest

from gql_app.lib.database import Database, Query, Transaction, insert_or_ignore
from gql_app.lib.database.errors import ConnectionLost
from tests.lib.database.people import (
    INSERT,
    NAMES,
    ONE,
    PID,
    SLEEP,
    PersonRow,
    make_table,
    once,
    person,
)
from tests.lib.database.test_urls import PREPARED
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


async def test_pooler_is_found_by_the_first_connection(pooler: Pooler) -> None:
    database = Database(pooler.url)
    asking = asyncio.gather(*(database.fetch_one(PID) for _ in range(CROWD)))
    writing = asyncio.gather(*(database.transact(where) for _ in range(CROWD)))
    await database.probe(ONE)
    await asyncio.gather(asking, writing)
    assert database.is_pooled
    assert await database.has_pooler()
    await database.close()


async def test_without_a_pooler_statements_stay_prepared(postgresql_url: str) -> None:
    database = Database(postgresql_url)
    assert not await database.has_pooler()
    assert await database.fetch_all(PREPARED)
    await database.close()


@pytest.mark.parametrize("size", [SERVERS, CROWD])
async def test_statements_that_were_left_behind_are_sent_again_without_names(
    postgresql_url: str, size: int
) -> None:
    """As 26000 tells: nothing was done by them, and a transaction begins anew as a whole."""
    with pooling(postgresql_url, size=size) as pooler:
        database = Database(pooler.url, prepared=True)
        await make_table(database)
        tries: list[int] = []

        async def write(transaction: Transaction, number: int) -> None:
            tries.append(number)
            await transaction.execute(INSERT, **person(f"Ada {number}"))
            assert await transaction.fetch_one(PID) == await transaction.fetch_one(PID)

        asking = asyncio.gather(*(database.fetch_one(PID) for _ in range(CROWD)))
        await asyncio.gather(asking, *(database.transact(write, each) for each in range(CROWD)))
        assert len(await database.fetch_all(NAMES)) == CROWD
        assert await database.has_pooler()
        assert len(tries) >= CROWD
        await database.close()


async def test_transaction_of_one_try_is_not_repeated(pooler: Pooler) -> None:
    database = Database(pooler.url, prepared=True)
    await database.transact(where)
    with pytest.raises(ConnectionLost, match="can't be reached"):
        await once(database, where)
    assert await once(database, where)
    assert await database.has_pooler()
    await database.close()


async def test_name_that_another_process_gave_is_given_up(postgresql_url: str) -> None:
    """As 42P05 tells, which is how a start behind such a pooler failed."""
    direct = await asyncpg.connect(postgresql_url)
    last = int((await direct.prepare("SELECT 1")).get_name().strip("_").rpartition("_")[2], 16)
    await direct.close()
    with pooling(postgresql_url, size=1) as pooler:
        other = await asyncpg.connect(pooler.url, statement_cache_size=0)
        for number in range(last, last + 20):
            await other.execute(f"PREPARE __asyncpg_stmt_{number:x}__ AS SELECT 'another'")
        await other.close()
        database = Database(pooler.url, prepared=True)
        assert [tuple(row) for row in await database.probe(ONE)] == [(1,)]
        assert database.is_pooled
        assert await database.transact(where) == await database.fetch_one(PID)
        await database.close()
