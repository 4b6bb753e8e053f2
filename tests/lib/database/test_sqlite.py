"""SQLite: at once or by a thread, no longer than anybody waits, and one writer after the other."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Integer, func, literal_column, select, text

from gql_app.lib.database import (
    Busy,
    Database,
    Query,
    StatementError,
    Transaction,
    Unavailable,
    sqlite_file,
)
from gql_app.lib.database import sqlite as connection
from tests.lib.database.people import COUNT, NAMES, ONE, PATIENCE, add, make_table, past, until

SIZE = 2


def counted(most: int) -> Query[int]:
    """Return a query by which SQLite counts, one by one."""
    numbers = select(literal_column("1", Integer()).label("n")).cte("numbers", recursive=True)
    more = select(numbers.c.n + 1).where(numbers.c.n < most)
    numbers = numbers.union_all(more)
    return Query(select(func.count()).select_from(numbers), lambda row: int(row[0]))


COUNTED = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000000)
SELECT count(*) FROM n
"""
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

LONG_COUNT = 60_000
AT_ONCE, SHORT, LONG, ENDLESS = map(counted, (10, 300, LONG_COUNT, 10**12))
WRITING_ENDLESSLY = text(
    "INSERT INTO people SELECT n, 'x', NULL, 1, 'x', '[]', NULL FROM (WITH RECURSIVE c(n) AS "
    "(SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n FROM c)"
)


async def test_it_writes_ahead_and_checks_references_and_only_writers_write(
    sqlite: Database,
) -> None:
    assert await sqlite.fetch_all(text("PRAGMA query_only")) == [(1,)]
    async with sqlite.transaction() as transaction:
        for reader in (sqlite, transaction):
            assert await reader.fetch_all(text("PRAGMA journal_mode")) == [("wal",)]
            assert await reader.fetch_all(text("PRAGMA synchronous")) == [(2,)]
        assert await transaction.fetch_all(text("PRAGMA foreign_keys")) == [(1,)]
        assert await transaction.fetch_all(text("PRAGMA query_only")) == [(0,)]


async def test_short_and_long_questions_are_answered(sqlite: Database) -> None:
    for _ in range(3):
        assert await sqlite.fetch_all(AT_ONCE) == [10]
        assert await sqlite.fetch_all(LONG) == [LONG_COUNT]


async def test_a_short_question_is_never_handed_to_a_thread(sqlite: Database) -> None:
    """SQLite counts its steps on from one run to the next, and looks up after so many."""
    await sqlite.fetch_all(SHORT)  # opens the connection
    for _ in range(100):
        with pytest.raises(StopIteration) as answered:
            sqlite.fetch_all(SHORT).send(None)
        assert answered.value.value == [300]


async def test_loop_goes_on_beside_a_long_question(sqlite: Database) -> None:
    task = asyncio.create_task(sqlite.fetch_all(ENDLESS))
    for _ in range(100):
        assert await sqlite.fetch_all(AT_ONCE) == [10]
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_cancelled_question_ends_and_gives_its_connection_back(sqlite: Database) -> None:
    async with asyncio.timeout(PATIENCE):
        for _ in range(3):
            tasks = [asyncio.create_task(sqlite.fetch_all(ENDLESS)) for _ in range(4 * SIZE)]
            await asyncio.sleep(0)
            assert sqlite.use["read"]["in_use"] == SIZE
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(each, asyncio.CancelledError) for each in ended)
            long = await asyncio.gather(*(sqlite.fetch_all(LONG) for _ in range(2 * SIZE)))
            assert long == [[LONG_COUNT]] * (2 * SIZE)


@pytest.mark.parametrize("way", ["reading", "writing"])
async def test_cancelled_statement_of_a_transaction_ends_and_is_rolled_back(
    sqlite: Database, way: str
) -> None:
    async def go_on(transaction: Transaction) -> None:
        await add(transaction, "Ada")
        begun.set()
        if way == "reading":
            await transaction.fetch_all(ENDLESS)
        await transaction.execute(WRITING_ENDLESSLY)

    async with asyncio.timeout(PATIENCE):
        for _ in range(3):
            begun = asyncio.Event()
            task = asyncio.create_task(sqlite.transact(go_on))
            await begun.wait()
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await sqlite.transact(add, "Bob")
    assert await sqlite.fetch_all(NAMES) == ["Bob"]


async def test_loop_goes_on_beside_a_long_write(sqlite: Database) -> None:
    async def go_on(transaction: Transaction) -> None:
        task = asyncio.create_task(transaction.execute(WRITING_ENDLESSLY))
        for _ in range(100):
            assert await sqlite.fetch_all(COUNT) == [0]
        assert not task.done()
        with pytest.raises(RuntimeError, match="one statement at a time"):
            await transaction.fetch_all(ONE)
        task.cancel()
        await asyncio.wait([task])

    with pytest.raises(StatementError, match="was cancelled"):
        await sqlite.transact(go_on)
    await sqlite.transact(add, "Ada")
    assert await sqlite.fetch_all(NAMES) == ["Ada"]


