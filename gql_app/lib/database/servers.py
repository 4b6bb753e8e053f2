"""PostgreSQL servers: which of them to connect to, with what TLS, and whether through a pooler."""

import asyncio
import re
from collections.abc import Callable
from typing import Any, Final, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg

from gql_app.lib.database.errors import DRIVER_ERRORS, ConnectionLost, Unresponsive
from gql_app.lib.database.urls import options_of
from gql_app.lib.environment import variable
from gql_app.lib.network import is_loopback

SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
"""The values of sslmode, as libpq has them, weakest first."""
ENCRYPTED_MODES: Final = SSL_MODES[3:]
"""Those that never send in the clear."""
CONNECT_TIMEOUT: Final = 5
"""Seconds that PostgreSQL has to accept a connection, or to close one."""
SERVER_TIMEOUT: Final = 1
"""Seconds that each of several servers has to accept one."""
CACHED_STATEMENTS: Final = 256
"""Prepared statements that each connection keeps."""
_PORT: Final = re.compile(r":\d*$")


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
            "ssl": given.tls or sslmode(given.url),
            "timeout": given.timeout or usual,
            "max_cached_statement_lifetime": 0,
        }
        self._always_prepares: Final = prepared is True
        self._prepares = prepared is not False and given.prepared
        self.is_pooled = False
        """Whether a pooler was found that may leave prepared statements behind."""
        self.unanswered_probe: TimeoutError | None = None
        """The time-out of the last probe, while nothing but probes is sent."""
        self.connections: Final[list[PooledConnection]] = []
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
        for each in self.connections:
            each.interrupt(_unresponsive(cause))
        self.expire_all()

    def check(self) -> None:
        """Raise Unresponsive if the last probe was not answered."""
        if self.unanswered_probe:
            raise _unresponsive(self.unanswered_probe)


class PooledConnection(Protocol):
    """A connection that is closed or interrupted because of what happened to others."""

    def expire(self) -> None:
        """Close it, now or when it is released, for another was lost."""

    def interrupt(self, error: Exception) -> None:
        """Raise an error in the caller that waits for it, as no answer is expected."""


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


def servers_of(url: str) -> list[str]:
    """Return a URL for each server, so that each has its own time-out."""
    parts = urlsplit(url)
    login, at, hosts = parts.netloc.rpartition("@")
    if "," not in hosts or "prefer-standby" in parts.query:  # which looks at all of them first
        return [url]
    return [parts._replace(netloc=f"{login}{at}{host}").geturl() for host in hosts.split(",")]


def sslmode(url: str) -> str:
    """Return the sslmode to connect with: the URL's, if it has one.

    Else it is at least `require` if a server is on another machine: with `prefer`, the drivers'
    default, the password goes in the clear to any server that answers that it has no TLS.
    PGSSLMODE may ask for more there, and for anything on this machine.
    """
    if named := _named(url):
        return named
    wanted = variable("PGSSLMODE")
    if _leaves_this_machine(url):
        return wanted if wanted in ENCRYPTED_MODES else "require"
    return wanted or "prefer"


def in_the_clear(url: str) -> bool:
    """Return whether passwords and rows may cross a network without TLS."""
    return _leaves_this_machine(url) and sslmode(url) not in ENCRYPTED_MODES


def tls_advice(url: str) -> str:
    """Return a hint on TLS for a database that can't be reached, or an empty string."""
    if not url.startswith("postgresql://") or not _leaves_this_machine(url) or _named(url):
        return ""
    return " Beyond this machine it must offer TLS, unless the URL says sslmode=disable."


def _leaves_this_machine(url: str) -> bool:
    """Return whether any server of the URL is reached over other than loopback or Unix sockets."""
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
