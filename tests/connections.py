"""Connections of the databases that tests are lent, kept open from one test to the next.

To open one takes a server 15 ms and a client 5, and most tests want three or four.
"""

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final, TypeAlias

import asyncpg
import pytest

from gql_app.lib.database import database, sqlite_file
from gql_app.lib.database.postgresql import PostgresConnection, Servers
from gql_app.lib.database.sqlite import STEPS, SqliteConnection

Files: TypeAlias = defaultdict[tuple[str, str], list[sqlite3.Connection]]
"""Connections by the file and by what they may do with it."""
Pools: TypeAlias = defaultdict[str, list[asyncpg.Connection]]
"""Connections by the database's URL."""
MOST: Final = 4
"""Connections of one kind that are kept of a database."""


class Kept:
    """Connections that nobody uses, of the databases that are lent. All are of one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._loop = loop
        self._lent: Final[set[str]] = set()
        self.files: Final[Files] = defaultdict(list)
        self.servers: Final[Pools] = defaultdict(list)

    @contextmanager
    def lent(self, url: str) -> Iterator[None]:
        """Keep what is opened of a database while the block lasts."""
        place = str(sqlite_file(url)) if url.startswith("sqlite:") else url
        self._lent.add(place)
        try:
            yield
        finally:
            self._lent.discard(place)

    @contextmanager
    def ending_tasks(self) -> Iterator[None]:
        """Cancel what is left of the tasks that began in the block, as the end of a loop would."""
        assert self._loop
        before = asyncio.all_tasks(self._loop)
        yield
        if left := asyncio.all_tasks(self._loop) - before:
            for task in left:
                task.cancel()
            self._loop.run_until_complete(asyncio.wait(left))

    def has_room(self, place: str, idle: Collection[object]) -> bool:
        """Return whether another connection of a database is to be kept."""
        return place in self._lent and len(idle) < MOST

    def processes(self, url: str) -> list[int]:
        """Return the server's processes behind what is kept of a database."""
        return [each.get_server_pid() for each in self.servers[url] if not each.is_closed()]

    def close(self, url: str | None = None) -> None:
        """Close what is kept of a database, or of all."""
        for (file, _), drivers in self.files.items():
            while drivers and url in {None, f"sqlite:///{file}"}:
                drivers.pop().close()
        for server, connections in self.servers.items():
            while connections and url in {None, server}:
                connections.pop().terminate()


class KeptSqliteConnection(SqliteConnection):
    """A connection to an SQLite file, which may have been another's before, and be again."""

    def __init__(self, kept: Kept, file: str, access: str) -> None:
        super().__init__(file, access)
        self._kept = kept
        self._idle = kept.files[file, access]

    async def close(self) -> None:
        """Keep it if it is as good as new."""
        if self.is_free and self._driver and self._kept.has_room(self._file, self._idle):
            self._idle.append(self._driver)
            self._driver = None
        await super().close()

    def _opened(self) -> sqlite3.Connection:
        if not self._idle:
            return super()._opened()
        driver = self._idle.pop()
        driver.set_progress_handler(self._is_over, STEPS)
        return driver


class KeptServers(Servers):
    """PostgreSQL's servers, with connections that may have been another's before."""

    def __init__(self, kept: Kept, url: str, *, prepared: bool = True) -> None:
        super().__init__(url, prepared=prepared)
        self._kept = kept
        self._place = url
        self._prepares = prepared

    async def connect(self) -> asyncpg.Connection:
        """Return one that is kept, if it is still open."""
        idle = self._kept.servers[self._place]
        while self._prepares and idle:
            connection = idle.pop()
            if not connection.is_closed():
                return connection
        return await super().connect()

    def keep(self, connection: asyncpg.Connection) -> bool:
        """Keep a connection, if there is room."""
        idle = self._kept.servers[self._place]
        keeps = self._prepares and self._kept.has_room(self._place, idle)
        if keeps:
            idle.append(connection)
        return keeps


class KeptPostgresConnection(PostgresConnection):
    """A connection to PostgreSQL, which may have been another's before, and be again."""

    def __init__(self, servers: KeptServers) -> None:
        super().__init__(servers)
        self._keep = servers.keep

    async def close(self) -> None:
        """Keep it if it is as good as new."""
        driver = self._driver
        if self.is_free and driver and not driver.is_closed() and self._keep(driver):
            self._driver = None
        await super().close()


@contextmanager
def keeping() -> Iterator[Kept]:
    """Keep connections that this process opens within the block, on the loop that is running."""
    kept = Kept(asyncio.get_running_loop())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "SqliteConnection", partial(KeptSqliteConnection, kept))
        patch.setattr(database, "PostgresConnection", KeptPostgresConnection)
        patch.setattr(database, "Servers", partial(KeptServers, kept))
        try:
            yield kept
        finally:
            kept.close()