async def test_transaction_is_over_when_its_block_is(database: Database) -> None:
    async with database.transaction() as transaction:
        await add(transaction, "Ada")
    with pytest.raises(RuntimeError, match="until its block ends"):
        await transaction.fetch_all(NAMES)


async def test_error_leaves_the_connection_as_it_was(sqlite: Database) -> None:
    nowhere = Query(select(text("x")).select_from(text("nowhere")), tuple)
    for _ in range(3 * SIZE):
        with pytest.raises(StatementError, match="nowhere"):
            await sqlite.fetch_all(nowhere)
    assert await sqlite.fetch_all(AT_ONCE) == [10]


async def test_nothing_is_written_by_what_reads(sqlite: Database) -> None:
    await sqlite.transact(add, "Ada")
    with pytest.raises(Unavailable, match=r"takes no changes"):
        await sqlite.fetch_all(text("DELETE FROM people"))
    assert await sqlite.fetch_all(NAMES) == ["Ada"]


async def test_reader_waits_for_a_file_that_is_locked(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    await make_table(database)
    await database.transact(add, "Ada")
    await database.close()
    database = Database(sqlite_url)
    with closing(sqlite3.connect(sqlite_file(sqlite_url), isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        task = asyncio.create_task(database.fetch_all(NAMES))
        for _ in range(10):
            await asyncio.sleep(0.01)
        assert not task.done()
        other.execute("COMMIT")
    assert await task == ["Ada"]
    await database.close()


async def test_writer_waits_for_another_process_and_no_longer_than_its_caller(
    sqlite: Database, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(sqlite3.connect(sqlite_file(sqlite_url), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        tasks = [asyncio.create_task(sqlite.transact(add, name)) for name in ("Ada", "Bob")]
        await until(lambda: sqlite.use["write"]["in_use"] == SIZE)
        assert await sqlite.fetch_all(NAMES) == []
        tasks[0].cancel()
        assert await asyncio.wait([tasks[0]], timeout=PATIENCE) == ({tasks[0]}, set())
        assert not tasks[1].done()
        other.execute("COMMIT")
        await tasks[1]
        other.execute("BEGIN IMMEDIATE")
        monkeypatch.setattr(connection, "BUSY_TIMEOUT", 0.05)
        with pytest.raises(Busy):
            await sqlite.transact(add, "Eve")
        other.execute("COMMIT")
    await sqlite.transact(add, "Ida")
    assert await sqlite.fetch_all(NAMES) == ["Bob", "Ida"]


async def test_reader_waits_while_another_process_recovers_the_log(
    sqlite: Database, sqlite_url: str
) -> None:
    with subprocess.Popen(  # noqa: ASYNC220, S603 — a program of our own, that is there at once
        [sys.executable, "-c", RECOVERING, str(sqlite_file(sqlite_url))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await sqlite.fetch_all(NAMES)
    assert await sqlite.fetch_all(NAMES) == []
    await sqlite.probe(ONE)


async def test_file_that_is_away_is_unavailable_until_it_is_there(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'away' / 'test.db'}"
    database = Database(url)
    for _ in range(2):
        with pytest.raises(Unavailable) as why:
            await database.fetch_all(ONE)
        assert "unable to open" in why.value.cause
        with pytest.raises(Unavailable):
            await database.transact(add, "Ada")
    (tmp_path / "away").mkdir()
    await make_table(database)
    assert await database.fetch_all(COUNT) == [0]
    await database.close()


async def test_close_releases_the_file_and_ends_what_is_asked(
    sqlite: Database, tmp_path: Path
) -> None:
    await sqlite.transact(add, "Ada")
    await asyncio.gather(*(sqlite.fetch_all(LONG) for _ in range(3)))
    task = asyncio.create_task(sqlite.fetch_all(ENDLESS))
    await asyncio.sleep(0)
    await sqlite.close()
    with pytest.raises(StatementError, match="interrupted"):
        await task
    assert [file.name for file in [*tmp_path.iterdir()]] == ["test.db"]  # noqa: ASYNC240 — a look at one folder


async def test_what_runs_is_ended_before_the_file_is_closed(
    sqlite: Database, sqlite_url: str
) -> None:
    tasks = [asyncio.create_task(sqlite.transact(add, str(number))) for number in range(SIZE)]
    await asyncio.sleep(0)
    await sqlite.close()
    await asyncio.gather(*tasks)
    assert len(await past(sqlite_url, "SELECT name FROM people")) == SIZE


async def test_what_is_closed_runs_no_longer(tmp_path: Path) -> None:
    closed = connection.SqliteConnection(str(tmp_path / "a.db"), "query_only")
    running = asyncio.create_task(closed.fetch(COUNTED, ()))
    await until(lambda: closed.is_open)
    [thread] = [each for each in threading.enumerate() if each.name.startswith("query_only")]
    await closed.close()
    assert not thread.is_alive()
    with pytest.raises((StatementError, Unavailable, sqlite3.Error)):
        await running
