"""PostgreSQL: its servers, the TLS that is insisted on, and connections that are opened anew."""

import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg

from gql_app.lib.database.errors import (
    DRIVER_ERRORS,
    CommitOutcomeUnknown,
    ConnectionLost,
    translate,
    unavailable,
)
from gql_app.lib.database.urls import options_of
from gql_app.lib.environment import variable
from gql_app.lib.faults import Unavailable
from gql_app.lib.network import is_loopback

SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
"""What libpq calls them, from the weakest."""
INSISTING: Final = SSL_MODES[3:]
"""Those that send nothing in the clear."""
CONNECT_TIMEOUT: Final = 5
"""Seconds that PostgreSQL has to take a connection, or to let go of one."""
SERVER_TIMEOUT: Final = 1
"""Seconds that each of several servers has."""
CACHED_STATEMENTS: Final = 256
"""Prepared statements that each connection keeps."""
_PORT: Final = re.compile(r":\d*$")
R = TypeVar("R")
Rows: TypeAlias = list[asyncpg.Record]
Bound: TypeAlias = Sequence[object]


class Servers:
    """The servers of a URL, of which the first is connected to that answers as it should.

    Where their roles differ, one that didn't is the last to be tried again.
    """

    def __init__(self, url: str, *, prepared: bool = True) -> None:
        given = options_of(url)
        self._urls: Final = servers_of(given.url)
        self._alike: Final = "target_session_attrs" not in url
        usual = CONNECT_TIMEOUT if len(self._urls) == 1 else SERVER_TIMEOUT
        self._options: Final[dict[str, Any]] = {
            "ssl": given.tls or sslmode(given.url),
            "timeout": given.timeout or usual,
            "statement_cache_size": CACHED_STATEMENTS if prepared and given.prepared else 0,
            "max_cached_statement_lifetime": 0,
        }
        self.on_loss: Final[list[Callable[[], None]]] = []
        """Called when a connection is lost."""

    async def connect(self) -> asyncpg.Connection:
        """Open a connection, which keeps what it prepared for as long as there is room.

        Unless statements are to be prepared it names none, and each goes out with its values at
        once, so that a pooler may have any server run it. Raises ConnectionLost.
        """
        cause: Exception | None = None
        for url in tuple(self._urls):
            try:
                return await asyncpg.connect(url, **self._options)
            except DRIVER_ERRORS as error:
                cause = error
            if not self._alike:
                self._urls.remove(url)
                self._urls.append(url)
        raise ConnectionLost from cause


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
        try:
            await self.execute("COMMIT", ())
        except ConnectionLost as error:
            if isinstance(error.__cause__, asyncpg.InterfaceError):
                raise  # it was found closed, before anything was sent by it
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


def servers_of(url: str) -> list[str]:
    """Return each server's own URL, so that one that hangs leaves the others time."""
    parts = urlsplit(url)
    login, at, hosts = parts.netloc.rpartition("@")
    if "," not in hosts or "prefer-standby" in parts.query:  # which looks at all of them first
        return [url]
    return [parts._replace(netloc=f"{login}{at}{host}").geturl() for host in hosts.split(",")]


def sslmode(url: str) -> str:
    """Return the sslmode to connect with: the one that the URL names, if it names one.

    Without one it is at least `require` where a server is on another machine: by `prefer`, the
    drivers' default, the password goes in the clear to whoever answers that there is no TLS.
    PGSSLMODE may ask for more there, and for anything on this machine.
    """
    if named := _named(url):
        return named
    wanted = variable("PGSSLMODE")
    if _leaves_this_machine(url):
        return wanted if wanted in INSISTING else "require"
    return wanted or "prefer"


def in_the_clear(url: str) -> bool:
    """Return whether passwords and rows may cross a network without TLS."""
    return _leaves_this_machine(url) and sslmode(url) not in INSISTING


def tls_advice(url: str) -> str:
    """Return what to look at besides if the database can't be reached, or nothing."""
    if not url.startswith("postgresql://") or not _leaves_this_machine(url) or _named(url):
        return ""
    return " Beyond this machine it must offer TLS, unless the URL says sslmode=disable."


def _leaves_this_machine(url: str) -> bool:
    """Return whether any server of the URL is reached by other than loopback and Unix sockets."""
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    said = unquote(parts.netloc.rpartition("@")[2]) or query.get("host", [""])[-1]
    hosts = said or variable("PGHOST")
    if hosts is None:
        return "service" in query or variable("PGSERVICE") is not None
    return not all(
        host.startswith("/") or is_loopback(_PORT.sub("", host)) for host in hosts.split(",")
    )


def _named(url: str) -> str | None:
    return parse_qs(urlsplit(url).query).get("sslmode", [None])[-1]
