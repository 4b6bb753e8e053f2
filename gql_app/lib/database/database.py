"""The database: reading, transactions, and what is tried again."""

import asyncio
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import AbstractContextManager, asynccontextmanager
from typing import (
    Any,
    Concatenate,
    Final,
    Literal,
    ParamSpec,
    TypeAlias,
    TypeVar,
    overload,
)

from sqlalchemy import Dialect, select, true

from gql_app.lib.database.errors import Conflict, ConnectionLost, StatementError, Unavailable
from gql_app.lib.database.postgresql import PostgresBackend, PostgresTransaction
from gql_app.lib.database.probing import PROBE_TIMEOUT, within
from gql_app.lib.database.retrying import retry_conflict, retry_lost
from gql_app.lib.database.servers import CONNECT_TIMEOUT
from gql_app.lib.database.sqlite import SqliteBackend, SqliteTransaction
from gql_app.lib.database.statements import Query, Statement, compiled

CONNECTIONS: Final = 10
"""Connections that one process reads with; as many again write."""
POOL_TIMEOUT: Final = 5
"""Seconds that anybody waits for one of them."""
Observer: TypeAlias = Callable[[str], AbstractContextManager[object]]
"""Makes a context manager for the SQL of a statement, within which that runs."""
DialectName: TypeAlias = Literal["sqlite", "postgresql"]
Fetch: TypeAlias = Callable[[str, list[object]], Awaitable[Sequence[Sequence[Any]]]]
"""Sends SQL with the values of its parameters, and returns rows."""
B = TypeVar("B")
T = TypeVar("T")
R = TypeVar("R")
P = ParamSpec("P")
_ONE: Final = Query(select(true()), tuple)


class Reader:
    """What reads: the database, each query on a connection of its own, or a transaction."""

    def __init__(self, dialect: Dialect, fetch: Fetch, observer: Observer | None = None) -> None:
        self._dialect: Final = dialect
        self._fetch: Final = fetch
        self._observer = observer
        self.dialect: Final[DialectName] = "sqlite" if dialect.name == "sqlite" else "postgresql"
        """The kind of database."""

    @overload
    async def fetch_all(self, query: Query[T], /, **values: object) -> list[T]: ...
    @overload
    async def fetch_all(self, query: Statement, /, **values: object) -> list[Any]: ...
    async def fetch_all(self, query: Query[Any] | Statement, /, **values: object) -> list[Any]:
        """Return what is built of each row; named tuples for a bare statement.

        Raises Unavailable, StatementError.
        """
        statement = compiled(query, self._dialect)
        rows = await self._run(self._fetch, statement.sql, statement.bind(values))
        return statement.built(rows, query)

    @overload
    async def fetch_one(self, query: Query[T], /, **values: object) -> T | None: ...
    @overload
    async def fetch_one(self, query: Statement, /, **values: object) -> Any: ...  # noqa: ANN401 — a named tuple
    async def fetch_one(self, query: Query[Any] | Statement, /, **values: object) -> Any:
        """Return what is built of the first row, None if there is none."""
        found = await self.fetch_all(query, **values)
        return found[0] if found else None

    async def _run(
        self, work: Callable[[str, list[B]], Awaitable[R]], sql: str, bound: list[B]
    ) -> R:
        if self._observer is None:
            return await work(sql, bound)
        with self._observer(sql):
            return await work(sql, bound)


class Transaction(Reader):
    """What reads and writes, and sees what it wrote; all or nothing of it is committed.

    It runs one statement at a time, and none when its block has ended.
    """

    def __init__(
        self,
        dialect: Dialect,
        observer: Observer | None,
        driver: SqliteTransaction | PostgresTransaction,
    ) -> None:
        super().__init__(dialect, driver.fetch, observer)
        self._driver: Final = driver
        self.info: Final[dict[str, object]] = {}
        """What a rule leaves for whoever runs it."""
        self._ready = True
        self._failed: Exception | None = None
        self._callbacks: Final[list[Callable[[], object]]] = []

    async def execute(self, query: Query[Any] | Statement, /, **values: object) -> int:
        """Return the number of rows that were inserted, changed or deleted.

        Raises Unavailable, StatementError, and so IntegrityViolation: the transaction is to end.
        """
        statement = compiled(query, self._dialect)
        return await self._run(self._driver.execute, statement.sql, statement.bind(values))

    async def execute_many(
        self, query: Query[Any] | Statement, rows: Iterable[Mapping[str, object]], /
    ) -> None:
        """Execute a statement once for each mapping of values."""
        await self.fetch_many(query, rows)

    @overload
    async def fetch_many(
        self, query: Query[T], rows: Iterable[Mapping[str, object]], /
    ) -> list[T]: ...
    @overload
    async def fetch_many(
        self, query: Query[Any] | Statement, rows: Iterable[Mapping[str, object]], /
    ) -> list[Any]: ...
    async def fetch_many(
        self, query: Query[Any] | Statement, rows: Iterable[Mapping[str, object]], /
    ) -> list[Any]:
        """Execute a statement with RETURNING once for each mapping; return what all rows build."""
        statement = compiled(query, self._dialect)
        many = [statement.bind(values) for values in rows]
        return statement.built(await self._run(self._driver.fetch_many, statement.sql, many), query)

    def after_commit(self, callback: Callable[[], object], /) -> None:
        """Call something once the commit is known to have gone through; never after a rollback."""
        self._callbacks.append(callback)

    async def commit(self) -> None:
        """Commit, and call what waits for it."""
        self._ready = False
        await self._driver.commit()
        for callback in self._callbacks:
            callback()

    async def rollback(self) -> None:
        """Roll back."""
        self._ready = False
        await self._driver.rollback()

    def check(self) -> None:
        """Raise what a statement failed by: nothing can follow but the end."""
        if self._failed:
            raise self._failed

    async def _run(
        self, work: Callable[[str, list[B]], Awaitable[R]], sql: str, bound: list[B]
    ) -> R:
        if not self._ready:
            msg = "A transaction runs one statement at a time, until its block ends."
            raise RuntimeError(msg)
        self.check()
        self._ready = False
        try:
            return await super()._run(work, sql, bound)
        except BaseException as error:
            cancelled = StatementError("A statement of this transaction was cancelled.")
            self._failed = error if isinstance(error, Exception) else cancelled
            raise
        finally:
            self._ready = True


