"""SQLite: connections that read, and one that writes; what takes long runs in threads."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

from sqlalchemy import Dialect, make_url

from gql_app.lib.database.errors import translate
from gql_app.lib.database.probing import PROBE_TIMEOUT
from gql_app.lib.database.slots import PoolSlots
from gql_app.lib.database.sqlite_connection import BUSY_TIMEOUT, Bound, Connection, Rows

P = ParamSpec("P")
R = TypeVar("R")


class SqliteBackend:
    """An SQLite file, read by several connections and written by one."""

    def __init__(self, url: str, *, connections: int, pool_timeout: float) -> None:
        self.dialect: Final[Dialect] = make_url("sqlite://").get_dialect()()
        file = str(sqlite_file(url).absolute())
        self._read: Final = ConnectionPool(file, "query_only", connections, pool_timeout)
        self._probe: Final = ConnectionPool(file, "query_only", 1, PROBE_TIMEOUT)
        self._write: Final = ConnectionPool(file, "foreign_keys", 1, BUSY_TIMEOUT)
        self._writers: Final = PoolSlots(connections, pool_timeout)
        """Those that write or are in line to, which BUSY_TIMEOUT bounds."""
        self.fetch: Final = self._read.fetch
        self.probe: Final = self._probe.fetch

    @property
    def use(self) -> dict[str, dict[str, int]]:
        """Numbers of connections to read with, and to write with or in line to."""
        read, write = self._read, self._write
        return {
            "read": {
                "in_use": read.slots.in_use,
                "idle": len(read.idle),
                "waiting": read.slots.waiting,
            },
            "write": {"in_use": self._writers.in_use, "idle": len(write.idle)},
        }

    async def begin(self) -> "SqliteTransaction":
        """Begin a transaction, which nobody else writes beside. Raises Busy."""
        await self._writers.acquire()
        try:
            connection = await self._write.acquire()
        except BaseException:
            self._writers.release()
            raise
        transaction = SqliteTransaction(self._write, self._writers, connection)
        try:
            # The lock is taken first: what starts by reading may not get it later.
            await self._write.run(connection, connection.fetch, "BEGIN IMMEDIATE")
        except BaseException:
            transaction.end(connection.rollback)
            raise
        return transaction

    async def close(self) -> None:
        """End what still runs, and close every connection."""
        for pool in (self._read, self._probe, self._write):
            await pool.close()


class SqliteTransaction:
    """A transaction, all of whose statements run in the thread of the connection that writes."""

    def __init__(self, pool: "ConnectionPool", writers: PoolSlots, connection: Connection) -> None:
        self._pool: Final = pool
        self._writers: Final = writers
        self._connection: Final = connection

    async def fetch(self, sql: str, bound: Bound) -> Rows:
        """Return the rows that a statement answers."""
        return await self._pool.run(self._connection, self._connection.fetch, sql, bound)

    async def fetch_many(self, sql: str, many: Sequence[Bound]) -> Rows:
        """Return the rows that a statement answers, run once for each list of values."""
        return await self._pool.run(self._connection, self._connection.fetch_many, sql, many)

    async def execute(self, sql: str, bound: Bound) -> int:
        """Return the number of rows that a statement changes."""
        return await self._pool.run(self._connection, self._connection.execute, sql, bound)

    async def commit(self) -> None:
        """Commit, or roll back if that fails."""
        try:
            await asyncio.wrap_future(self.end(self._connection.commit))
        except sqlite3.Error as error:
            translate(error)
            raise

    async def rollback(self) -> None:
        """Roll back."""
        await asyncio.wrap_future(self.end(self._connection.rollback))

    def end(self, work: Callable[[], None]) -> Future[None]:
        """Have the thread end it, and the next in line go on when it has, whoever waits for it."""
        loop = asyncio.get_running_loop()

        def release() -> None:
            self._pool.release(self._connection)
            self._writers.release()

        job = self._pool.submit(work)
        job.add_done_callback(lambda _: loop.call_soon_threadsafe(release))
        return job


class ConnectionPool:
    """Connections, each used by one thread at a time.

    To run a statement at once costs a third of having a thread run it, so that is tried first.
    """

    def __init__(self, file: str, access: str, size: int, timeout: float) -> None:
        self._file: Final = file
        self._access: Final = access
        self._threads: Final = ThreadPoolExecutor(size, thread_name_prefix=access)
        self.slots: Final = PoolSlots(size, timeout)
        self.idle: Final[list[Connection]] = []
        self._all: Final[list[Connection]] = []

    async def fetch(self, sql: str, bound: Bound) -> Rows:
        """Return the rows that a statement answers, which ends when nobody waits any more."""
        connection = await self.acquire()
        try:
            rows = connection.glance(sql, bound)
        except BaseException as error:
            self.release(connection)
            translate(error)
            raise
        if rows is not None:
            self.release(connection)
            return rows
        loop = asyncio.get_running_loop()
        job = self.submit(connection.fetch, sql, bound)
        # Only when the thread is done with it is the connection lent again.
        job.add_done_callback(lambda _: loop.call_soon_threadsafe(self.release, connection))
        return await self._result(connection, job)

    async def acquire(self) -> Connection:
        """Return a connection, when there is one. Raises Busy."""
        if not self.slots.try_acquire():
            await self.slots.acquire()
        if self.idle:
            return self.idle.pop()
        self._all.append(connection := Connection(self._file, self._access))
        return connection

    def release(self, connection: Connection) -> None:
        """Lend a connection to the next in line."""
        connection.given_up = False
        self.idle.append(connection)
        self.slots.release()

    def submit(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Have a thread work, whose log lines name the request that it works for."""
        return self._threads.submit(partial(copy_context().run, work, *args, **kwargs))

    async def run(
        self, connection: Connection, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Return what a thread does with a connection, which ends when nobody waits any more."""
        return await self._result(connection, self.submit(work, *args, **kwargs))

    async def close(self) -> None:
        """End what still runs, and close every connection."""
        for connection in self._all:
            connection.given_up = True
        await asyncio.to_thread(self._threads.shutdown)
        for connection in self._all:
            connection.close()

    async def _result(self, connection: Connection, job: Future[R]) -> R:
        try:
            return await asyncio.wrap_future(job)
        except asyncio.CancelledError:
            connection.given_up = not job.done()
            raise
        except sqlite3.Error as error:
            translate(error)
            raise


def sqlite_file(url: str) -> Path:
    """Return the file that a `sqlite:///` URL means."""
    return Path(make_url(url).database or "")
