"""The database: its connections, transactions, and what is tried again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from sqlalchemy import make_url

from gql_app.lib.database.errors import Conflict, ConnectionLost
from gql_app.lib.database.pool import Connection, Pool
from gql_app.lib.database.postgresql import PostgresConnection
from gql_app.lib.database.probing import PROBE_TIMEOUT, within
from gql_app.lib.database.retrying import retry_conflict, retry_lost
from gql_app.lib.database.servers import CONNECT_TIMEOUT, Servers
from gql_app.lib.database.slots import PoolSlots
from gql_app.lib.database.sqlite import BUSY_TIMEOUT, SqliteConnection, sqlite_file
from gql_app.lib.database.statements import Query, compiled
from gql_app.lib.database.transaction import Observer, Reader, Transaction
from gql_app.lib.faults import Unavailable

CONNECTIONS: Final = 10
"""Connections that one process reads with; as many again write."""
POOL_TIMEOUT: Final = 5
"""Seconds that anybody waits for one of them."""
T = TypeVar("T")
R = TypeVar("R")
P = ParamSpec("P")


class Database(Reader):
    """One database, opened for the life of the process: `sqlite:///` or `postgresql://`."""

    def __init__(
        self,
        url: str,
        *,
        connections: int = CONNECTIONS,
        pool_timeout: float = POOL_TIMEOUT,
        prepared: bool = True,
    ) -> None:
        turn = None
        reading: Callable[[], Connection]
        writing: Callable[[], Connection]
        if url.startswith("sqlite:"):
            driver, turn = "sqlite://", PoolSlots(1, BUSY_TIMEOUT)
            file = str(sqlite_file(url).absolute())
            reading = partial(SqliteConnection, file, "query_only")
            writing = partial(SqliteConnection, file, "foreign_keys")
        else:
            driver = "postgresql+asyncpg://"
            reading = writing = partial(PostgresConnection, Servers(url, prepared=prepared))
        self._read: Final = Pool(reading, connections, pool_timeout)
        self._write: Final = Pool(writing, connections, pool_timeout, turn=turn)
        self._probe: Final = Pool(reading, 1, PROBE_TIMEOUT)
        fetch = self._read.fetch_once if turn else self._read.fetch  # a file is not lost
        super().__init__(make_url(driver).get_dialect()(), fetch)
        self._running: Final[set[asyncio.Task[Any]]] = set()

    @property
    def use(self) -> dict[str, dict[str, int]]:
        """Numbers of connections in use and idle, to read with and to write with."""
        read = {**self._read.use, "waiting": self._read.slots.waiting}
        return {"read": read, "write": self._write.use}

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Open a transaction, which commits when the block ends and rolls back if it raises.

        A commit that has begun goes through, also if the block is cancelled then. Raises
        Unavailable: whatever it is but CommitOutcomeUnknown, nothing was done.
        """
        connection = await self._write.begin()
        transaction = Transaction(self.sql_dialect, self._observer, self._write, connection)
        try:
            yield transaction
            transaction.check()
        except BaseException:
            await self._to_its_end(transaction.rollback())
            raise
        await self._to_its_end(transaction.commit())

    async def transact(
        self,
        rule: Callable[Concatenate[Transaction, P], Awaitable[R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Return what a rule returns, run in a transaction; again if that was rolled back.

        A rule leaves no trace but in the database, as it may run several times.
        Raises Unavailable, StatementError.
        """
        try:
            return await self.once(rule, *args, **kwargs)
        except Conflict:
            return await retry_conflict(self.once, rule, *args, **kwargs)
        except ConnectionLost:
            return await retry_lost(self.once, rule, *args, **kwargs)

    async def once(
        self,
        rule: Callable[Concatenate[Transaction, P], Awaitable[R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Return what a rule returns, run in one transaction, which ends by itself if cancelled.

        A database that hangs would keep its caller waiting: to roll back and to commit take an
        answer, and a commit waits for the standbys. Raises Unavailable, StatementError.
        """

        async def run() -> R:
            async with self.transaction() as transaction:
                return await rule(transaction, *args, **kwargs)

        task = self._started(run())
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.cancel()
            raise

    async def probe(self, query: Query[T], /, **values: object) -> list[T]:
        """Return what is built of each row, fetched by a connection of its own in two seconds.

        So it tells a database that hangs from a busy pool. Raises Unavailable, StatementError.
        """
        statement = compiled(query, self.sql_dialect)
        work = self._probe.fetch(statement.sql, statement.bind(values))
        try:
            return statement.built(await within(work, PROBE_TIMEOUT), query)
        except TimeoutError as error:
            raise Unavailable from error

    def observe(self, observer: Observer) -> None:
        """Run each statement within a context manager that an observer makes of its SQL."""
        self._observer = observer

    async def close(self) -> None:
        """Close every connection, when what still runs has ended or had five seconds for it."""
        if self._running:
            await asyncio.wait(self._running, timeout=CONNECT_TIMEOUT)
        await asyncio.gather(*(each.close() for each in (self._read, self._write, self._probe)))

    async def _to_its_end(self, work: Coroutine[Any, Any, None]) -> None:
        """Wait for work, which goes on if this is cancelled."""
        await asyncio.shield(self._started(work))

    def _started(self, work: Coroutine[Any, Any, R]) -> asyncio.Task[R]:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # nobody may be there to be told
