"""Deeds: done all or not at all, whoever races with them and whatever befalls their connection."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Integer, Text, Uuid, bindparam, func, select, text, update

from gql_app.db.deeds import Deed
from gql_app.db.faults import DRIVERS
from gql_app.db.tables import CustomerRow, LetterRow
from gql_app.lib.database import CommitOutcomeUnknown, Database, Moment
from gql_app.lib.ids import new_id
from tests.accounts.rows import START, StoredCustomer, customer, store
from tests.databases import Postgres, copied_sqlite
from tests.db.test_faults import ONE, rename
from tests.db.test_postgres import PATIENCE, terminate
from tests.locks import until_it_waits
from tests.rows import column, get_row

WRITE = Deed(
    LetterRow,
    select(
        bindparam("id", type_=Uuid()).label("id"),
        bindparam("kind", type_=Text()).label("kind"),
        CustomerRow.id.label("customer_id"),
        bindparam("attempts", type_=Integer()).label("attempts"),
        bindparam("due_at", type_=Moment()).label("due_at"),
    ).where(
        CustomerRow.id == bindparam("customer_id", type_=Uuid()),
        CustomerRow.name == bindparam("named", type_=Text()),
    ),
    lambda letter: [
        update(CustomerRow)
        .where(CustomerRow.id.in_(select(letter.c.customer_id)))
        .values(phone=bindparam("number", type_=Text()))
    ],
)
"""Writes a letter to a customer of some name, and notes how many there are."""
WAITING = "SELECT pid FROM pg_locks WHERE NOT granted"


@pytest.fixture
async def postgresql(postgres: Postgres) -> AsyncIterator[Database]:
    """Open an empty database on PostgreSQL, where one deed is done at a time."""
    with postgres.copied() as url:
        database = Database(url, connections=3, pool_timeout=1)
        yield database
        await database.close()


async def write(
    database: Database, row: StoredCustomer, *, named: str = "Ada", letter_id: UUID | None = None
) -> bool:
    """Write a letter to a customer, whose number is then 1."""
    return await database.do(
        WRITE,
        id=letter_id or new_id(),
        kind="note",
        customer_id=row.id,
        attempts=0,
        due_at=START,
        named=named,
        number="1",
    )


async def written(database: Database, row: StoredCustomer) -> tuple[int, str | None]:
    """Count the letters, and tell the customer's number."""
    letters = await database.execute(select(func.count()).select_from(LetterRow))
    return letters.scalar_one(), (await get_row(database, CustomerRow, row.id)).phone


async def test_deed_is_done_with_all_that_goes_with_it(database: Database) -> None:
    [row] = await store(database, [customer("Ada")])
    assert await asyncio.gather(*(write(database, row) for _ in range(4)))
    count, number = await written(database, row)
    assert number == "1"
    assert count > 0


async def test_deed_whose_row_is_made_of_nothing_does_nothing(database: Database) -> None:
    [row] = await store(database, [customer("Ada")])
    assert not await write(database, row, named="Bob")
    assert await written(database, row) == (0, None)


async def test_deed_within_a_transaction_ends_as_that_does(database: Database) -> None:
    [row] = await store(database, [customer("Ada")])
    values = {"id": new_id(), "kind": "note", "attempts": 0, "due_at": START, "number": "1"}
    async with database.transaction() as db:
        assert not await db.do(WRITE, **values, customer_id=row.id, named="Bob")
        assert await db.do(WRITE, **values, customer_id=row.id, named="Ada")
        await db.rollback()
    assert await written(database, row) == (0, None)


async def test_deed_waits_for_who_holds_what_it_is_about(database: Database) -> None:
    [row] = await store(database, [customer("Ada")])
    async with database.write() as holding:
        await rename(holding, row, "Bob")
        task = asyncio.create_task(write(database, row))
        await until_it_waits(holding, task)
        assert not task.done()
    assert not await task
    assert await written(database, row) == (0, None)


async def until_in_use(database: Database, count: int) -> None:
    """Wait until so many connections are at deeds."""
    async with asyncio.timeout(PATIENCE):
        while database._doer.use["in_use"] != count:  # noqa: ASYNC110, SLF001 — it sends no event
            await asyncio.sleep(0.01)


