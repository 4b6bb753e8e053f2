"""A connection to PostgreSQL, opened anew when it is lost."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final, TypeAlias, TypeVar

import asyncpg

from gql_app.lib.database.errors import (
    DRIVER_ERRORS,
    CommitOutcomeUnknown,
    ConnectionClosed,
    ConnectionLost,
    translate,
    unavailable,
)
from gql_app.lib.database.servers import CONNECT_TIMEOUT, Servers
from gql_app.lib.faults import Unavailable

R = TypeVar("R")
Rows: TypeAlias = list[asyncpg.Record]
Bound: TypeAlias = Sequence[object]


class PostgresConnection:
    """A connection that is opened by what is sent first.

    If one is lost all are closed, those that are out as they come back: what befell one befell
    the others, too.
    """

    begin: Final = "BEGIN"

    def __init__(self, servers: Servers) -> None:
        self._servers: Final = servers
        self._driver: asyncpg.Connection | None = None
        self._is_old = False
        """Whether another was lost since it was opened."""
        self._is_known = True
        """Whether the last statement was answered, so that another may follow."""
        servers.on_loss.append(self._expire)

    @property
    def is_open(self) -> bool:
        """Whether the server is connected to."""
        return self._driver is not None

    @property
    def is_free(self) -> bool:
        """Whether it is as good as new."""
        return self._is_known and not self._is_old and not self._in_transaction

    async def fetch(self, sql: str, bound: Bound) -> Rows:
        """Return the rows that a statement answers."""
        return await self._run(lambda driver: driver.fetch(sql, *bound))

    read = fetch

    async def fetch_many(self, sql: str, many: Sequence[Bound]) -> Rows:
        """Return the rows that a statement answers, run once for each list of values."""
        return await self._run(lambda driver: driver.fetchmany(sql, many))

    async def execute(self, sql: str, bound: Bound) -> int:
        """Return the number of rows that a statement changes, by its status, as `UPDATE 3`."""
        status: str = await self._run(lambda driver: driver.execute(sql, *bound))
        count = status.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def commit(self) -> None:
        """Commit. Raises CommitOutcomeUnknown if the connection is lost while it commits."""
        try:
            await self.execute("COMMIT", ())
        except ConnectionClosed:
            raise
        except ConnectionLost as error:
            raise CommitOutcomeUnknown from error

    async def settle(self) -> None:
        """Roll back, or close it if nobody knows what it is at, which ends its statement."""
        if self._is_known and self._in_transaction:
            with suppress(Unavailable):
                await self.execute("ROLLBACK", ())
        if not self.is_free:
            await self.close()

    async def close(self) -> None:
        """Close it in peace, or else at once."""
        driver, self._driver = self._driver, None
        self._is_known, self._is_old = True, False
        if driver is None:
            return
        try:
            await driver.close(timeout=CONNECT_TIMEOUT)
        except DRIVER_ERRORS:
            driver.terminate()

    def _expire(self) -> None:
        self._is_old = self._in_transaction or not self._is_known
        if self._driver and not self._is_old:
            self._driver.terminate()
            self._driver = None

    @property
    def _in_transaction(self) -> bool:
        return self._driver is not None and self._driver.is_in_transaction()

    async def _run(self, work: Callable[[asyncpg.Connection], Awaitable[R]]) -> R:
        self._is_known = False
        try:
            if self._driver is None:
                self._driver = await self._servers.connect()
            result = await work(self._driver)
        except BaseException as error:
            self._is_known = isinstance(error, asyncpg.PostgresError)
            if isinstance(unavailable(error), ConnectionLost):
                for expire in self._servers.on_loss:
                    expire()
            translate(error)
            raise
        self._is_known = True
        return result
