"""A connection to an SQLite file, which waits for locks and ends what nobody waits for."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

from sqlalchemy import make_url

from gql_app.lib.database.errors import primary_code, translate

BUSY_TIMEOUT: Final = 30
"""Seconds that who finds the file locked waits for it."""
BUSY_STEP: Final = 0.01
"""Seconds from one try to the next while the file is locked."""
CACHED_STATEMENTS: Final = 256
"""Prepared statements that each connection keeps."""
STEPS: Final = 20_000
"""Steps of SQLite's machine, a millisecond or so, twice of which the event loop may stand still.

A thread looks as often whether anybody waits for its result still.
"""
R = TypeVar("R")
Rows: TypeAlias = list[tuple[Any, ...]]
Bound: TypeAlias = Sequence[object]


class SqliteConnection:
    """A connection with a thread of its own, which opens it and does what takes long.

    To run a statement at once costs a third of having a thread run it, so that is tried first.
    """

    begin: Final = "BEGIN IMMEDIATE"
    """It takes the lock first: what starts by reading may not get it later."""

    def __init__(self, file: str, access: str) -> None:
        self._file: Final = file
        self._access: Final = access
        self._thread: Final = ThreadPoolExecutor(1, thread_name_prefix=access)
        self._driver: sqlite3.Connection | None = None
        self._is_done = True
        """Whether the thread has done what it was last told to."""
        self._given_up = False
        """Whether the statement is to end at the next look."""
        self._grace = 0
        """Looks before that one."""

    @property
    def is_open(self) -> bool:
        """Whether the file is open."""
        return self._driver is not None

    @property
    def is_free(self) -> bool:
        """Whether it is as good as new."""
        return self._is_done and (self._driver is None or not self._driver.in_transaction)

    async def read(self, sql: str, bound: Bound) -> Rows:
        """Return the rows that a query answers, at once if that is done in no time.

        It runs on the event loop, so it may read only: to be interrupted rolls back what writes.
        """
        if self._driver is None:
            return await self.fetch(sql, bound)
        self._given_up = True
        self._grace = 1
        try:
            return self._driver.execute(sql, bound).fetchall()
        except sqlite3.Error as error:
            if primary_code(error) not in {sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_BUSY}:
                translate(error)
                raise
        finally:
            self._given_up = False
            self._grace = 0
        return await self.fetch(sql, bound)

    async def fetch(self, sql: str, bound: Bound) -> Rows:
        """Return the rows that a statement answers."""
        rows, _ = await self._run(lambda: self._sent(sql, bound))
        return rows

    async def fetch_many(self, sql: str, many: Sequence[Bound]) -> Rows:
        """Return the rows that a statement answers, run once for each list of values."""
        return await self._run(lambda: [row for each in many for row in self._sent(sql, each)[0]])

    async def execute(self, sql: str, bound: Bound) -> int:
        """Return the number of rows that a statement changes."""
        _, count = await self._run(lambda: self._sent(sql, bound))
        return max(count, 0)

    async def commit(self) -> None:
        """Commit."""
        await self.execute("COMMIT", ())

    async def settle(self) -> None:
        """Roll back, when the thread is done with what it is at."""
        with suppress(RuntimeError):  # it was closed in the meantime
            await self._run(self._rollback)

    async def close(self) -> None:
        """End what still runs, and close it."""
        self._given_up = True
        self._thread.shutdown(wait=False)
        if not self._is_done:
            await asyncio.to_thread(self._thread.shutdown)
        driver, self._driver = self._driver, None
        if driver is not None:
            driver.close()

    async def _run(self, work: Callable[[], R]) -> R:
        """Return what the thread does, which ends when nobody waits any more.

        Its log lines name the request that it works for.
        """
        self._is_done = False
        job = self._thread.submit(copy_context().run, work)
        try:
            result = await asyncio.wrap_future(job)
        except asyncio.CancelledError:
            self._given_up = True
            raise
        except sqlite3.Error as error:
            self._is_done = True
            translate(error)
            raise
        self._is_done = True
        return result

    def _rollback(self) -> None:
        self._given_up = False
        if self._driver is not None:
            self._driver.rollback()

    def _sent(self, sql: str, bound: Bound) -> tuple[Rows, int]:
        """Return what a statement answers, and changes; wait for a file that is locked."""
        deadline = time.monotonic() + BUSY_TIMEOUT
        while True:
            try:
                self._driver = self._driver or self._opened()
                cursor = self._driver.execute(sql, bound)
                return cursor.fetchall(), cursor.rowcount  # which counts what was read
            except sqlite3.OperationalError as error:
                busy = primary_code(error) == sqlite3.SQLITE_BUSY
                if not busy or self._given_up or time.monotonic() > deadline:
                    raise
            time.sleep(BUSY_STEP)

    def _opened(self) -> sqlite3.Connection:
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
        """Return whether the statement is to end; SQLite asks for it at each look.

        It counts the steps of a statement on from one run to the next, so that the first look
        may come at any time: of pages of 50 it did so in one of six.
        """
        if self._grace:
            self._grace -= 1
            return False
        return self._given_up


def sqlite_file(url: str) -> Path:
    """Return the file that a `sqlite:///` URL means."""
    return Path(make_url(url).database or "")
