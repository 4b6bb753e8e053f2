"""The engine, and the two kinds of handle it gives: one to read, one to write."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NewType
from uuid import UUID

import asyncpg
from sqlalchemy import AdaptedConnection, Connection, Select, delete, event, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.pool import ConnectionPoolEntry

from gql_app.db.tables import REVISION, Row
from gql_app.settings import SQLITE

Reader = NewType("Reader", AsyncSession)
"""A handle for rules that only read."""
Writer = NewType("Writer", Reader)
"""A handle for rules that write, which may read as well."""

BUSY_TIMEOUT: Final = 30
"""Seconds that a writer to SQLite waits for its turn."""
BUSY_STEP_MS: Final = 500
"""Milliseconds that it waits at a time, for nothing ends a wait within SQLite sooner."""
CONNECT_TIMEOUT: Final = 5
"""Seconds that PostgreSQL has to take a connection."""
_WRITES: Final = "gql_app_writes"
_UNREACHABLE: Final = (DBAPIError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError)


class Database:
    """One database, opened for the life of the process."""

    def __init__(self, url: str) -> None:
        self.engine: Final = open_engine(url)
        self._readers = async_sessionmaker(self.engine, expire_on_commit=False)
        self._writers = async_sessionmaker(
            self.engine.execution_options(**{_WRITES: True}), expire_on_commit=False
        )

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Reader]:
        """Lend a handle to read with; nothing done through it is kept."""
        async with self._readers() as session:
            yield Reader(session)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Writer]:
        """Lend a handle to write with; commit when the block ends, roll back if it raises."""
        async with self._writers.begin() as session:
            yield Writer(Reader(session))
            await session.flush()  # here it can be cancelled still; to commit is to go through

    async def revision(self) -> str | None:
        """Tell which migration the database is at, or None if it has seen none."""
        async with self.read() as db:
            await db.execute(text("SELECT 1"))
        try:
            async with self.read() as db:
                return (await db.execute(text("SELECT version_num FROM alembic_version"))).scalar()
        except DBAPIError:
            return None

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


def open_engine(url: str) -> AsyncEngine:
    """Make the engine for a `sqlite:///` or `postgresql://` URL; the driver is chosen here.

    Values are kept out of errors and logs, for they may be passwords' hashes.
    """
    if url.startswith(SQLITE):
        engine = create_async_engine(
            make_url(url).set(drivername="sqlite+aiosqlite"),
            connect_args={"timeout": BUSY_TIMEOUT},
            hide_parameters=True,
        )
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        event.listen(engine.sync_engine, "invalidate", _interrupt_sqlite)
        return engine

    async def connect() -> asyncpg.Connection:
        return await asyncpg.connect(url, timeout=CONNECT_TIMEOUT)

    return create_async_engine(
        "postgresql+asyncpg://", async_creator=connect, hide_parameters=True, pool_pre_ping=True
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
    """Have a writer take the lock first: one that starts by reading may not get it later."""
    if not connection.get_execution_options().get(_WRITES):
        connection.exec_driver_sql("BEGIN")
        return
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
