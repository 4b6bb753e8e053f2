"""SQLite at the driver: what takes long, and a deed, goes to threads beside the loop."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Final, ParamSpec, TypeAlias, TypeVar

from sqlalchemy import make_url
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from gql_app.db.deeds import Deed, Order
from gql_app.db.faults import judged, primary
from gql_app.db.questions import Question, T
from gql_app.db.turns import Turns

BUSY_TIMEOUT: Final = 30
"""Seconds that who finds the file locked waits for it."""
BUSY_STEP: Final = 0.01
"""Seconds from one try to the next while a reader waits."""
STATEMENTS: Final = 256
"""Prepared statements that each connection keeps."""
STEPS: Final = 20_000
"""Steps of SQLite's machine, a millisecond or so, twice of which the event loop may stand still.

A thread looks as often whether anybody waits for its answer still.
"""
P = ParamSpec("P")
R = TypeVar("R")
_Found: TypeAlias = list[tuple[object, ...]]


class SqliteReader:
    """Connections to read with, each used by one thread at a time.

    To ask at once costs a third of having a thread ask, so that is tried first.
    """

    _access = "query_only"

    def __init__(self, url: str, size: int, patience: float) -> None:
        self._dialect: Final = SQLiteDialect_pysqlite()
        (self._file,), _ = self._dialect.create_connect_args(make_url(url))
        self._threads: Final = ThreadPoolExecutor(size, thread_name_prefix="reader")
        self._turns: Final = Turns(size, patience)
        self._idle: Final[list[_Connection]] = []
        self._all: Final[list[_Connection]] = []

    async def ask(self, question: Question[T], /, **values: object) -> list[T]:
        """Ask a question; its statement ends when nobody waits for the answer any more.

        Raises Unavailable.
        """
        rendered = question.rendered(self._dialect)
        try:
            rows = await self._fetch(rendered.sql, rendered.bind(values))
        except sqlite3.Error as error:
            fault = judged(error)
            if fault:
                raise fault from error
            raise
        return question.built(rendered.restored(rows))

    @property
    def use(self) -> dict[str, int]:
        """How many connections are in use and idle, and how many questions wait for one."""
        turns = self._turns
        return {"in_use": turns.taken, "idle": len(self._idle), "waiting": turns.waiting}

    async def close(self) -> None:
        """End what is still asked, and close every connection."""
        for connection in self._all:
            connection.given_up = True
        await asyncio.to_thread(self._threads.shutdown)
        for connection in self._all:
            connection.close()

    async def _fetch(self, sql: str, bound: Sequence[object]) -> _Found:
        if not self._turns.take():
            await self._turns.await_one()
        connection = self._idle.pop() if self._idle else self._new()
        try:
            rows = connection.glance(sql, bound)
        except BaseException:
            self._take_back(connection)
            raise
        if rows is None:
            return await self._in_thread(connection, connection.fetch, sql, bound)
        self._take_back(connection)
        return rows

    def _new(self) -> "_Connection":
        connection = _Connection(self._file, self._access)
        self._all.append(connection)
        return connection

    async def _in_thread(
        self, connection: "_Connection", work: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Have a thread work; only when it is done is the connection lent again."""
        loop = asyncio.get_running_loop()
        within = copy_context().run  # whose lines in the log it is then in
        job = self._threads.submit(within, partial(work, *args, **kwargs))

        def done(_: Future[R]) -> None:
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
        self._turns.give_back()


class SqliteDoer(SqliteReader):
    """A connection that writes; there is one, for SQLite lets nobody write beside another."""

    _access = "foreign_keys"

    def __init__(self, url: str) -> None:
        super().__init__(url, 1, BUSY_TIMEOUT)

    async def do(self, deed: Deed, /, **values: object) -> bool:
        """Do a deed in a transaction of its own, all of it in one thread. Raises Unavailable."""
        orders = deed.orders(self._dialect, values)
        if not self._turns.take():
            await self._turns.await_one()
        connection = self._idle.pop() if self._idle else self._new()
        try:
            return await self._in_thread(connection, connection.do, orders)
        except sqlite3.Error as error:
            fault = judged(error)
            if fault:
                raise fault from error
            raise


class _Connection:
    """A connection that is opened by the thread that uses it first."""

    def __init__(self, file: str, access: str) -> None:
        self._file: Final = file
        self._access: Final = access
        self._driver: sqlite3.Connection | None = None
        self.given_up = False
        """Whether the statement is to end at the next look."""
        self._grace = 0
        """Looks before that one."""

    def glance(self, sql: str, bound: Sequence[object]) -> _Found | None:
        """Run a statement, or answer None if that is not done in no time."""
        if self._driver is None:
            return None
        self.given_up = True
        self._grace = 1
        try:
            return self._driver.execute(sql, bound).fetchall()
        except sqlite3.OperationalError as error:
            if primary(error) in {sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_BUSY}:
                return None
            raise
        finally:
            self.given_up = False
            self._grace = 0

    def fetch(self, sql: str, bound: Sequence[object]) -> _Found:
        """Run a statement to its end, and wait for a file that is locked."""
        patience = time.monotonic() + BUSY_TIMEOUT
        while True:
            try:
                self._driver = self._driver or self._opened()
                return self._driver.execute(sql, bound).fetchall()
            except sqlite3.OperationalError as error:
                busy = primary(error) == sqlite3.SQLITE_BUSY
                if not busy or self.given_up or time.monotonic() > patience:
                    raise
            time.sleep(BUSY_STEP)

    def do(self, orders: Sequence[Order]) -> bool:
        """Run statements in one transaction, and tell whether any answered a row."""
        self.fetch("BEGIN IMMEDIATE", ())
        try:
            answers = [self.fetch(sql, bound) for sql, bound in orders]
            self.fetch("COMMIT", ())
        except BaseException:
            assert self._driver is not None  # noqa: S101 — for mypy
            self._driver.rollback()
            raise
        return any(answers)

    def close(self) -> None:
        """Close it, if it was opened."""
        if self._driver is not None:
            self._driver.close()

    def _opened(self) -> sqlite3.Connection:
        driver = sqlite3.connect(
            self._file,
            timeout=0,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=STATEMENTS,
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
        """Tell SQLite at a look whether the statement is to end.

        It counts the steps of a statement on from one run to the next, so that the first look
        may come at any time: of pages of 50 it did so in one of six.
        """
        if self._grace:
            self._grace -= 1
            return False
        return self.given_up
