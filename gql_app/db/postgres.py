"""Reading from PostgreSQL: questions go to the driver, each in a transaction of its own."""

import asyncio
from typing import Final

import asyncpg
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

from gql_app.db.questions import Question, T
from gql_app.db.turns import Turns

CONNECT_TIMEOUT: Final = 5
"""Seconds that PostgreSQL has to take a connection, or to let go of one."""
STATEMENTS: Final = 256
"""Prepared statements that each connection keeps."""
_LOST: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.IdleSessionTimeoutError,
    asyncpg.InvalidCachedStatementError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # of one that is being lost this very moment
    OSError,
)
"""What a connection says that is of no more use; nothing is known of the question's fate."""


async def connect(url: str) -> asyncpg.Connection:
    """Open a connection, which keeps what it prepared for as long as there is room."""
    return await asyncpg.connect(
        url,
        timeout=CONNECT_TIMEOUT,
        statement_cache_size=STATEMENTS,
        max_cached_statement_lifetime=0,
    )


class PostgresReader:
    """Connections to read with: the last that came back is the first to go out again.

    Each is opened when it is needed first. Who finds all of them out waits in line.
    """

    def __init__(self, url: str, size: int) -> None:
        self._url: Final = url
        self._dialect: Final = PGDialect_asyncpg()  # type: ignore[no-untyped-call]
        self._turns: Final = Turns(size)
        self._idle: Final[list[asyncpg.Connection]] = []
        self._closing: Final[set[asyncio.Task[None]]] = set()

    async def ask(self, question: Question[T], /, **values: object) -> list[T]:
        """Ask a question; once more if the connection turns out to be lost."""
        rendered = question.rendered(self._dialect)
        bound = rendered.bind(values)
        try:
            rows = await self._fetch(rendered.sql, bound)
        except _LOST:
            self._forget()
            rows = await self._fetch(rendered.sql, bound)
        return list(map(question.build, rendered.restored(rows)))

    @property
    def use(self) -> dict[str, int]:
        """How many connections are in use and idle, and how many questions wait for one."""
        turns = self._turns
        return {"in_use": turns.taken, "idle": len(self._idle), "waiting": turns.waiting}

    async def close(self) -> None:
        """Close every connection that is not out."""
        self._forget()
        await asyncio.gather(*self._closing)

    async def _fetch(self, sql: str, bound: list[object]) -> list[asyncpg.Record]:
        await self._turns.acquire()
        connection: asyncpg.Connection | None = None
        try:
            connection = self._idle.pop() if self._idle else await connect(self._url)
            rows: list[asyncpg.Record] = await connection.fetch(sql, *bound)
        except BaseException as error:
            refused = isinstance(error, asyncpg.PostgresError) and not isinstance(error, _LOST)
            if connection is None:
                self._turns.release()
            elif refused:
                self._take_back(connection)
            else:
                self._drop(connection)
            raise
        self._take_back(connection)
        return rows

    def _take_back(self, connection: asyncpg.Connection) -> None:
        self._idle.append(connection)
        self._turns.release()

    def _drop(self, connection: asyncpg.Connection) -> None:
        """Close a connection, which ends its statement; only then may another be opened."""
        task = asyncio.create_task(_close(connection))
        self._closing.add(task)
        task.add_done_callback(self._dropped)

    def _dropped(self, task: asyncio.Task[None]) -> None:
        self._closing.discard(task)
        self._turns.release()

    def _forget(self) -> None:
        """Close all that wait: what befell one befell the others, most likely."""
        while self._idle:
            self._idle.pop().terminate()


async def _close(connection: asyncpg.Connection) -> None:
    """Close a connection in peace, or else at once."""
    try:
        await connection.close(timeout=CONNECT_TIMEOUT)
    except (*_LOST, asyncpg.PostgresError):
        connection.terminate()
