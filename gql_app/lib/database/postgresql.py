"""PostgreSQL: connections that are opened by what is sent first, and outlive who is cancelled."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Final, TypeAlias, TypeVar

import asyncpg

from gql_app.lib.database.errors import (
    DRIVER_ERRORS,
    LEFT_BEHIND,
    CommitOutcomeUnknown,
    ConnectionLost,
    StatementError,
    translate,
    unavailable,
)
from gql_app.lib.database.servers import CONNECT_TIMEOUT, Servers
from gql_app.lib.database.uncancelled import Cancelled, Uncancelled
from gql_app.lib.faults import Unavailable

SHORT: Final = 0.1
"""Seconds in which a statement that nobody waits for any more may end by itself."""
R = TypeVar("R")
Rows: TypeAlias = list[asyncpg.Record]
Bound: TypeAlias = Sequence[object]


class PostgresConnection:
    """A connection that is opened by what is sent first.

    If one is lost all are closed, those that are out as they come back: what befell one befell
    the others, too. While the servers are silent nothing is sent, but by who probes them.
    """

    begin: Final = "BEGIN"

    def __init__(self, servers: Servers, *, probes: bool = False) -> None:
        self._servers: Final = servers
        self._probes: Final = probes
        self._driver: asyncpg.Connection | None = None
        self._statement: Uncancelled[Any] | None = None
        """What was sent last."""
        self._is_old = False
        """Whether another was lost since it was opened."""
        self._is_known = True
        """Whether the last statement was answered, so that another may follow."""
        self._commits = False
        servers.connections.append(self)

    @property
    def is_open(self) -> bool:
        """Whether the server is connected to."""
        return self._driver is not None

    @property
    def is_free(self) -> bool:
        """Whether it is as good as new."""
        return self._is_known and not self._is_old and not self._in_transaction

    def fetch(self, sql: str, bound: Bound) -> Awaitable[Rows]:
        """Return the rows that a statement answers."""
        return self._run(lambda driver: driver.fetch(sql, *bound))

    read = fetch

    def fetch_many(self, sql: str, many: Sequence[Bound]) -> Awaitable[Rows]:
        """Return the rows that a statement answers, run once for each list of values."""
        return self._run(lambda driver: driver.fetchmany(sql, many))

    async def execute(self, sql: str, bound: Bound) -> int:
        """Return the number of rows that a statement changes, by its status, as `UPDATE 3`."""
        status: str = await self._run(lambda driver: driver.execute(sql, *bound))
        count = status.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def commit(self) -> None:
        """Commit. Raises CommitOutcomeUnknown if the connection is lost while it commits."""
        self._commits = True
        try:
            await self.execute("COMMIT", ())
        except ConnectionLost as error:
            if isinstance(error.__cause__, asyncpg.InterfaceError):
                raise  # it was found closed, before anything was sent by it
            raise CommitOutcomeUnknown from error
        finally:
            self._commits = False

    async def settle(self) -> None:
        """End its statement and its transaction, so that it is as good as new, or else close it.

        A short statement runs to its end, and a longer one is cancelled on the server.
        """
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                if self._statement and not self._statement.is_over:
                    await self._end_statement(self._statement)
                if self._is_known and self._in_transaction:
                    await self.execute("ROLLBACK", ())
        except (Unavailable, StatementError, TimeoutError):
            self._terminate()
        if not self.is_free:
            await self.close()

    async def close(self) -> None:
        """Close it in peace, or else at once."""
        if self._driver is not None and not self._servers.silence:
            with suppress(*DRIVER_ERRORS):
                await self._driver.close(timeout=CONNECT_TIMEOUT)
        self._terminate()
        if self._statement and not self._statement.is_over:
            self._statement.cancel()
            with suppress(Unavailable, StatementError, Cancelled):
                await self._statement
        self._is_known, self._is_old = True, False

    def expire(self) -> None:
        """Close it if it is idle, and else as it comes back, for another was lost."""
        self._is_old = self._in_transaction or not self._is_known
        if not self._is_old:
            self._terminate()

    def interrupt(self, error: Exception) -> None:
        """Raise an error in whoever waits for its statement, unless that is a commit."""
        if self._statement and not self._commits:
            self._statement.interrupt(error)

    @property
    def _in_transaction(self) -> bool:
        return self._driver is not None and self._driver.is_in_transaction()

    def _run(self, work: Callable[[asyncpg.Connection], Awaitable[R]]) -> Awaitable[R]:
        """Return what is awaited for a statement, which isn't cancelled with whoever awaits it."""
        if not self._probes:
            self._servers.check()
        self._is_known = False
        self._statement = statement = Uncancelled(self._send(work))
        return statement

    async def _send(self, work: Callable[[asyncpg.Connection], Awaitable[R]]) -> R:
        try:
            if self._driver is None:
                self._driver = await asyncio.create_task(self._servers.connect())
            result = await work(self._driver)
        except BaseException as error:
            self._is_known = isinstance(error, asyncpg.PostgresError)
            if isinstance(error, LEFT_BEHIND):
                self._servers.go_on_unprepared()
            if isinstance(unavailable(error), ConnectionLost):
                self._servers.lose()
            translate(error)
            raise
        self._is_known = True
        return result

    async def _end_statement(self, statement: Uncancelled[Any]) -> None:
        """Wait until a statement has ended, however it does; the server is told after a while.

        The driver sends nothing more until the server has ended what was cancelled.
        """
        try:
            async with asyncio.timeout(SHORT):
                await statement
        except (Unavailable, StatementError):
            return
        except TimeoutError:
            statement.cancel()
            with suppress(Unavailable, StatementError, Cancelled):
                await statement
            self._servers.check()
            self._is_known = self._driver is None or self._in_transaction  # which is rolled back
            if not self._is_known:
                await self.execute("SELECT 1", ())

    def _terminate(self) -> None:
        driver, self._driver = self._driver, None
        if driver is not None:
            driver.terminate()
