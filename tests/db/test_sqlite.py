"""Reading from SQLite: at once or by a thread, and no longer than anybody waits."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Integer, func, literal_column, select, text

from gql_app.db.sqlite import SqliteReader
from gql_app.db.tables import CustomerRow
from gql_app.lib.database import Database, Query
from tests.accounts.rows import customer, store
from tests.databases import copied_sqlite

SIZE = 2
PATIENCE = 30


def counted(most: int) -> Query[int]:
    """Ask SQLite to count, one by one."""
    numbers = select(literal_column("1", Integer()).label("n")).cte("numbers", recursive=True)
    more = select(numbers.c.n + 1).where(numbers.c.n < most)
    numbers = numbers.union_all(more)
    return Query(select(func.count()).select_from(numbers), lambda row: int(row[0]))


RECOVERING = """
import fcntl, pathlib, sys
file = pathlib.Path(sys.argv[1])
with file.open("rb") as data, file.with_name(file.name + "-shm").open("w+b") as index:
    index.write(bytes(range(256)) * 128)
    index.flush()
    fcntl.lockf(data, fcntl.LOCK_SH, 510, 0x40000002)
    fcntl.lockf(index, fcntl.LOCK_SH, 1, 128)
    for lock in (120, 122):
        fcntl.lockf(index, fcntl.LOCK_EX, 1, lock)
    print("held", flush=True)
    sys.stdin.read()
"""
"""Holds the locks of who reads a file, and recovers its log (SQLite, fileformat2 and walformat)."""

AT_ONCE, SHORT, LONG, ENDLESS = counted(10), counted(300), counted(300_000), counted(10**12)
NAMES = Query(select(CustomerRow.name), lambda row: str(row[0]))


@pytest.fixture
async def database(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[Database]:
    """Open an empty SQLite file with few connections to read with."""
    database = Database(copied_sqlite(sqlite_template, tmp_path), connections=SIZE)
    yield database
    await database.close()


@pytest.fixture
async def reader(database: Database) -> AsyncIterator[SqliteReader]:
    """Lend the handle to read with."""
    assert isinstance(database, SqliteReader)
    yield database


async def test_short_and_long_questions_are_answered(reader: SqliteReader) -> None:
    for _ in range(3):
        assert await reader.fetch_all(AT_ONCE) == [10]
        assert await reader.fetch_all(LONG) == [300_000]


async def test_a_short_question_is_never_handed_to_a_thread(reader: SqliteReader) -> None:
    """SQLite counts its steps on from one run to the next, and looks up after so many."""
    await reader.fetch_all(SHORT)  # opens the connection
    for _ in range(100):
        with pytest.raises(StopIteration) as answered:
            reader.fetch_all(SHORT).send(None)
        assert answered.value.value == [300]


async def test_loop_goes_on_beside_a_long_question(reader: SqliteReader) -> None:
    task = asyncio.create_task(reader.fetch_all(ENDLESS))
    for _ in range(100):
        assert await reader.fetch_all(AT_ONCE) == [10]
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_cancelled_question_ends_and_gives_its_connection_back(
    reader: SqliteReader,
) -> None:
    async with asyncio.timeout(PATIENCE):
        for _ in range(3):
            tasks = [asyncio.create_task(reader.fetch_all(ENDLESS)) for _ in range(4 * SIZE)]
            await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(each, asyncio.CancelledError) for each in ended)
            long = await asyncio.gather(*(reader.fetch_all(LONG) for _ in range(2 * SIZE)))
            assert long == [[300_000]] * (2 * SIZE)


async def test_error_leaves_the_connection_as_it_was(reader: SqliteReader) -> None:
    nowhere = Query(select(text("x")).select_from(text("nowhere")), tuple)
    for _ in range(3 * SIZE):
        with pytest.raises(sqlite3.OperationalError, match="nowhere"):
            await reader.fetch_all(nowhere)
    assert await reader.fetch_all(AT_ONCE) == [10]


async def test_nothing_is_written_through_a_reader(
    database: Database, reader: SqliteReader
) -> None:
    await store(database, [customer("Ada")])
    assert await reader.fetch_all(NAMES) == ["Ada"]
    [connection] = reader._idle  # noqa: SLF001 — there is no other way to write through it
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.fetch("DELETE FROM customers", [])
    assert await reader.fetch_all(NAMES) == ["Ada"]


async def test_reader_waits_for_a_file_that_is_locked(
    database: Database, reader: SqliteReader, tmp_path: Path
) -> None:
    await store(database, [customer("Ada")])
    await database.engine.dispose()
    with sqlite3.connect(tmp_path / "test.db", isolation_level=None) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        task = asyncio.create_task(reader.fetch_all(NAMES))
        for _ in range(10):
            await asyncio.sleep(0.01)
        assert not task.done()
        other.execute("COMMIT")
    other.close()
    assert await task == ["Ada"]


async def test_reader_waits_while_another_process_recovers_the_log(
    database: Database, reader: SqliteReader, tmp_path: Path
) -> None:
    with subprocess.Popen(  # noqa: ASYNC220, S603 — a program of our own, that is there at once
        [sys.executable, "-c", RECOVERING, str(tmp_path / "test.db")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await reader.fetch_all(NAMES)
    assert await reader.fetch_all(NAMES) == []
    assert (await database.condition()).ready


async def test_close_releases_the_file_and_ends_what_is_asked(
    sqlite_template: Path, tmp_path: Path
) -> None:
    database = Database(copied_sqlite(sqlite_template, tmp_path))
    await store(database, [customer("Ada")])
    await asyncio.gather(*(database.fetch_all(LONG) for _ in range(3)))
    task = asyncio.create_task(database.fetch_all(ENDLESS))
    await asyncio.sleep(0)
    await database.close()
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        await task
    assert [file.name for file in [*tmp_path.iterdir()]] == ["test.db"]  # noqa: ASYNC240 — a look at one folder
