"""Connection pools, whose connections open at first use, and retries after one is lost."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, Final, TypeAlias, TypeVar

import stamina
from stamina.instrumentation import set_on_retry_hooks

from gql_app.lib.database.errors import Busy, Conflict, ConnectionLost
from gql_app.lib.database.postgresql import PostgresConnection, Servers
from gql_app.lib.database.sqlite import BUSY_TIMEOUT, SqliteConnection
from gql_app.lib.faults import Unavailable

Connection: TypeAlias = PostgresConnection | SqliteConnection
R = TypeVar("R")
_RETRYABLE: Final = (ConnectionLost, Conflict)
"""Errors after which nothing was done, so that a retry is safe."""

# By itself stamina would count and log retries with their arguments: customers' data.
set_on_retry_hooks(())
_retry_lost: Final = stamina.AsyncRetryingCaller(
    attempts=4, timeout=1.0, wait_initial=0.05, wait_max=0.4, wait_jitter=0.2
).on(_RETRYABLE)
"""Retries after a connection was lost: a few, within a second."""
_retry_conflict: Final = stamina.AsyncRetryingCaller(
    attempts=None, timeout=3.0, wait_initial=0.01, wait_max=0.2, wait_jitter=0.1
).on(_RETRYABLE)
"""Retries of a transaction that conflicts with others: each time, one of them commits."""


async def retried(work: Callable[[], Awaitable[R]]) -> R:
    """Return what work returns; it is retried after a Conflict or ConnectionLost."""
    try:
        return await work()
    except Conflict:
        return await _retry_conflict(work)
    except ConnectionLost:
        return await _retry_lost(work)


class Pool:
    """A pool of connections, last in, first out.

    If all are in use, callers wait in a queue (FIFO) for the next that is released. Where only one
    transaction may run at a time, as in SQLite, each waits for the write lock as well.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        size: int,
        timeout: float,
        *,
        lock: asyncio.Lock | None = None,
        servers: Servers | None = None,
    ) -> None:
        """Take the write lock, if any, and the servers; waiting ends if they are unresponsive."""
        self._timeout: Final = timeout
        """Seconds that a caller waits for a connection at most."""
        self._lock: Final = lock
        self._all: Final = [connect() for _ in range(size)]
        self._idle: Final = self._all.copy()
        self._available: Final = asyncio.Semaphore(size)
        self._tasks: Final[set[asyncio.Task[None]]] = set()
        self._timeouts: Final[set[asyncio.Timeout]] = set()
        """The time-out of each waiting caller."""
        self._servers: Final = servers
        if servers:
            servers.on_unresponsive.append(self._time_out_waiters)
        self.waiting = 0
        """The number of callers that wait for a connection."""
        self.refusal: Exception | None = None
        """Why every caller is refused at present, if so."""

    @property
    def use(self) -> dict[str, int]:
        """Numbers of connections in use, also those that wait for the write lock, and idle."""
        idle = sum(each.is_open for each in self._idle)
        return {"in_use": len(self._all) - len(self._idle), "idle": idle}

    def fetch(
        self, sql: str, bound: Sequence[object]
    ) -> Coroutine[Any, Any, Sequence[Sequence[Any]]]:
        """Return the rows of a query, which is sent again if the connection is lost."""
        return retried(partial(self.fetch_once, sql, bound))

    async def fetch_once(self, sql: str, bound: Sequence[object]) -> Sequence[Sequence[Any]]:
        """Return the rows of a query, which is sent once."""
        connection = await self._acquire()
        try:
            return await connection.read(sql, bound)
        finally:
            self.release(connection)

    async def begin(self) -> Connection:
        """Return a connection that has begun a transaction. Raises Busy, ConnectionLost."""
        connection = await self._acquire()
        if self._lock:
            try:
                async with self._busy_after(BUSY_TIMEOUT):
                    await self._lock.acquire()
            except BaseException:
                self._put_idle(connection)
                raise
        try:
            await connection.execute(connection.begin, ())
        except BaseException:
            self.release(connection)
            raise
        return connection

    def release(self, connection: Connection) -> None:
        """Return a connection to the pool, once nothing runs on it any more."""
        if connection.is_free:
            self._give_back(connection)
        else:
            self.in_background(self.reset(connection))

    async def reset(self, connection: Connection) -> None:
        """End the statement and transaction of a connection, and return it to the pool."""
        try:
            await connection.reset()
        finally:
            self._give_back(connection)

    def in_background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Return a task for some work, which goes on if the caller no longer awaits it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def drain(self, seconds: float) -> None:
        """Hand out no more connections, and wait at most so many seconds for those in use."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                for _ in self._all:
                    await self._available.acquire()
                    self._idle.pop()

    async def close(self) -> None:
        """Close every connection, and wait for the background tasks."""
        closing = (each.close() for each in self._all)
        await asyncio.gather(*closing, *self._tasks, return_exceptions=True)

    async def _acquire(self) -> Connection:
        """Return a connection once one is idle. Raises Busy, Unresponsive, Unavailable."""
        if self._servers:
            self._servers.check()
        if self.refusal:
            raise Unavailable from self.refusal
        if self._idle and not self.waiting:
            await self._available.acquire()  # at once
            return self._idle.pop()
        self.waiting += 1
        try:
            async with self._busy_after(self._timeout):
                await self._available.acquire()
        finally:
            self.waiting -= 1
        return self._idle.pop()

    @asynccontextmanager
    async def _busy_after(self, seconds: float) -> AsyncIterator[None]:
        """Raise Busy if the block takes longer, Unresponsive if the servers are found to be so."""
        timeout = asyncio.timeout(seconds)
        self._timeouts.add(timeout)
        try:
            async with timeout:
                yield
        except TimeoutError:
            if self._servers:
                self._servers.check()
            raise Busy from None
        finally:
            self._timeouts.discard(timeout)

    def _time_out_waiters(self) -> None:
        for each in self._timeouts:
            if not each.expired():
                each.reschedule(asyncio.get_running_loop().time())

    def _give_back(self, connection: Connection) -> None:
        if self._lock:
            self._lock.release()
        self._put_idle(connection)

    def _put_idle(self, connection: Connection) -> None:
        self._idle.append(connection)
        self._available.release()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # marks it as retrieved, where no caller awaits the task
