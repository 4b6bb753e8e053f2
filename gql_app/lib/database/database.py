"""The database: reading, transactions, and what is tried again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from typing import (
    Any,
    Concatenate,
    Final,
    Literal,
    ParamSpec,
    Protocol,
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
from gql_app.lib.database.statements import Compiled, Query, Statement, compiled

CONNECTIONS: Final = 10
"""Connections that one process reads with; as many again write."""
POOL_TIMEOUT: Final = 5
"""Seconds that anybody waits for one of them."""
Observer: TypeAlias = Callable[[str], AbstractContextManager[object]]
"""Makes a context manager for the SQL of a statement, within which that runs."""
DialectName: TypeAlias = Literal["sqlite", "postgresql"]
Fetch: TypeAlias = Callable[[str, list[object]], Coroutine[Any, Any, Sequence[Sequence[Any]]]]
"""Sends SQL with the values of its parameters, and returns rows."""
T = TypeVar("T")
R = TypeVar("R")
P = ParamSpec("P")
_ONE: Final = Query(select(true()), tuple)


class Reader(Protocol):
    """What reads: the database, each query on a connection of its own, or a transaction."""

    @property
    def dialect(self) -> DialectName:
        """The kind of database."""

    @overload
    async def fetch_all(self, query: Query[T], /, **values: object) -> list[T]: ...
    @overload
    async def fetch_all(self, query: Statement, /, **values: object) -> list[Any]: ...
    @overload
    async def fetch_one(self, query: Query[T], /, **values: object) -> T | None: ...
    @overload
    async def fetch_one(self, query: Statement, /, **values: object) -> Any: ...  # noqa: ANN401 — a named tuple


class _Fetching:
    """What a database and a transaction have in common: statements are compiled, and observed."""

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
        statement, build = self._compiled(query)
        rows = await self._run(statement, self._fetch(statement.sql, statement.bind(values)))
        return statement.built(rows, build)

    @overload
    async def fetch_one(self, query: Query[T], /, **values: object) -> T | None: ...
    @overload
    async def fetch_one(self, query: Statement, /, **values: object) -> Any: ...  # noqa: ANN401 — a named tuple
    async def fetch_one(self, query: Query[Any] | Statement, /, **values: object) -> Any:
        """Return what is built of the first row, None if there is none."""
        found = await self.fetch_all(query, **values)
        return found[0] if found else None

    def _compiled(
        self, query: Query[Any] | Statement
    ) -> tuple[Compiled, Callable[[Sequence[Any]], Any] | None]:
        if isinstance(query, Query):
            return compiled(query.statement, self._dialect), query.build
        return compiled(query, self._dialect), None

    async def _run(self, statement: Compiled, work: Coroutine[Any, Any, R]) -> R:
        if self._observer is None:
            return await work
        with self._observer(statement.sql):
            return await work


class Transaction(_Fetching):
    """What reads and writes, and sees what it wrote; all or nothing of it is committed."""

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
        self._failed: Exception | None = None
        self._callbacks: Final[list[Callable[[], object]]] = []

    async def execute(self, query: Query[Any] | Statement, /, **values: object) -> int:
        """Return the number of rows that were inserted, changed or deleted.

        Raises IntegrityViolation, which rolls the transaction back, StatementError, Unavailable.
        """
        statement, _ = self._compiled(query)
        bound = statement.bind(values)
        return await self._run(statement, self._driver.execute(statement.sql, bound))

    async def execute_many(
        self, query: Query[Any] | Statement, rows: Sequence[Mapping[str, object]], /
    ) -> None:
        """Execute a statement once for each mapping of values."""
        statement, _ = self._compiled(query)
        many = [statement.bind(values) for values in rows]
        await self._run(statement, self._driver.execute_many(statement.sql, many))

    @overload
    async def fetch_many(
        self, query: Query[T], rows: Sequence[Mapping[str, object]], /
    ) -> list[T]: ...
    @overload
    async def fetch_many(
        self, query: Statement, rows: Sequence[Mapping[str, object]], /
    ) -> list[Any]: ...
    async def fetch_many(
        self, query: Query[Any] | Statement, rows: Sequence[Mapping[str, object]], /
    ) -> list[Any]:
        """Execute a statement with RETURNING once for each mapping; return what all rows build."""
        statement, build = self._compiled(query)
        many = [statement.bind(values) for values in rows]
        answered = await self._run(statement, self._driver.fetch_many(statement.sql, many))
        return statement.built(answered, build)

    def after_commit(self, callback: Callable[[], object], /) -> None:
        """Call something once the commit is known to have gone through; never after a rollback."""
        self._callbacks.append(callback)

    def raise_failed(self) -> None:
        """Raise what a statement failed by, if its error did not end the block."""
        if self._failed:
            raise self._failed

    async def commit(self) -> None:
        """Commit, and call what waits for it."""
        await self._driver.commit()
        for callback in self._callbacks:
            callback()

    async def rollback(self) -> None:
        """Roll back."""
        await self._driver.rollback()

    async def _run(self, statement: Compiled, work: Coroutine[Any, Any, R]) -> R:
        try:
            return await super()._run(statement, work)
        except Exception as error:
            self._failed = error
            raise


class Database(_Fetching):
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
            transaction.raise_failed()
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
        statement = compiled(query.statement, self._dialect)
        work = self._backend.probe(statement.sql, statement.bind(values))
        try:
            return statement.built(await within(work, PROBE_TIMEOUT), query.build)
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