class Database(Reader):
    """One database, opened for the life of the process: `sqlite:///` or `postgresql://`."""

    def __init__(
        self,
        url: str,
        *,
        connections: int = CONNECTIONS,
        pool_timeout: float = POOL_TIMEOUT,
        prepared: bool = True,
    ) -> None:
        self._backend: Final[SqliteBackend | PostgresBackend] = (
            SqliteBackend(url, connections=connections, pool_timeout=pool_timeout)
            if url.startswith("sqlite:")
            else PostgresBackend(
                url, connections=connections, pool_timeout=pool_timeout, prepared=prepared
            )
        )
        super().__init__(self._backend.dialect, self._backend.fetch)
        self._running: Final[set[asyncio.Task[Any]]] = set()

    @property
    def use(self) -> dict[str, dict[str, int]]:
        """Numbers of connections in use and idle, to read with and to write with."""
        return self._backend.use

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Open a transaction, which commits when the block ends and rolls back if it raises.

        A commit that has begun goes through, also if the block is cancelled then. Raises
        Unavailable: whatever it is but CommitOutcomeUnknown, nothing was done.
        """
        transaction = Transaction(self._dialect, self._observer, await self._backend.begin())
        try:
            yield transaction
            transaction.check()
        except BaseException:
            await self._to_its_end(transaction.rollback())
            raise
        await self._to_its_end(transaction.commit())

    async def transact(
        self,
        rule: Callable[Concatenate[Transaction, P], Awaitable[R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Return what a rule returns, run in a transaction; again if that was rolled back.

        A rule leaves no trace but in the database, as it may run several times.
        Raises Unavailable, StatementError.
        """
        try:
            return await self.once(rule, *args, **kwargs)
        except Conflict:
            return await retry_conflict(self.once, rule, *args, **kwargs)
        except ConnectionLost:
            return await retry_lost(self.once, rule, *args, **kwargs)

    async def once(
        self,
        rule: Callable[Concatenate[Transaction, P], Awaitable[R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Return what a rule returns, run in one transaction, which ends by itself if cancelled.

        A database that hangs would keep its caller waiting: to roll back and to commit take an
        answer, and a commit waits for the standbys. Raises Unavailable, StatementError.
        """

        async def run() -> R:
            async with self.transaction() as transaction:
                return await rule(transaction, *args, **kwargs)

        task = self._started(run())
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.cancel()
            raise

    async def probe(self, query: Query[T], /, **values: object) -> list[T]:
        """Return what is built of each row, fetched by a connection of its own in two seconds.

        So it tells a database that hangs from a busy pool. Raises Unavailable, StatementError.
        """
        statement = compiled(query, self._dialect)
        work = self._backend.probe(statement.sql, statement.bind(values))
        try:
            return statement.built(await within(work, PROBE_TIMEOUT), query)
        except TimeoutError as error:
            raise Unavailable from error

    async def ping(self) -> None:
        """Raise Unavailable unless the database answers in two seconds."""
        try:
            await self.probe(_ONE)
        except StatementError as error:
            raise Unavailable from error

    def observe(self, observer: Observer) -> None:
        """Run each statement within a context manager that an observer makes of its SQL."""
        self._observer = observer

    async def close(self) -> None:
        """Close every connection, when what still runs has ended or had five seconds for it."""
        if self._running:
            await asyncio.wait(self._running, timeout=CONNECT_TIMEOUT)
        await self._backend.close()

    async def _to_its_end(self, work: Coroutine[Any, Any, None]) -> None:
        """Wait for work, which goes on if this is cancelled."""
        await asyncio.shield(self._started(work))

    def _started(self, work: Coroutine[Any, Any, R]) -> asyncio.Task[R]:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # nobody may be there to be told
