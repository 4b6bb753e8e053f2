"""PostgreSQL at the driver: each question, and each deed, in a transaction of its own."""

import asyncio
from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

from gql_app.db.deeds import Deed
from gql_app.db.faults import DRIVERS, PASSING, Closed, Lost, Unknown, asking_again, judged
from gql_app.db.questions import Question, T
from gql_app.db.turns import Turns
from gql_app.settings.postgresql import sslmode

CONNECT_TIMEOUT: Final = 5
"""Seconds that PostgreSQL has to take a connection, or to let go of one."""
SERVER_TIMEOUT: Final = 1
"""Seconds that each of several has."""
STATEMENTS: Final = 256
"""Prepared statements that each connection keeps."""


class Servers:
    """The servers of a URL, of which the first is connected to that answers as it should.

    Where their roles differ, one that didn't is the last to be tried again.
    """

    def __init__(self, url: str, *, prepared: bool = True) -> None:
        self._urls: Final = servers_of(url)
        self._alike: Final = "target_session_attrs" not in url
        self._timeout: Final = CONNECT_TIMEOUT if len(self._urls) == 1 else SERVER_TIMEOUT
        self._statements: Final = STATEMENTS if prepared else 0
        self._sslmode: Final = sslmode(url)

    async def connect(self) -> asyncpg.Connection:
        """Open a connection, which keeps what it prepared for as long as there is room.

        Or else it names no statement, and each goes out with its values at once, so that a
        pooler may have any server run it. Raises Lost.
        """
        cause: Exception | None = None
        for url in tuple(self._urls):
            try:
                return await asyncpg.connect(
                    url,
                    ssl=self._sslmode,
                    timeout=self._timeout,
                    statement_cache_size=self._statements,
                    max_cached_statement_lifetime=0,
                )
            except DRIVERS as error:
                cause = error
            if not self._alike:
                self._urls.remove(url)
                self._urls.append(url)
        raise Lost from cause


def servers_of(url: str) -> list[str]:
    """Tell each server's own URL, so that one that hangs leaves the others time."""
    parts = urlsplit(url)
    login, at, hosts = parts.netloc.rpartition("@")
    if "," not in hosts or "prefer-standby" in parts.query:  # which looks at all of them first
        return [url]
    return [parts._replace(netloc=f"{login}{at}{host}").geturl() for host in hosts.split(",")]


class PostgresReader:
    """Connections to read with: the last that came back is the first to go out again.

    Each is opened when it is needed first. Who finds all of them out waits in line.
    """

    def __init__(self, servers: Servers, size: int, patience: float) -> None:
        self._servers: Final = servers
        self._dialect: Final = PGDialect_asyncpg()  # type: ignore[no-untyped-call]
        self._turns: Final = Turns(size, patience)
        self._deeds: Final = asyncio.Semaphore(size // 2)
        self._idle: Final[list[asyncpg.Connection]] = []
        self._closing: Final[set[asyncio.Task[None]]] = set()
        self._era = 0

    async def ask(self, question: Question[T], /, **values: object) -> list[T]:
        """Ask a question; a few times if the connection turns out to be lost.

        Raises Unavailable.
        """
        rendered = question.rendered(self._dialect)
        bound = rendered.bind(values)
        try:
            rows = await self._fetch(rendered.sql, bound)
        except PASSING:
            rows = await asking_again(self._fetch, rendered.sql, bound)
        return question.built(rendered.restored(rows))

    async def do(self, deed: Deed, /, **values: object) -> bool:
        """Do a deed in a transaction of its own, unless that many are being done already.

        A commit may hang, as its standby does; reading goes on by the other connections.
        Raises Unavailable: whatever it is but Unknown, nothing was done.
        """
        if self._deeds.locked():
            return False
        orders = deed.orders(self._dialect, values)
        [sql] = {sql for sql, _ in orders}
        async with self._deeds:
            return bool(await self._fetch(sql, [bound for _, bound in orders], writing=True))

    @property
    def use(self) -> dict[str, int]:
        """How many connections are in use and idle, and how many questions wait for one."""
        turns = self._turns
        return {"in_use": turns.taken, "idle": len(self._idle), "waiting": turns.waiting}

    def forget(self) -> None:
        """Close all connections, as they come back: what befell one befell the others, too."""
        self._era += 1
        while self._idle:
            self._idle.pop().terminate()

    async def close(self) -> None:
        """Close every connection that is not out."""
        self.forget()
        await asyncio.gather(*self._closing)

    async def _fetch(
        self, sql: str, bound: list[Any], *, writing: bool = False
    ) -> list[asyncpg.Record]:
        """Run a statement; one that writes once for each list of values, in one transaction."""
        if not self._turns.take():
            await self._turns.await_one()
        era, connection = self._era, None
        try:
            connection = self._idle.pop() if self._idle else await self._servers.connect()
            sent = connection.fetchmany(sql, bound) if writing else connection.fetch(sql, *bound)
            rows: list[asyncpg.Record] = await sent
        except BaseException as error:
            fault = judged(error)
            if isinstance(fault, Lost):
                self.forget()
            answered = isinstance(error, asyncpg.PostgresError)
            self._take_back(connection, era if answered else None)
            lost = isinstance(fault, Lost) and not isinstance(fault, Closed)
            if writing and lost and connection and connection.is_closed():
                raise Unknown from error  # what was refused leaves it open
            if fault and fault is not error:
                raise fault from error
            raise
        self._take_back(connection, era)
        return rows

    def _take_back(self, connection: asyncpg.Connection | None, era: int | None) -> None:
        """Keep a connection, unless it is none of these days or nobody knows what it is at.

        To close it ends its statement; only then may another be opened.
        """
        if connection and era != self._era:
            task = asyncio.create_task(_close(connection))
            self._closing.add(task)
            task.add_done_callback(self._dropped)
            return
        if connection:
            self._idle.append(connection)
        self._turns.give_back()

    def _dropped(self, task: asyncio.Task[None]) -> None:
        self._closing.discard(task)
        self._turns.give_back()


async def _close(connection: asyncpg.Connection) -> None:
    """Close a connection in peace, or else at once."""
    try:
        await connection.close(timeout=CONNECT_TIMEOUT)
    except DRIVERS:
        connection.terminate()
