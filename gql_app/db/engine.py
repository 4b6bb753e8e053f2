"""The engine, and the two kinds of handle it gives: one to read, one to write."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

import asyncpg
from sqlalchemy import (
    AdaptedConnection,
    Connection,
    Select,
    String,
    column,
    delete,
    event,
    make_url,
    select,
    table,
    true,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from gql_app.db.postgres import CONNECT_TIMEOUT, PostgresReader, connect
from gql_app.db.questions import Question, Reader, T
from gql_app.db.sqlite import BUSY_TIMEOUT, SqliteReader
from gql_app.db.tables import REVISION, CustomerRow, Row
from gql_app.settings import SQLITE

CONNECTIONS: Final = 10
"""Connections that one process reads with; as many again write."""
BUSY_STEP_MS: Final = 500
"""Milliseconds that it waits at a time, for nothing ends a wait within SQLite sooner."""
_REVISION: Final = Question(
    select(table("alembic_version", column("version_num", String())).c.version_num),
    lambda row: str(row[0]),
)
_REACHABLE: Final = Question(select(true()), tuple)
_UNREACHABLE: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, sqlite3.Error)


class Writer(AsyncSession):
    """A handle for rules that write, which may read as well: a transaction."""

    async def ask(self, question: Question[T], /, **values: object) -> list[T]:
        """Ask a question within the transaction."""
        rows = await self.execute(question.statement, values)
        return [question.build(row) for row in rows]


class Database:
    """One database, opened for the life of the process."""

    def __init__(self, url: str, *, connections: int = CONNECTIONS) -> None:
        self.engine: Final = open_engine(url, connections=connections)
        opened = SqliteReader if url.startswith(SQLITE) else PostgresReader
        self._reader: Final = opened(url, connections)
        self._lent: Reader = self._reader
        self._writers = async_sessionmaker(self.engine, class_=Writer, expire_on_commit=False)

    def wrap(self, wrapped: Callable[[Reader], Reader]) -> None:
        """Lend another handle to read with, which asks by ours."""
        self._lent = wrapped(self._lent)

    def read(self) -> AbstractAsyncContextManager[Reader]:
        """Lend a handle to read with, which takes a connection for each question only."""
        return nullcontext(self._lent)

    @property
    def use(self) -> dict[str, dict[str, int]]:
        """How many connections are in use and idle, to read with and to write with."""
        pool = self.engine.pool
        assert isinstance(pool, QueuePool)  # noqa: S101 — for mypy
        writing = {"in_use": pool.checkedout(), "idle": pool.checkedin()}
        return {"read": self._reader.use, "write": writing}

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Writer]:
        """Lend a handle to write with; commit when the block ends, roll back if it raises."""
        async with self._writers.begin() as session:
            yield session
            await session.flush()  # here it can be cancelled still; to commit is to go through

    async def revision(self) -> str | None:
        """Tell which migration the database is at, or None if it has seen none."""
        await self._reader.ask(_REACHABLE)
        try:
            found = await self._reader.ask(_REVISION)
        except (asyncpg.UndefinedTableError, sqlite3.OperationalError):
            return None
        return found[0] if found else None

    async def faults(self) -> dict[str, str]:
        """Tell what keeps the database from being used; nothing if all is well."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                revision = await self.revision()
        except _UNREACHABLE:
            return {"database": "unreachable"}
        return {} if revision == REVISION else {"migrations": "pending"}

    async def close(self) -> None:
        """Close every connection."""
        await self._reader.close()
        await self.engine.dispose()


async def insert_unless_there(db: Writer, table: type[Row], **values: object) -> None:
    """Insert a row unless one has its key; of several that race, one does.

    Either way the row is held until the transaction ends, so that nobody deletes it meanwhile.
    """
    inserting = sqlite.insert if db.get_bind().dialect.name == "sqlite" else postgresql.insert
    insert = inserting(table).values(values)
    keys = [column.name for column in table.__table__.primary_key]
    itself = {key: insert.excluded[key] for key in keys}
    await db.execute(insert.on_conflict_do_update(index_elements=keys, set_=itself))


async def insert_new_customers(db: Writer, rows: Sequence[Mapping[str, object]]) -> set[UUID]:
    """Insert customers but for those whose id or address is taken, and tell the others' ids.

    Who races for one of them waits, and finds it taken; nothing raises.
    """
    if not rows:
        return set()
    inserting = sqlite.insert if db.get_bind().dialect.name == "sqlite" else postgresql.insert
    statement = inserting(CustomerRow).on_conflict_do_nothing().returning(CustomerRow.id)
    return set(await db.scalars(statement, rows))


async def delete_some(
    db: Writer,
    table: type[Row],
    key: InstrumentedAttribute[str] | InstrumentedAttribute[UUID],
    some: Select[str] | Select[UUID],
) -> int:
    """Delete the rows that a SELECT with a LIMIT finds by their keys, and tell how many."""
    deleted = await db.execute(delete(table).where(key.in_(some)).returning(key))
    return len(deleted.all())


def sqlite_file(url: str) -> Path:
    """Tell which file a `sqlite:///` URL means."""
    return Path(make_url(url).database or "")


def open_engine(url: str, *, connections: int = CONNECTIONS) -> AsyncEngine:
    """Make the engine for a `sqlite:///` or `postgresql://` URL, which writes go through.

    Values are kept out of errors and logs, for they may be passwords' hashes.
    """
    if url.startswith(SQLITE):
        engine = create_async_engine(
            make_url(url).set(drivername="sqlite+aiosqlite"),
            connect_args={"timeout": BUSY_TIMEOUT},
            hide_parameters=True,
            pool_size=connections,
            max_overflow=0,
        )
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        event.listen(engine.sync_engine, "invalidate", _interrupt_sqlite)
        return engine

    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=partial(connect, url),
        hide_parameters=True,
        pool_pre_ping=True,
        pool_size=connections,
        max_overflow=0,
    )


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    """Take transactions into our own hands; let readers and a writer work side by side."""
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_STEP_MS}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """Take the writer's lock first: one that starts by reading may not get it later."""
    patience = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        except OperationalError:
            if time.monotonic() > patience:
                raise
        else:
            return


def _interrupt_sqlite(connection: DBAPIConnection, *_: object) -> None:
    """End the statement of a connection that is given up: its thread knows of no cancelling."""
    assert isinstance(connection, AdaptedConnection)  # noqa: S101 — for mypy
    connection.run_async(lambda driver: driver.interrupt())
