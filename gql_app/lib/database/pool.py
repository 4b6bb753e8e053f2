"""Pools of connections, each opened when it is needed first."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from gql_app.lib.database.postgresql import PostgresConnection
from gql_app.lib.database.retrying import RETRYABLE, retry_lost
from gql_app.lib.database.slots import PoolSlots
from gql_app.lib.database.sqlite import SqliteConnection

Connection: TypeAlias = PostgresConnection | SqliteConnection


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
        self._settling: Final[set[asyncio.Task[None]]] = set()

    @property
    def use(self) -> dict[str, int]:
        """Numbers of connections in use, or whose turn is waited for, and idle."""
        return {"in_use": self.slots.in_use, "idle": sum(each.is_open for each in self._idle)}

    async def fetch(self, sql: str, bound: Sequence[object]) -> Sequence[Sequence[Any]]:
        """Return the rows that a query answers, sent again if the connection turns out lost."""
        try:
            return await self.fetch_once(sql, bound)
        except RETRYABLE:
            return await retry_lost(self.fetch_once, sql, bound)

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
            return
        task = asyncio.create_task(self.settle(connection))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    async def settle(self, connection: Connection) -> None:
        """End the transaction or statement of a connection, and lend it again."""
        try:
            await connection.settle()
        finally:
            self._lend(connection)

    async def close(self) -> None:
        """End what still runs, and close every connection."""
        await asyncio.gather(*(each.close() for each in self._all), *self._settling)

    def _next(self) -> Connection:
        if self._idle:
            return self._idle.pop()
        self._all.append(connection := self._connect())
        return connection

    def _lend(self, connection: Connection) -> None:
        self._idle.append(connection)
        if self._turn:
            self._turn.release()
        self.slots.release()
