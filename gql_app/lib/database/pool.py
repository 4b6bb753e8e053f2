"""Pools of connections: each is opened when it is needed first, and what is lost is tried again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, Final, TypeAlias, TypeVar

import stamina
from stamina.instrumentation import set_on_retry_hooks

from gql_app.lib.database.errors import Busy, Conflict, ConnectionLost
from gql_app.lib.database.postgresql import PostgresConnection
from gql_app.lib.database.servers import Servers
from gql_app.lib.database.sqlite import BUSY_TIMEOUT, SqliteConnection
from gql_app.lib.faults import Unavailable

Connection: TypeAlias = PostgresConnection | SqliteConnection
R = TypeVar("R")
_UNDONE: Final = (ConnectionLost, Conflict)
"""What was surely undone, and may well work when it is tried again."""

# stamina would count and log by itself, and what it logs are the arguments: customers' data.
set_on_retry_hooks(())
_retry_lost: Final = stamina.AsyncRetryingCaller(
    attempts=4, timeout=1.0, wait_initial=0.05, wait_max=0.4, wait_jitter=0.2
).on(_UNDONE)
"""Tries after a connection was lost: a few, within a second."""
_retry_conflict: Final = stamina.AsyncRetryingCaller(
    attempts=None, timeout=3.0, wait_initial=0.01, wait_max=0.2, wait_jitter=0.1
).on(_UNDONE)
"""Tries of a transaction that collides with others: each time, one gets through."""


async def retried(work: Callable[[], Awaitable[R]]) -> R:
    """Return what work returns, which is called again if what it did was surely undone."""
    try:
        return await work()
    except Conflict:
        return await _retry_conflict(work)
    except ConnectionLost:
        return await _retry_lost(work)


class Pool:
    """Connections, of which the last that came back is the first to go out again.

    Who finds all of them out waits in line, and gets the next that comes back. Whoever has one to
    write with waits for the turn besides, where transactions have to go one after the other.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        size: int,
        timeout: float,
        *,
        turn: asyncio.Lock | None = None,
        servers: Servers | None = None,
    ) -> None:
        """Take the lock that is the turn, and servers: for silent ones nobody waits."""
        self._timeout: Final = timeout
        """Seconds that anybody waits for a connection."""
        self._turn: Final = turn
        self._all: Final = [connect() for _ in range(size)]
        self._idle: Final = self._all.copy()
        self._line: Final = asyncio.Semaphore(size)
        self._tasks: Final[set[asyncio.Task[None]]] = set()
        self._patience: Final[set[asyncio.Timeout]] = set()
        """When each of those who wait gives up."""
        self._servers: Final = servers
        if servers:
            servers.on_silence.append(self._end_waiting)
        self.waiting = 0
        """The number of those who wait for a connection."""
        self.refusal: Exception | None = None
        """Why nobody gets one at present."""

    @property
    def use(self) -> dict[str, int]:
        """Numbers of connections in use, or whose turn is waited for, and idle."""
        idle = sum(each.is_open for each in self._idle)
        return {"in_use": len(self._all) - len(self._idle), "idle": idle}

    def fetch(
        self, sql: str, bound: Sequence[object]
    ) -> Coroutine[Any, Any, Sequence[Sequence[Any]]]:
        """Return the rows that a query answers, sent again if the connection turns out lost."""
        return retried(partial(self.fetch_once, sql, bound))

    async def fetch_once(self, sql: str, bound: Sequence[object]) -> Sequence[Sequence[Any]]:
        """Return the rows that a query answers."""
        connection = await self._take()
        try:
            return await connection.read(sql, bound)
        finally:
            self.release(connection)

    async def begin(self) -> Connection:
        """Return a connection that has begun a transaction. Raises Busy, ConnectionLost."""
        connection = await self._take()
        if self._turn:
            try:
                async with self._busy_after(BUSY_TIMEOUT):
                    await self._turn.acquire()
            except BaseException:
                self._hand_on(connection)
                raise
        try:
            await connection.execute(connection.begin, ())
        except BaseException:
            self.release(connection)
            raise
        return connection

    def release(self, connection: Connection) -> None:
        """Lend a connection to the next in line, as soon as it is at nothing any more."""
        if connection.is_free:
            self._lend(connection)
        else:
            self.in_background(self.settle(connection))

    async def settle(self, connection: Connection) -> None:
        """End the transaction or statement of a connection, and lend it again."""
        try:
            await connection.settle()
        finally:
            self._lend(connection)

    def in_background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Return a task that does some work, also when nobody waits for it any more."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def drain(self, seconds: float) -> None:
        """Lend no more connections, and wait for those that are out, at most so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                for _ in self._all:
                    await self._line.acquire()
                    self._idle.pop()

    async def close(self) -> None:
        """End what still runs, and close every connection."""
        closing = (each.close() for each in self._all)
        await asyncio.gather(*closing, *self._tasks, return_exceptions=True)

    async def _take(self) -> Connection:
        """Return a connection as soon as there is one. Raises Busy, Silent, Unavailable."""
        if self._servers:
            self._servers.check()
        if self.refusal:
            raise Unavailable from self.refusal
        if self._idle and not self.waiting:
            await self._line.acquire()  # at once
            return self._idle.pop()
        self.waiting += 1
        try:
            async with self._busy_after(self._timeout):
                await self._line.acquire()
        finally:
            self.waiting -= 1
        return self._idle.pop()

    @asynccontextmanager
    async def _busy_after(self, seconds: float) -> AsyncIterator[None]:
        """Raise Busy if the block takes so many seconds, Silent if the servers become so."""
        patience = asyncio.timeout(seconds)
        self._patience.add(patience)
        try:
            async with patience:
                yield
        except TimeoutError:
            if self._servers:
                self._servers.check()
            raise Busy from None
        finally:
            self._patience.discard(patience)

    def _end_waiting(self) -> None:
        for each in self._patience:
            if not each.expired():
                each.reschedule(asyncio.get_running_loop().time())

    def _lend(self, connection: Connection) -> None:
        if self._turn:
            self._turn.release()
        self._hand_on(connection)

    def _hand_on(self, connection: Connection) -> None:
        self._idle.append(connection)
        self._line.release()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # nobody may be there to be told
