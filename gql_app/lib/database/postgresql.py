"""PostgreSQL: connections that read and as many that write, given up when they are lost."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple, TypeAlias, TypeVar

import asyncpg
from sqlalchemy import Dialect, make_url

from gql_app.lib.database.errors import (
    DRIVER_ERRORS,
    CommitOutcomeUnknown,
    ConnectionClosed,
    ConnectionLost,
    Unavailable,
    translate,
    unavailable,
)
from gql_app.lib.database.probing import PROBE_TIMEOUT
from gql_app.lib.database.retrying import RETRYABLE, retry_lost
from gql_app.lib.database.servers import CONNECT_TIMEOUT, Servers
from gql_app.lib.database.slots import PoolSlots

R = TypeVar("R")
Rows: TypeAlias = list[asyncpg.Record]
Bound: TypeAlias = Sequence[object]


class PostgresBackend:
    """A PostgreSQL database.

    What writes has connections of its own: a commit may hang, as its standby does, and reading
    goes on by the others.
    """

    def __init__(self, url: str, *, connections: int, pool_timeout: float, prepared: bool) -> None:
        self.dialect: Final[Dialect] = make_url("postgresql+asyncpg://").get_dialect()()
        servers = Servers(url, prepared=prepared)
        self._read: Final = ConnectionPool(servers, connections, pool_timeout, self.forget)
        self._write: Final = ConnectionPool(servers, connections, pool_timeout, self.forget)
        self._probe: Final = ConnectionPool(servers, 1, PROBE_TIMEOUT)
        self.fetch: Final = self._read.fetch
        self.probe: Final = self._probe.fetch

    @property
    def use(self) -> dict[str, dict[str, int]]:
        """Numbers of connections to read with and to write with."""
        return {
            "read": {**self._read.use, "waiting": self._read.slots.waiting},
            "write": self._write.use,
        }

    async def begin(self) -> "PostgresTransaction":
        """Begin a transaction. Raises Busy, ConnectionLost."""
        transaction = PostgresTransaction(self._write, await self._write.acquire())
        try:
            await transaction.run("BEGIN")
        except BaseException:
            transaction.end()
            raise
        return transaction

    def forget(self) -> None:
        """Close all connections, as they come back: what befell one befell the others, too."""
        self._read.forget()
        self._write.forget()

    async def close(self) -> None:
        """Close every connection that is not out."""
        await asyncio.gather(*(each.close() for each in (self._read, self._write, self._probe)))


class Lease(NamedTuple):
    """A connection that is out, and the generation that it was taken in."""

    connection: asyncpg.Connection
    generation: int


class PostgresTransaction:
    """A transaction on a connection of its own."""

    def __init__(self, pool: "ConnectionPool", lease: Lease) -> None:
        self._pool: Final = pool
        self._lease: Final = lease
        self._connection: Final = lease.connection
        self._error: BaseException | None = None
        """What its last statement failed by."""

    async def fetch(self, sql: str, bound: Bound) -> Rows:
        """Return the rows that a statement answers."""
        return await self._run(self._connection.fetch(sql, *bound))

    async def fetch_many(self, sql: str, many: Sequence[Bound]) -> Rows:
        """Return the rows that a statement answers, run once for each list of values."""
        return await self._run(self._connection.fetchmany(sql, many))

    async def execute(self, sql: str, bound: Bound) -> int:
        """Return the number of rows that a statement changes."""
        status = await self.run(sql, bound)
        count = status.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def run(self, sql: str, bound: Bound = ()) -> str:
        """Return the status of a statement, as `UPDATE 3`."""
        status: str = await self._run(self._connection.execute(sql, *bound))
        return status

    async def commit(self) -> None:
        """Commit. Raises CommitOutcomeUnknown if the connection is lost while it commits."""
        try:
            await self.run("COMMIT")
        except ConnectionClosed:
            raise
        except ConnectionLost as error:
            raise CommitOutcomeUnknown from error
        finally:
            self.end()

    async def rollback(self) -> None:
        """Roll back, or close the connection if nobody knows what it is at."""
        try:
            if self._is_known:
                await self.run("ROLLBACK")
        except Unavailable:
            pass  # it is rolled back without being told to
        finally:
            self.end()

    def end(self) -> None:
        """Give the connection back."""
        self._pool.release(self._lease, reusable=self._is_known)

    @property
    def _is_known(self) -> bool:
        """Whether the last statement was answered, so that another may follow."""
        return self._error is None or isinstance(self._error, asyncpg.PostgresError)

    async def _run(self, work: Awaitable[R]) -> R:
        try:
            result = await work
        except BaseException as error:
            self._error = error
            self._pool.judge(error)
            raise
        self._error = None
        return result


class ConnectionPool:
    """Connections, each opened when it is needed first.

    The last that came back is the first to go out again. Who finds all of them out waits in line.
    """

    def __init__(
        self,
        servers: Servers,
        size: int,
        timeout: float,
        lost: Callable[[], None] | None = None,
    ) -> None:
        self._servers: Final = servers
        self._lost: Final = lost or self.forget
        self.slots: Final = PoolSlots(size, timeout)
        self._idle: Final[list[asyncpg.Connection]] = []
        self._closing: Final[set[asyncio.Task[None]]] = set()
        self._generation = 0

    @property
    def use(self) -> dict[str, int]:
        """Numbers of connections in use and idle."""
        return {"in_use": self.slots.in_use, "idle": len(self._idle)}

    async def fetch(self, sql: str, bound: Bound) -> Rows:
        """Return the rows that a query answers, sent again if the connection turns out lost."""
        try:
            return await self._fetch(sql, bound)
        except RETRYABLE:
            return await retry_lost(self._fetch, sql, bound)

    async def _fetch(self, sql: str, bound: Bound) -> Rows:
        lease = await self.acquire()
        try:
            rows: Rows = await lease.connection.fetch(sql, *bound)
        except BaseException as error:
            try:
                self.judge(error)
            finally:
                self.release(lease, reusable=isinstance(error, asyncpg.PostgresError))
            raise
        self.release(lease, reusable=True)
        return rows

    async def acquire(self) -> Lease:
        """Take a connection. Raises Busy, ConnectionLost."""
        if not self.slots.try_acquire():
            await self.slots.acquire()
        if self._idle:
            return Lease(self._idle.pop(), self._generation)
        generation = self._generation
        try:
            return Lease(await self._servers.connect(), generation)
        except BaseException as error:
            self.slots.release()
            self.judge(error)
            raise

    def judge(self, error: BaseException) -> None:
        """Raise what an error means; if one connection is lost, have all of them forgotten."""
        if isinstance(unavailable(error), ConnectionLost):
            self._lost()
        translate(error)

    def release(self, lease: Lease, *, reusable: bool) -> None:
        """Keep a connection, unless it is an old one or nobody knows what it is at.

        To close it ends its statement; only then may another be opened.
        """
        if reusable and lease.generation == self._generation:
            self._idle.append(lease.connection)
            self.slots.release()
            return
        task = asyncio.create_task(_close(lease.connection))
        self._closing.add(task)
        task.add_done_callback(self._closed)

    def forget(self) -> None:
        """Close all connections, those that are out as they come back."""
        self._generation += 1
        while self._idle:
            self._idle.pop().terminate()

    async def close(self) -> None:
        """Close every connection that is not out."""
        self.forget()
        await asyncio.gather(*self._closing)

    def _closed(self, task: asyncio.Task[None]) -> None:
        self._closing.discard(task)
        self.slots.release()


async def _close(connection: asyncpg.Connection) -> None:
    """Close a connection in peace, or else at once."""
    try:
        await connection.close(timeout=CONNECT_TIMEOUT)
    except DRIVER_ERRORS:
        connection.terminate()
