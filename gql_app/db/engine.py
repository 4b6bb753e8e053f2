"""The engine, and the two kinds of handle it gives: one to read, one to write."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, Concatenate, Final, NamedTuple, ParamSpec, Self, TypeVar

import asyncpg
from sqlalchemy import String, column, make_url, select, table, true
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.pool import QueuePool

from gql_app.db.deeds import Deed, Doer
from gql_app.db.faults import (
    DRIVERS,
    PASSING,
    Busy,
    Closed,
    Conflict,
    Lost,
    Unknown,
    asking_again,
    colliding_again,
)
from gql_app.db.opening import CONNECTIONS, POOL_TIMEOUT, open_engine
from gql_app.db.postgres import CONNECT_TIMEOUT, PostgresReader, Servers
from gql_app.db.probing import Shared, within
from gql_app.db.questions import Question, Reader, T
from gql_app.db.sqlite import SqliteDoer, SqliteReader
from gql_app.db.tables import REVISION, REVISIONS
from gql_app.errors import Unavailable
from gql_app.settings import SQLITE, Settings

PROBE_TIMEOUT: Final = 2
"""Seconds in which a database says how it is, or is taken to be out of reach."""
_REVISION: Final = Question(
    select(table("alembic_version", column("version_num", String())).c.version_num),
    lambda row: str(row[0]),
)
_REACHABLE: Final = Question(select(true()), tuple)
R = TypeVar("R")
P = ParamSpec("P")


class Condition(NamedTuple):
    """How a database is, part by part."""

    database: str
    """`ok`, or `unreachable`."""
    migrations: str
    """`ok`; `newer`, which a later version of this program has made; `pending` or `unknown`."""

    @property
    def ready(self) -> bool:
        """Whether this program can work with it: each version does with what the next one makes."""
        return self.migrations in {"ok", "newer"}


class Writer(AsyncSession):
    """A handle for rules that write, which may read as well: a transaction."""

    async def ask(self, question: Question[T], /, **values: object) -> list[T]:
        """Ask a question within the transaction."""
        rows = await self.execute(question.statement, values)
        return question.built(rows)

    async def do(self, deed: Deed, /, **values: object) -> bool:
        """Do a deed within the transaction."""
        await self.flush()
        connection, done = await self.connection(), False
        for sql, bound in deed.orders(self.get_bind().dialect, values):
            answer = await connection.exec_driver_sql(sql, tuple(bound))
            done |= answer.returns_rows and answer.first() is not None
        return done


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
        self._reader, self._probe = (
            SqliteReader(url, count, patience)
            if url.startswith(SQLITE)
            else PostgresReader(Servers(url, prepared=prepared), count, patience)
            for count, patience in ((connections, pool_timeout), (1, PROBE_TIMEOUT))
        )
        self._doer = SqliteDoer(url) if isinstance(self._reader, SqliteReader) else self._reader
        self._lent: Reader = self._reader
        self._lent_to_do: Doer = self._doer
        self.latest_condition: Final = Shared(self.condition)
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

    def wrap(self, wrapped: Callable[[Reader, Doer], tuple[Reader, Doer]]) -> None:
        """Lend other handles, which ask and do by ours."""
        self._lent, self._lent_to_do = wrapped(self._lent, self._lent_to_do)

    def read(self) -> AbstractAsyncContextManager[Reader]:
        """Lend a handle to read with, which takes a connection for each question only."""
        return nullcontext(self._lent)

    @property
    def use(self) -> dict[str, dict[str, int]]:
        """How many connections are in use and idle, to read with and to write with."""
        pool = self.engine.pool
        assert isinstance(pool, QueuePool)  # noqa: S101 — for mypy
        writing = {"in_use": pool.checkedout(), "idle": pool.checkedin()}
        if self._doer is not self._reader:
            writing = {name: count + self._doer.use[name] for name, count in writing.items()}
        return {"read": self._reader.use, "write": writing}

    async def do(self, deed: Deed, /, **values: object) -> bool:
        """Do a deed in a transaction of its own; a third of the work that transact() is.

        It answers False also if that was rolled back: transact() tries again, and tells why.
        Raises Unavailable.
        """
        try:
            return await self._lent_to_do.do(deed, **values)
        except PASSING:
            return False

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
        try:
            return await self.once(rule, *args, **kwargs)
        except Conflict:
            return await colliding_again(self.once, rule, *args, **kwargs)
        except Lost:
            return await asking_again(self.once, rule, *args, **kwargs)

    async def once(
        self,
        rule: Callable[Concatenate[Writer, P], Awaitable[R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Have a rule write in one transaction, which ends by itself if this is cancelled.

        A database that hangs would keep its caller waiting: to roll back and to commit take an
        answer, and a commit waits for the standbys. Raises Unavailable.
        """

        async def run() -> R:
            async with self.write() as db:
                return await rule(db, *args, **kwargs)

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

    async def condition(self) -> Condition:
        """Tell how the database is.

        It takes a connection of its own, so that it tells a hung database from a busy pool.
        """
        try:
            revision = await within(self.revision(), PROBE_TIMEOUT)
        except (Unavailable, TimeoutError, *DRIVERS):
            return Condition("unreachable", "unknown")
        if revision is None or revision in REVISIONS[:-1]:
            return Condition("ok", "pending")
        return Condition("ok", "ok" if revision == REVISION else "newer")

    async def close(self) -> None:
        """Close every connection."""
        if self._running:
            await asyncio.wait(self._running, timeout=CONNECT_TIMEOUT)
        for each in {self._reader, self._doer, self._probe}:
            await each.close()
        await self.engine.dispose()


def sqlite_file(url: str) -> Path:
    """Tell which file a `sqlite:///` URL means."""
    return Path(make_url(url).database or "")
