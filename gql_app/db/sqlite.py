"""Reading from SQLite: questions go to the driver, in threads beside the event loop."""

import asyncio
import sqlite3
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from sqlalchemy import make_url
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from gql_app.db.questions import Question, T

BUSY_TIMEOUT: Final = 30
"""Seconds that a writer to SQLite waits for its turn, and a reader while the file is made."""
STATEMENTS: Final = 256
"""Prepared statements that each connection keeps."""
STEPS: Final = 10_000
"""Steps of SQLite's machine from one look to the next whether anybody waits for them still."""


class SqliteReader:
    """Connections to read with, each used by one thread at a time."""

    def __init__(self, url: str, size: int) -> None:
        self._dialect: Final = SQLiteDialect_pysqlite()
        (self._file,), _ = self._dialect.create_connect_args(make_url(url))
        self._threads: Final = ThreadPoolExecutor(size, thread_name_prefix="reader")
        self._turns: Final = asyncio.Semaphore(size)
        self._idle: Final[list[_Connection]] = []

    async def ask(self, question: Question[T], /, **values: object) -> list[T]:
        """Ask a question; its statement ends when nobody waits for the answer any more."""
        rendered = question.rendered(self._dialect)
        rows = await self._fetch(rendered.sql, rendered.bind(values))
        return list(map(question.build, rendered.restored(rows)))

    async def close(self) -> None:
        """Close every connection."""
        await asyncio.to_thread(self._threads.shutdown)
        while self._idle:
            self._idle.pop().close()

    async def _fetch(self, sql: str, bound: Sequence[object]) -> list[tuple[object, ...]]:
        await self._turns.acquire()
        connection = self._idle.pop() if self._idle else _Connection(self._file)
        loop = asyncio.get_running_loop()
        job = self._threads.submit(connection.fetch, sql, bound)

        def done(_: Future[list[tuple[object, ...]]]) -> None:
            loop.call_soon_threadsafe(self._take_back, connection)

        job.add_done_callback(done)
        try:
            return await asyncio.wrap_future(job)
        except asyncio.CancelledError:
            connection.given_up = not job.done()
            raise

    def _take_back(self, connection: "_Connection") -> None:
        connection.given_up = False
        self._idle.append(connection)
        self._turns.release()


class _Connection:
    """A connection that is opened by whoever uses it first."""

    def __init__(self, file: str) -> None:
        self._file: Final = file
        self._driver: sqlite3.Connection | None = None
        self.given_up = False

    def fetch(self, sql: str, bound: Sequence[object]) -> list[tuple[object, ...]]:
        """Run a statement to its end."""
        if self._driver is None:
            self._driver = self._opened()
        return self._driver.execute(sql, bound).fetchall()

    def close(self) -> None:
        """Close it, if it was opened."""
        if self._driver is not None:
            self._driver.close()

    def _opened(self) -> sqlite3.Connection:
        driver = sqlite3.connect(
            self._file,
            timeout=BUSY_TIMEOUT,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=STATEMENTS,
        )
        try:
            driver.execute("PRAGMA journal_mode = WAL")
            driver.execute("PRAGMA query_only = ON")
        except sqlite3.Error:
            driver.close()
            raise
        driver.set_progress_handler(lambda: self.given_up, STEPS)
        return driver
