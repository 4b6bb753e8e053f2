"""One connection to an SQLite file, which waits for locks and ends what nobody waits for."""

import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias, TypeVar

from gql_app.lib.database.errors import primary_code

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


class Connection:
    """A connection that is opened by the thread that uses it first."""

    def __init__(self, file: str, access: str) -> None:
        self._file: Final = file
        self._access: Final = access
        self._driver: sqlite3.Connection | None = None
        self.given_up = False
        """Whether the statement is to end at the next look."""
        self._grace = 0
        """Looks before that one."""

    def glance(self, sql: str, bound: Bound) -> Rows | None:
        """Return the rows that a statement answers, None if that is not done in no time.

        It runs on the event loop, so it may read only: to be interrupted rolls back what writes.
        """
        if self._driver is None:
            return None
        self.given_up = True
        self._grace = 1
        try:
            return self._driver.execute(sql, bound).fetchall()
        except sqlite3.OperationalError as error:
            if primary_code(error) in {sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_BUSY}:
                return None
            raise
        finally:
            self.given_up = False
            self._grace = 0

    def fetch(self, sql: str, bound: Bound = ()) -> Rows:
        """Return the rows that a statement answers."""
        return self._patiently(lambda driver: driver.execute(sql, bound).fetchall())

    def fetch_many(self, sql: str, many: Sequence[Bound]) -> Rows:
        """Return the rows that a statement answers, run once for each list of values."""
        return [row for bound in many for row in self.fetch(sql, bound)]

    def execute(self, sql: str, bound: Bound) -> int:
        """Return the number of rows that a statement changes."""

        def changed(driver: sqlite3.Connection) -> int:
            cursor = driver.execute(sql, bound)
            cursor.fetchall()  # what it answers is counted when it is read
            return max(cursor.rowcount, 0)

        return self._patiently(changed)

    def commit(self) -> None:
        """Commit, or roll back if that fails."""
        try:
            self.fetch("COMMIT")
        except BaseException:
            self.rollback()
            raise

    def rollback(self) -> None:
        """Roll back, if anything was begun."""
        self.given_up = False
        if self._driver is not None:
            self._driver.rollback()

    def close(self) -> None:
        """Close it, if it was opened."""
        if self._driver is not None:
            self._driver.close()

    def _patiently(self, work: Callable[[sqlite3.Connection], R]) -> R:
        """Return what is done with the driver's connection; wait for a file that is locked."""
        deadline = time.monotonic() + BUSY_TIMEOUT
        while True:
            try:
                self._driver = self._driver or self._opened()
                return work(self._driver)
            except sqlite3.OperationalError as error:
                busy = primary_code(error) == sqlite3.SQLITE_BUSY
                if not busy or self.given_up or time.monotonic() > deadline:
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
        return self.given_up
