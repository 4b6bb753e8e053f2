"""PostgreSQL: connections that open at their first statement, and outlive a cancelled caller."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeAlias, TypeVar

import asyncpg

from gql_app.lib.database.errors import (
    DRIVER_ERRORS,
    POOLER_ERRORS,
    CommitOutcomeUnknown,
    ConnectionLost,
    translate,
    unavailable,
)
from gql_app.lib.database.servers import CONNECT_TIMEOUT, Servers
from gql_app.lib.faults import StatementError, Unavailable

CANCEL_DELAY: Final = 0.1
"""Seconds that a statement may go on after its caller was cancelled, until it is cancelled too."""
R = TypeVar("R")
Rows: TypeAlias = list[asyncpg.Record]
Bound: TypeAlias = Sequence[object]


class PostgresConnection:
    """A connection that opens when the first statement is sent.

    If one is lost all are closed, those in use as they are released: they are likely lost as well.
    While the servers are unresponsive, only probes are sent.
    """

    begin: Final = "BEGIN"

    def __init__(self, servers: Servers, *, probes: bool = False) -> None:
        self._servers: Final = servers
        self._probes: Final = probes
        self._driver: asyncpg.Connection | None = None
        self._statement: asyncio.Task[Any] | None = None
        """The statement that runs, until it ends; it is not cancelled with its caller."""
        self._caller: asyncio.Future[Any] | None = None
        """The future that the statement's caller awaits."""
        self._is_old = False
        """Whether another connection was lost since this one was opened."""
        self._is_answered = True
        """Whether the last statement was answered, so that another may follow."""
        self._commits = False
        servers.connections.append(self)

    @property
    def is_open(self) -> bool:
        """Whether it is connected to a server."""
        return self._driver is not None

    @property
    def is_free(self) -> bool:
        """Whether it may be used again as it is: no statement or transaction runs on it."""
        return self._is_answered and not self._is_old and not self._in_transaction

    def fetch(self, sql: str, bound: Bound) -> Awaitable[Rows]:
        """Return the rows of a statement."""
        return self._run(lambda driver: driver.fetch(sql, *bound))

    read = fetch

    def fetch_many(self, sql: str, many: Sequence[Bound]) -> Awaitable[Rows]:
        """Return the rows of a statement that is run once for each list of values."""
        return self._run(lambda driver: driver.fetchmany(sql, many))

    async def execute(self, sql: str, bound: Bound) -> int:
        """Return the number of rows that a statement changes, by its status such as `UPDATE 3`."""
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
                raise  # it was found closed before the COMMIT was sent
            raise CommitOutcomeUnknown from error
        finally:
            self._commits = False

    async def reset(self) -> None:
        """End its statement and its transaction, so that it may be used again, or else close it.

        A short statement runs to its end, and a longer one is cancelled on the server.
        """
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                if self._statement:
                    await self._end_statement(self._statement)
                if self._is_answered and self._in_transaction:
                    await self.execute("ROLLBACK", ())
        except (Unavailable, StatementError, TimeoutError):
            self._terminate()
        if not self.is_free:
            await self.close()

    async def close(self) -> None:
        """Close it gracefully if the server responds, or else abort it."""
        if self._driver is not None and not self._servers.unanswered_probe:
            with suppress(*DRIVER_ERRORS):
                await self._driver.close(timeout=CONNECT_TIMEOUT)
        self._terminate()
        if self._statement:
            self._statement.cancel()
            await asyncio.wait({self._statement})
        self._is_answered, self._is_old = True, False

    def expire(self) -> None:
        """Close it, at once if it is idle and else when it is released: another was lost."""
        self._is_old = self._in_transaction or not self._is_answered
        if not self._is_old:
            self._terminate()

    def interrupt(self, error: Exception) -> None:
        """Raise an error in the caller that awaits its statement, unless that is a commit."""
        if self._caller and not self._caller.done() and not self._commits:
            self._caller.set_exception(error)

    @property
    def _in_transaction(self) -> bool:
        return self._driver is not None and self._driver.is_in_transaction()

    def _run(self, work: Callable[[asyncpg.Connection], Awaitable[R]]) -> Awaitable[R]:
        """Return a future of what a statement answers; the statement outlives its cancelling."""
        if not self._probes:
            self._servers.check()
        self._is_answered = False
        self._caller = caller = asyncio.get_running_loop().create_future()
        self._statement = asyncio.create_task(self._send(work))
        self._statement.add_done_callback(partial(self._answer, caller))
        return caller

    def _answer(self, caller: asyncio.Future[Any], statement: asyncio.Task[Any]) -> None:
        """Give a caller what its statement answers, unless it waits no longer."""
        if self._statement is statement:  # an error would keep alive all that it has seen
            self._statement = self._caller = None
        error = ConnectionLost() if statement.cancelled() else statement.exception()
        if caller.done():
            return
        if error:
            caller.set_exception(error)
        else:
            caller.set_result(statement.result())

    async def _send(self, work: Callable[[asyncpg.Connection], Awaitable[R]]) -> R:
        try:
            if self._driver is None:
                self._driver = await self._servers.connect()
            result = await work(self._driver)
        except BaseException as error:
            self._is_answered = isinstance(error, asyncpg.PostgresError)
            if isinstance(error, POOLER_ERRORS):
                self._servers.stop_preparing()
            if isinstance(unavailable(error), ConnectionLost):
                self._servers.expire_all()
            translate(error)
            raise
        self._is_answered = True
        return result

    async def _end_statement(self, statement: asyncio.Task[Any]) -> None:
        """Wait until a statement has ended, by itself or, after CANCEL_DELAY, cancelled.

        The driver sends nothing more until the server has ended what was cancelled.
        """
        await asyncio.wait({statement}, timeout=CANCEL_DELAY)
        if statement.done():
            return
        statement.cancel()
        await asyncio.wait({statement})
        self._servers.check()
        self._is_answered = self._driver is None or self._in_transaction  # which is rolled back
        if not self._is_answered:
            await self.execute("SELECT 1", ())

    def _terminate(self) -> None:
        driver, self._driver = self._driver, None
        if driver is not None:
            driver.terminate()
