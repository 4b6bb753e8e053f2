"""Pools of connections: each is opened when it is needed first, and what is lost is tried again."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeAlias, TypeVar

import stamina
from stamina.instrumentation import set_on_retry_hooks

from gql_app.lib.database.errors import Busy, Conflict, ConnectionLost
from gql_app.lib.database.postgresql import PostgresConnection
from gql_app.lib.database.sqlite import SqliteConnection

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


class PoolSlots:
    """A number of slots; one that is released goes to whoever has waited longest."""

    def __init__(self, count: int, timeout: float) -> None:
        self._timeout: Final = timeout
        """Seconds that anybody waits."""
        self._line: Final[deque[asyncio.Future[None]]] = deque()
        self._count: Final = count
        self.in_use = 0

    @property
    def waiting(self) -> int:
        """The number of those who wait for a slot."""
        return len(self._line)

    def try_acquire(self) -> bool:
        """Return whether a slot was free, which then is taken."""
        if self.in_use == self._count:
            return False
        self.in_use += 1
        return True

    async def acquire(self) -> None:
        """Take a slot, in line if none is free. Raises Busy after the timeout."""
        try:
            async with asyncio.timeout(self._timeout):
                await self._acquire()
        except TimeoutError:
            raise Busy from None

    async def drain(self, seconds: float) -> None:
        """Take every slot, as far as they are released in so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                for _ in range(self._count):
                    await self._acquire()

    def release(self) -> None:
        """Hand a slot to the next in line, or leave it free."""
        while self._line:
            next_one = self._line.popleft()
            if not next_one.done():
                next_one.set_result(None)
                return
        self.in_use -= 1

    async def _acquire(self) -> None:
        if self.try_acquire():
            return
        mine = asyncio.get_running_loop().create_future()
        self._line.append(mine)
        try:
            await mine
        except BaseException:
            if not mine.cancelled():  # it was handed over too late
                self.release()
            raise
        finally:
            with suppress(ValueError):
                self._line.remove(mine)


class Pool:
    """Connections, of which the last that came back is the first to go out again.

    Who finds all of them out waits in line. Where a transaction waits for its turn, besides, so
    many may be in that line.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        size: int,
        timeout: float,
        *,
        turn: PoolSlots | None = None,
    ) -> None:
        self._connect: Final = connect
        self._turn: Final = turn
        self.slots: Final = PoolSlots(size, timeout)
        self._all: Final[list[Connection]] = []
        self._idle: Final[list[Connection]] = []
        self._tasks: Final[set[asyncio.Task[None]]] = set()

    @property
    def use(self) -> dict[str, int]:
        """Numbers of connections in use, or whose turn is waited for, and idle."""
        return {"in_use": self.slots.in_use, "idle": sum(each.is_open for each in self._idle)}

    async def fetch(self, sql: str, bound: Sequence[object]) -> Sequence[Sequence[Any]]:
        """Return the rows that a query answers, sent again if the connection turns out lost."""
        return await retried(partial(self.fetch_once, sql, bound))

    async def fetch_once(self, sql: str, bound: Sequence[object]) -> Sequence[Sequence[Any]]:
        """Return the rows that a query answers."""
        if not self.slots.try_acquire():  # a coroutine would take longer
            await self.slots.acquire()
        connection = self._next()
        try:
            return await connection.read(sql, bound)
        finally:
            self.release(connection)

    async def begin(self) -> Connection:
        """Return a connection that has begun a transaction. Raises Busy, ConnectionLost."""
        await self.slots.acquire()
        if self._turn:
            try:
                await self._turn.acquire()
            except BaseException:
                self.slots.release()
                raise
        connection = self._next()
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

    async def close(self) -> None:
        """End what still runs, and close every connection."""
        closing = (each.close() for each in self._all)
        await asyncio.gather(*closing, *self._tasks, return_exceptions=True)

    def _next(self) -> Connection:
        if self._idle:
            return self._idle.pop()
        self._all.append(connection := self._connect())
        return connection

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # nobody may be there to be told

    def _lend(self, connection: Connection) -> None:
        self._idle.append(connection)
        if self._turn:
            self._turn.release()
        self.slots.release()
