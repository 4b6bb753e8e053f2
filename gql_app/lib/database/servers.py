"""Servers of PostgreSQL: which are connected to, by what TLS, and whether a pooler is between."""

import asyncio
import re
from collections.abc import Callable
from typing import Any, Final, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg

from gql_app.lib.database.errors import DRIVER_ERRORS, ConnectionLost, Silent
from gql_app.lib.database.urls import options_of
from gql_app.lib.environment import variable
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


class Servers:
    """The servers of a URL, of which the first is connected to that answers as it should.

    Where their roles differ, one that didn't is the last to be tried again. Statements are prepared
    if that is wished; unless anything is, they are until a pooler is found to stand between.
    """

    def __init__(self, url: str, *, prepared: bool | None = None) -> None:
        given = options_of(url)
        self._urls: Final = servers_of(given.url)
        self._alike: Final = "target_session_attrs" not in url
        usual = CONNECT_TIMEOUT if len(self._urls) == 1 else SERVER_TIMEOUT
        self._options: Final[dict[str, Any]] = {
            "ssl": given.tls or sslmode(given.url),
            "timeout": given.timeout or usual,
            "max_cached_statement_lifetime": 0,
        }
        self._is_wished: Final = prepared is True
        self._prepares = prepared is not False and given.prepared
        self.is_pooled = False
        """Whether a pooler was found that may leave prepared statements behind."""
        self.silence: TimeoutError | None = None
        """Why nothing is sent to them at the moment: a probe was not answered."""
        self.connections: Final[list[PooledConnection]] = []
        self.on_silence: Final[list[Callable[[], None]]] = []
        """Called when they fall silent."""

    async def connect(self) -> asyncpg.Connection:
        """Open a connection, which keeps what it prepared for as long as there is room.

        Unless statements are to be prepared it names none, and each goes out with its values at
        once, so that a pooler may have any server run it. Raises ConnectionLost.
        """
        cause: Exception | None = None
        for url in tuple(self._urls):
            try:
                return await self._connect_to(url)
            except DRIVER_ERRORS as error:
                cause = error
            if not self._alike:
                self._urls.remove(url)
                self._urls.append(url)
        raise ConnectionLost from cause

    async def _connect_to(self, url: str) -> asyncpg.Connection:
        prepares = self._prepares
        size = CACHED_STATEMENTS if prepares else 0
        connection = await asyncpg.connect(url, **self._options, statement_cache_size=size)
        if not prepares or self._is_wished:
            return connection
        try:
            async with asyncio.timeout(self._options["timeout"]):
                if await _is_direct(connection):
                    return connection
        except BaseException:
            connection.terminate()
            raise
        connection.terminate()
        self.go_on_unprepared()
        return await self._connect_to(url)

    def go_on_unprepared(self) -> None:
        """Prepare no more statements, since a pooler leaves them behind.

        Where two processes gave the same name to two statements, it might even run the wrong one.
        """
        self.is_pooled = self.is_pooled or self._prepares
        self._prepares = False

    def lose(self) -> None:
        """Close all connections, those that are out as they come back."""
        for each in self.connections:
            each.expire()

    def fall_silent(self, cause: TimeoutError) -> None:
        """Send nothing more until a probe is answered, and wait for nothing but commits."""
        self.silence = cause
        for end_waiting in self.on_silence:
            end_waiting()
        for each in self.connections:
            each.interrupt(_silent(cause))
        self.lose()

    def check(self) -> None:
        """Raise Silent if they answer nothing."""
        if self.silence:
            raise _silent(self.silence)


class PooledConnection(Protocol):
    """A connection that hears of what befalls the others."""

    def expire(self) -> None:
        """Close it, now or as it comes back, for another was lost."""

    def interrupt(self, error: Exception) -> None:
        """Raise an error in whoever waits for it, for no answer is to be expected."""


def _silent(cause: TimeoutError) -> Silent:
    error = Silent()
    error.__cause__ = cause
    return error


async def _is_direct(connection: asyncpg.Connection) -> bool:
    """Return whether a connection leads to the server that took it, as no pooler's does.

    A pooler tells each client a number of its own for the server's process. Other engines may
    have none. It is sent without a name, and so answers no row: only their count.
    """
    same = f"SELECT 1 WHERE pg_backend_pid() = {connection.get_server_pid()}"
    try:
        status: str = await connection.execute(same)
    except asyncpg.PostgresError:
        return True
    return status == "SELECT 1"


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