async def test_cancelled_deed_is_left_at_once_and_undone(database: Database) -> None:
    [row] = await store(database, [customer("Ada")])
    async with database.write() as holding:
        await rename(holding, row, "Ada")
        task = asyncio.create_task(write(database, row))
        await until_in_use(database, 1)
        await until_it_waits(holding, task)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until_in_use(database, 0)
    assert await written(database, row) == (0, None)
    assert await write(database, row)


async def test_deed_that_fails_leaves_nothing_and_holds_nothing(database: Database) -> None:
    [row] = await store(database, [customer("Ada")])
    letter_id = new_id()
    assert await write(database, row, letter_id=letter_id)
    async with database.transaction() as db:
        await db.execute(update(CustomerRow).values(phone=None))
    for _ in range(12):
        with pytest.raises(DRIVERS, match=r"(?i)unique"):
            await write(database, row, letter_id=letter_id)
    assert await written(database, row) == (1, None)
    assert await write(database, row)


async def test_fate_of_a_deed_whose_connection_dies_is_unknown(postgresql: Database) -> None:
    [row] = await store(postgresql, [customer("Ada")])
    async with postgresql.write() as holding:
        await rename(holding, row, "Ada")
        task = asyncio.create_task(write(postgresql, row))
        await until_it_waits(holding, task)
        await terminate(postgresql, set(await column(holding, text(WAITING))))
        with pytest.raises(CommitOutcomeUnknown):
            await task
    assert await written(postgresql, row) == (0, None)
    assert await write(postgresql, row)


async def test_deed_is_not_done_by_a_connection_that_died_before(postgresql: Database) -> None:
    [row] = await store(postgresql, [customer("Ada")])
    assert await write(postgresql, row)
    doing = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'WITH made%'"
    pids = set(await column(postgresql, text(doing)))
    await terminate(postgresql, pids)
    assert not await write(postgresql, row)
    assert await write(postgresql, row)
    assert (await written(postgresql, row))[0] == 2


@pytest.mark.parametrize(
    "option",
    ["default_transaction_read_only=on", "default_transaction_isolation=serializable"],
)
async def test_deed_that_a_server_refuses_is_not_done(postgres: Postgres, option: str) -> None:
    with postgres.copied() as url:
        other, database = Database(url), Database(f"{url}&{option}")
        [row] = await store(other, [customer("Ada")])
        async with other.write() as holding:
            await rename(holding, row, "Ada")
            task = asyncio.create_task(write(database, row))
            await until_it_waits(holding, task)
        assert not await task
        assert await written(other, row) == (0, None)
        await database.close()
        await other.close()


async def test_deeds_that_hang_leave_connections_to_read_with(postgresql: Database) -> None:
    [row] = await store(postgresql, [customer("Ada")])
    async with postgresql.write() as holding, postgresql.read() as reader:
        await rename(holding, row, "Ada")
        task = asyncio.create_task(write(postgresql, row))
        await until_it_waits(holding, task)
        async with asyncio.timeout(PATIENCE):
            assert [await write(postgresql, row) for _ in range(3)] == [False] * 3
        assert len(await asyncio.gather(*(reader.fetch_all(ONE) for _ in range(8)))) == 8
        assert postgresql.use["read"]["in_use"] == 1
    assert await task


async def test_who_writes_to_sqlite_is_as_careful_in_a_deed(
    sqlite_template: Path, tmp_path: Path
) -> None:
    database = Database(copied_sqlite(sqlite_template, tmp_path))
    [row] = await store(database, [customer("Ada")])
    assert await write(database, row)
    assert database.use["write"] == {"in_use": 0, "idle": 2}
    [connection] = database._doer._idle  # noqa: SLF001 — nobody else asks it
    async with database.transaction() as db:
        for pragma in ("synchronous", "foreign_keys", "journal_mode", "fullfsync", "query_only"):
            statement = f"PRAGMA {pragma}"
            assert connection.fetch(statement, []) == [
                tuple(each) for each in await db.execute(text(statement))
            ]
    await database.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.fetch("SELECT 1", [])
