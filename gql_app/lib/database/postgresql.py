"""PostgreSQL: servers, and connections that open at first use and outlive a cancelled caller."""

import asyncio
import ssl
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
    Unresponsive,
    translate,
    unavailable,
)
from gql_app.lib.database.urls import options_of, servers_of, sslmode
from gql_app.lib.faults import StatementError, Unavailable

CONNECT_TIMEOUT: Final = 5
"""Seconds that PostgreSQL has to accept a connection, or to close one."""
SERVER_TIMEOUT: Final = 1
"""Seconds that each of several servers has to accept one."""
CACHED_STATEMENTS: Final = 256
"""Prepared statements that each connection keeps."""
CANCEL_DELAY: Final = 0.1
"""Seconds that a statement may go on after its caller was cancelled, until it is cancelled too."""
R = TypeVar("R")
Rows: TypeAlias = list[asyncpg.Record]
Bound: TypeAlias = Sequence[object]


class Servers:
    """The servers of a URL: connections go to the first that answers with the wanted role.

    If it wants a role, a server that failed is tried last from then on. By default statements are
    prepared until a pooler is found in between; `prepared` decides otherwise.
    """

    def __init__(self, url: str, *, prepared: bool | None = None) -> None:
        given = options_of(url)
        self._urls: Final = servers_of(given.url)
        self._same_role: Final = "target_session_attrs" not in url
        usual = CONNECT_TIMEOUT if len(self._urls) == 1 else SERVER_TIMEOUT
        self._options: Final[dict[str, Any]] = {
            "ssl": ssl.create_default_context() if given.verifies else sslmode(given.url),
            "timeout": given.timeout or usual,
            "max_cached_statement_lifetime": 0,
        }
        self._always_prepares: Final = prepared is True
        self._prepares = prepared is not False and given.prepared
        self.is_pooled = False
        """Whether a pooler was found that may leave prepared statements behind."""
        self.unanswered_probe: TimeoutError | None = None
        """The time-out of the last probe, while nothing but probes is sent."""
        self.connections: Final[list[PostgresConnection]] = []
        self.on_unresponsive: Final[list[Callable[[], None]]] = []
        """Functions to call when the servers turn out to be unresponsive."""

    async def connect(self) -> asyncpg.Connection:
        """Open a connection, which caches prepared statements, as many as fit.

        Without preparing, statements are unnamed and sent together with their values, so that a
        pooler may pass each to any server. Raises ConnectionLost.
        """
        cause: Exception | None = None
        for url in tuple(self._urls):
            try:
                return await self._connect_to(url)
            except DRIVER_ERRORS as error:
                cause = error
            if not self._same_role:
                self._urls.remove(url)
                self._urls.append(url)
        raise ConnectionLost from cause

    async def _connect_to(self, url: str) -> asyncpg.Connection:
        prepares = self._prepares
        size = CACHED_STATEMENTS if prepares else 0
        connection = await asyncpg.connect(url, **self._options, statement_cache_size=size)
        if not prepares or self._always_prepares:
            return connection
        try:
            async with asyncio.timeout(self._options["timeout"]):
                if await _is_direct(connection):
                    return connection
        except BaseException:
            connection.terminate()
            raise
        connection.terminate()
        self.stop_preparing()
        return await self._connect_to(url)

    def stop_preparing(self) -> None:
        """Prepare no more statements, since a pooler leaves them behind.

        If two processes gave the same name to two statements, even the wrong one might run.
        """
        self.is_pooled = self.is_pooled or self._prepares
        self._prepares = False

    def expire_all(self) -> None:
        """Close all connections, those in use as they are released."""
        for each in self.connections:
            each.expire()

    def mark_unresponsive(self, cause: TimeoutError) -> None:
        """Send nothing more until a probe is answered; interrupt all callers except in a commit."""
        self.unanswered_probe = cause
        for callback in self.on_unresponsive:
            callback()
        self.interrupt(cause)
        self.expire_all()

    def interrupt(self, cause: TimeoutError) -> None:
        """Raise Unresponsive in all callers that await a statement, except in a commit."""
        for each in self.connections:
            each.interrupt(_unresponsive(cause))

    def check(self) -> None:
        """Raise Unresponsive if the last probe was not answered."""
        if self.unanswered_probe:
            raise _unresponsive(self.unanswered_probe)


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


def _unresponsive(cause: TimeoutError) -> Unresponsive:
    error = Unresponsive()
    error.__cause__ = cause
    return error


async def _is_direct(connection: asyncpg.Connection) -> bool:
    """Return whether a connection leads directly to a server, and not through a pooler.

    A pooler gives its clients other process ids than the server's. Other engines may have none.
    The statement is unnamed, and so returns no row, only the count of rows.
    """
    same = f"SELECT 1 WHERE pg_backend_pid() = {connection.get_server_pid()}"
    try:
        status: str = await connection.execute(same)
    except asyncpg.PostgresError:
        return True
    return status == "SELECT 1"
