"""The engine, and the two kinds of handle it gives: one to read, one to write."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec, Self, TypeVar

import asyncpg
from sqlalchemy import (
    AdaptedConnection,
    Connection,
    String,
    column,
    event,
    make_url,
    select,
    table,
    true,
)
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.pool import ConnectionPoolEntry

from gql_app.db.faults import (
    DRIVERS,
    Busy,
    Closed,
    Conflict,
    Lost,
    Unknown,
    asking_again,
    colliding_again,
    translate,
)
from gql_app.db.postgres import CONNECT_TIMEOUT, PostgresReader, connect
from gql_app.db.questions import Question, Reader, T
from gql_app.db.sqlite import BUSY_TIMEOUT, SqliteReader
from gql_app.db.tables import REVISION
from gql_app.errors import Unavailable
from gql_app.settings import SQLITE, Settings

CONNECTIONS: Final = 10
"""Connections that one process reads with; as many again write."""
POOL_TIMEOUT: Final = 5
"""Seconds that anybody waits for one of them."""
PROBE_TIMEOUT: Final = 2
"""Seconds in which a database says how it is, or is taken to be out of reach."""
BUSY_STEP_MS: Final = 500
"""Milliseconds that it waits at a time, for nothing ends a wait within SQLite sooner."""
_REVISION: Final = Question(
    select(table("alembic_version", column("version_num", String())).c.version_num),
    lambda row: str(row[0]),
)
_REACHABLE: Final = Question(select(true()), tuple)
R = TypeVar("R")
P = ParamSpec("P")


class Writer(AsyncSession):
    """A handle for rules that write, which may read as well: a transaction."""

    async def ask(self, question: Question[T], /, **values: object) -> list[T]:
        """Ask a question within the transaction."""
        rows = await self.execute(question.statement, values)
        return [question.build(row) for row in rows]


class Database:
    """One database, opened for the life of the process."""

    def __init__(
        self,
        url: str,
        *,
        connections: int = CONNECTIONS,
        pool_timeout: float = POOL_TIMEOUT,
        prepared: bool = True,
    ) -> None:
        self.engine: Final = open_engine(
            url, connections=connections, pool_timeout=pool_timeout, prepared=prepared
        )
        on_sqlite = url.startswith(SQLITE)
        opened = SqliteReader if on_sqlite else partial(PostgresReader, prepared=prepared)
        self._reader: Final = opened(url, connections, pool_timeout)
        self._probe: Final = opened(url, 1, PROBE_TIMEOUT)
        self._running: Final[set[asyncio.Task[Any]]] = set()
        self._writers = async_sessionmaker(self.engine, class_=Writer, expire_on_commit=False)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Open the database that is set."""
        return cls(
            settings.database_url,
            connections=settings.database_connections,
            pool_timeout=settings.database_pool_timeout,
            prepared=settings.database_prepared_statements,
        )

    def read(self) -> AbstractAsyncContextManager[Reader]:
        """Lend a handle to read with, which takes a connection for each question only."""
        return nullcontext(self._reader)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Writer]:
        """Lend a handle to write with; commit when the block ends, roll back if it raises.

        Raises Unavailable: whatever it is but Unknown, nothing was done.
        """
        committing = False
        try:
            async with self._writers.begin() as session:
                yield session
                await session.flush()  # here it can be cancelled still; to commit is to go through
                committing = True
        except NoConnection:
            raise Busy from None
        except Lost as why:
            if isinstance(self._reader, PostgresReader):
                self._reader.forget()
            if committing and not isinstance(why, Closed):
                raise Unknown from why
            raise

    async def transact(
        self,
        rule: Callable[Concatenate[Writer, P], Awaitable[R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Have a rule write in one transaction; again if that was rolled back, and may go better.

        A rule leaves no trace but in the database, as it may run several times.
        Raises Unavailable.
        """

        async def run() -> R:
            async with self.write() as db:
                return await rule(db, *args, **kwargs)

        try:
            return await self._outlive(run)
        except Conflict:
            return await colliding_again(self._outlive, run)
        except Lost:
            return await asking_again(self._outlive, run)

    async def _outlive(self, run: Callable[[], Coroutine[None, None, R]]) -> R:
        """Have a transaction end by itself where it is cancelled, and be gone at once.

        A database that hangs would keep its caller waiting: to roll back and to commit take an
        answer, and a commit waits for the standbys.
        """
        task = asyncio.create_task(run())
        self._running.add(task)
        task.add_done_callback(self._ended)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.cancel()
            raise

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # nobody may be there to be told

    async def revision(self) -> str | None:
        """Tell which migration the database is at, or None if it has seen none."""
        await self._probe.ask(_REACHABLE)
        try:
            found = await self._probe.ask(_REVISION)
        except (asyncpg.UndefinedTableError, sqlite3.OperationalError):
            return None
        return found[0] if found else None

    async def faults(self) -> dict[str, str]:
        """Tell what keeps the database from being used; nothing if all is well.

        It takes a connection of its own, so that it tells a hung database from a busy pool.
        """
        try:
            async with asyncio.timeout(PROBE_TIMEOUT):
                revision = await self.revision()
        except (Unavailable, *DRIVERS):
            return {"database": "unreachable"}
        return {} if revision == REVISION else {"migrations": "pending"}

    async def close(self) -> None:
        """Close every connection."""
        if self._running:
            await asyncio.wait(self._running, timeout=CONNECT_TIMEOUT)
        await self._reader.close()
        await self._probe.close()
        await self.engine.dispose()


def sqlite_file(url: str) -> Path:
    """Tell which file a `sqlite:///` URL means."""
    return Path(make_url(url).database or "")


def open_engine(
    url: str,
    *,
    connections: int = CONNECTIONS,
    pool_timeout: float = POOL_TIMEOUT,
    prepared: bool = True,
) -> AsyncEngine:
    """Make the engine for a `sqlite:///` or `postgresql://` URL, which writes go through.

    Values are kept out of errors and logs, for they may be passwords' hashes. What shows that
    the database can't be used is raised as Unavailable.
    """
    if url.startswith(SQLITE):
        engine = create_async_engine(
            make_url(url).set(drivername="sqlite+aiosqlite"),
            connect_args={"timeout": BUSY_TIMEOUT},
            hide_parameters=True,
            pool_size=connections,
            pool_timeout=pool_timeout,
            max_overflow=0,
        )
        event.listen(engine.sync_engine, "handle_error", translate)
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        event.listen(engine.sync_engine, "invalidate", _interrupt_sqlite)
        return engine

    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=partial(connect, url, prepared=prepared),
        connect_args={} if prepared else {"prepared_statement_cache_size": 0},
        hide_parameters=True,
        pool_size=connections,
        pool_timeout=pool_timeout,
        max_overflow=0,
    )
    event.listen(engine.sync_engine, "handle_error", translate)
    return engine


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
        except Busy:
            if time.monotonic() > patience:
                raise
        else:
            return


def _interrupt_sqlite(connection: DBAPIConnection, *_: object) -> None:
    """End the statement of a connection that is given up: its thread knows of no cancelling."""
    assert isinstance(connection, AdaptedConnection)  # noqa: S101 — for mypy
    connection.run_async(lambda driver: driver.interrupt())
