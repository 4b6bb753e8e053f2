"""What reads, and a transaction, which writes as well."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Literal, TypeAlias, TypeVar, overload

from sqlalchemy import Dialect

from gql_app.lib.database.errors import StatementError
from gql_app.lib.database.pool import Connection, Pool
from gql_app.lib.database.statements import Query, Statement, compiled

Observer: TypeAlias = Callable[[str], AbstractContextManager[object]]
"""Makes a context manager for the SQL of a statement, within which that runs."""
DialectName: TypeAlias = Literal["sqlite", "postgresql"]
Fetch: TypeAlias = Callable[[str, list[object]], Awaitable[Sequence[Sequence[Any]]]]
"""Sends SQL with the values of its parameters, and returns rows."""
B = TypeVar("B")
T = TypeVar("T")
R = TypeVar("R")


class Reader:
    """What reads: the database, each query on a connection of its own, or a transaction."""

    def __init__(self, dialect: Dialect, fetch: Fetch, observer: Observer | None = None) -> None:
        self.sql_dialect: Final = dialect
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
        statement = compiled(query, self.sql_dialect)
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
        self, dialect: Dialect, observer: Observer | None, pool: Pool, connection: Connection
    ) -> None:
        super().__init__(dialect, connection.fetch, observer)
        self._pool: Final = pool
        self._connection: Final = connection
        self.info: Final[dict[str, object]] = {}
        """What a rule leaves for its caller."""
        self._ready = True
        self._failed: Exception | None = None
        self._callbacks: Final[list[Callable[[], object]]] = []

    async def execute(self, query: Query[Any] | Statement, /, **values: object) -> int:
        """Return the number of rows that were inserted, changed or deleted.

        Raises Unavailable, StatementError, and so IntegrityViolation: the transaction is to end.
        """
        statement = compiled(query, self.sql_dialect)
        return await self._run(self._connection.execute, statement.sql, statement.bind(values))

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
        statement = compiled(query, self.sql_dialect)
        many = [statement.bind(values) for values in rows]
        return statement.built(
            await self._run(self._connection.fetch_many, statement.sql, many), query
        )

    def after_commit(self, callback: Callable[[], object], /) -> None:
        """Call something once the commit is known to have gone through; never after a rollback."""
        self._callbacks.append(callback)

    async def commit(self) -> None:
        """Commit, and call what waits for it."""
        self._ready = False
        try:
            await self._connection.commit()
        finally:
            self._pool.release(self._connection)
        for callback in self._callbacks:
            callback()

    async def rollback(self) -> None:
        """Roll back."""
        self._ready = False
        await self._pool.settle(self._connection)

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
