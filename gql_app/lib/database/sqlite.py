"""A connection to an SQLite file, which waits for locks and interrupts cancelled statements."""

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import unquote

from gql_app.lib.database.errors import primary_code, translate

BUSY_TIMEOUT: Final = 30
"""Seconds that a statement waits for a locked file."""
BUSY_STEP: Final = 0.01
"""Seconds from one try to the next while the file is locked."""
CACHED_STATEMENTS: Final = 256
"""Prepared statements that each connection keeps."""
STEPS: Final = 20_000
"""Virtual machine steps between calls of the progress handler, about a millisecond.

A read blocks the event loop for two such intervals at most; a cancelled statement ends in one.
"""
R = TypeVar("R")
Rows: TypeAlias = list[tuple[Any, ...]]
Bound: TypeAlias = Sequence[object]


class NotWritable(sqlite3.OperationalError):
    """A file that is not opened, as SQLite would open it for reading only."""

    sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
    sqlite_errorname = "SQLITE_CANTOPEN"


class SqliteConnection:
    """A connection with its own thread, which opens it and runs the statements that take long.

    A read runs on the event loop first, which costs a third of what the thread costs.
    """

    begin: Final = "BEGIN IMMEDIATE"
    """Takes the write lock first: a transaction that starts by reading may not get it later."""

    def __init__(self, file: str, access: str) -> None:
        self._file: Final = file
        self._access: Final = access
        self._thread: Final = ThreadPoolExecutor(1, thread_name_prefix=access)
        self._driver: sqlite3.Connection | None = None
        self._is_done = True
        """Whether the thread has done its last job."""
        self._is_cancelled = False
        """Whether the progress handler is to interrupt the statement."""
        self._grace = 0
        """Calls of the progress handler before it does."""

    @property
    def is_open(self) -> bool:
        """Whether the file is open."""
        return self._driver is not None

    @property
    def is_free(self) -> bool:
        """Whether it may be used again as it is: no statement or transaction runs on it."""
        return self._is_done and (self._driver is None or not self._driver.in_transaction)

    async def read(self, sql: str, bound: Bound) -> Rows:
        """Return the rows of a query, run on the event loop if that is quick, else in the thread.

        It may only read: an interrupt rolls back a transaction that writes.
        """
        if self._driver is None:
            return await self.fetch(sql, bound)
        self._is_cancelled = True
        self._grace = 1
        try:
            return self._driver.execute(sql, bound).fetchall()
        except sqlite3.Error as error:
            if primary_code(error) not in {sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_BUSY}:
                translate(error)
                raise
        finally:
            self._is_cancelled = False
            self._grace = 0
        return await self.fetch(sql, bound)

    async def fetch(self, sql: str, bound: Bound) -> Rows:
        """Return the rows of a statement."""
        rows, _ = await self._run(lambda: self._send(sql, bound))
        return rows

    async def fetch_many(self, sql: str, many: Sequence[Bound]) -> Rows:
        """Return the rows of a statement that is run once for each list of values."""
        return await self._run(lambda: [row for each in many for row in self._send(sql, each)[0]])

    async def execute(self, sql: str, bound: Bound) -> int:
        """Return the number of rows that a statement changes."""
        _, count = await self._run(lambda: self._send(sql, bound))
        return max(count, 0)

    async def commit(self) -> None:
        """Commit."""
        await self.execute("COMMIT", ())

    async def reset(self) -> None:
        """Roll back, once the thread has ended its current job."""
        with suppress(RuntimeError):  # it was closed in the meantime
            await self._run(self._rollback)

    async def close(self) -> None:
        """Interrupt the statement that still runs, if any, and close the connection."""
        self._is_cancelled = True
        self._thread.shutdown(wait=False)
        if not self._is_done:
            await asyncio.to_thread(self._thread.shutdown)
        driver, self._driver = self._driver, None
        if driver is not None:
            driver.close()

    async def _run(self, work: Callable[[], R]) -> R:
        """Return what work returns in the thread; it is interrupted if the caller is cancelled.

        It runs in the caller's context, so that its log lines name the request.
        """
        self._is_done = False
        job = self._thread.submit(copy_context().run, work)
        try:
            result = await asyncio.wrap_future(job)
        except asyncio.CancelledError:
            self._is_cancelled = True
            raise
        except sqlite3.Error as error:
            self._is_done = True
            translate(error)
            raise
        self._is_done = True
        return result

    def _rollback(self) -> None:
        self._is_cancelled = False
        if self._driver is not None:
            self._driver.rollback()

    def _send(self, sql: str, bound: Bound) -> tuple[Rows, int]:
        """Return the rows of a statement, and how many it changes; wait if the file is locked."""
        deadline = time.monotonic() + BUSY_TIMEOUT
        while True:
            try:
                self._driver = self._driver or self._open()
                cursor = self._driver.execute(sql, bound)
                return cursor.fetchall(), cursor.rowcount  # which is complete after fetchall()
            except sqlite3.OperationalError as error:
                busy = primary_code(error) == sqlite3.SQLITE_BUSY
                if not busy or self._is_cancelled or time.monotonic() > deadline:
                    raise
            time.sleep(BUSY_STEP)

    def _open(self) -> sqlite3.Connection:
        """Return an open connection. Raises NotWritable, lest SQLite make logs of that mode."""
        file = Path(self._file)
        if not all(map(os.path.exists, _logs(file))) and (place := unwritable(file)):
            message = f"unable to open {place} for writing"
            raise NotWritable(message)
        driver = sqlite3.connect(
            self._file,
            timeout=0,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=CACHED_STATEMENTS,
        )
        try:
            driver.execute("PRAGMA journal_mode = WAL")
            driver.execute(f"PRAGMA {self._access} = ON")
        except sqlite3.Error:
            driver.close()
            raise
        driver.set_progress_handler(self._is_over, STEPS)
        return driver

    def _is_over(self) -> bool:
        """Return whether to interrupt the statement; SQLite's progress handler.

        SQLite counts the steps of a statement on from one run to the next, so that the first call
        may come at any time: for pages of 50 it did in one of six.
        """
        if self._grace:
            self._grace -= 1
            return False
        return self._is_cancelled


def unwritable(file: Path) -> Path | None:
    """Return what keeps this account from writing an SQLite file: it, a log, or their folder."""
    for each in (file, *_logs(file)):
        place = each if os.access(each, os.F_OK) else each.parent
        if not os.access(place, os.W_OK):
            return place
    return None


def _logs(file: Path) -> tuple[Path, Path]:
    return Path(f"{file}-wal"), Path(f"{file}-shm")


def sqlite_file(url: str) -> Path:
    """Return the file that a `sqlite:///` URL names, with %XX decoded as in any URL."""
    return Path(unquote(url.removeprefix("sqlite:///").partition("?")[0]))
