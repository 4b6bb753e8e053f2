"""The database: queries, and transactions that are retried."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, suppress
from datetime import timedelta
from functools import partial
from typing import (
    Any,
    Concatenate,
    Final,
    ParamSpec,
    Self,
    TypeAlias,
    TypeVar,
    overload,
)

from sqlalchemy import (
    ARRAY,
    Boolean,
    Dialect,
    Integer,
    Text,
    bindparam,
    func,
    literal_column,
    make_url,
    select,
    text,
)

from gql_app.lib import clock
from gql_app.lib.database.causes import (
    GRANT_TABLES,
    IN_RECOVERY,
    PRIVILEGES,
    READ_ONLY,
    Cause,
    cause_of,
    unwritable_cause,
)
from gql_app.lib.database.pool import Connection, Pool, retried
from gql_app.lib.database.postgresql import CONNECT_TIMEOUT, PostgresConnection, Servers
from gql_app.lib.database.probing import PROBE_TIMEOUT, within
from gql_app.lib.database.sqlite import SqliteConnection, sqlite_file, unwritable
from gql_app.lib.database.statements import Moment, Query, Statement, compiled
from gql_app.lib.faults import StatementError, Unavailable, root_of

CONNECTIONS: Final = 10
"""Connections of one process for reading; as many again are for writing."""
POOL_TIMEOUT: Final = 5
"""Seconds that a caller waits for one of them at most."""
Observer: TypeAlias = Callable[[str], AbstractContextManager[object]]
"""Returns a context manager for the SQL of a statement, which runs within it."""
Fetch: TypeAlias = Callable[[str, list[object]], Awaitable[Sequence[Sequence[Any]]]]
"""Sends SQL with the values of its parameters, and returns rows."""
_ONE: Final = select(literal_column("1", Integer()))
_CHANGES: Final[Query[Cause | None]] = Query(
    select(
        func.pg_is_in_recovery(type_=Boolean),
        func.current_setting(literal_column("'transaction_read_only'"), type_=Text),
    ),
    lambda row: IN_RECOVERY if row[0] else READ_ONLY if row[1] == "on" else None,
)
"""Why PostgreSQL takes no changes, None if it does."""
_FORBIDDEN: Final[Query[Cause]] = Query(
    text(
        "SELECT relname::text FROM pg_class WHERE relname = ANY(:tables) "
        "AND pg_table_is_visible(oid) AND EXISTS (SELECT FROM unnest(:privileges) AS privilege "
        "WHERE NOT has_table_privilege(oid, privilege)) ORDER BY relname LIMIT 1"
    ).bindparams(
        bindparam("tables", type_=ARRAY(Text)),
        bindparam("privileges", [*PRIVILEGES], ARRAY(Text)),
    ),
    lambda row: Cause(f"The URL's role may not read and write the table {row[0]}.", GRANT_TABLES),
)
"""A table that takes no changes from the URL's role."""
B = TypeVar("B")
P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Reader:
    """Reads from a database, each query on any connection, or within a transaction."""

    _fetch: Fetch

    def __init__(self, dialect: Dialect, observer: Observer | None = None) -> None:
        self.sql_dialect: Final = dialect
        self.observer = observer
        """Makes a context manager for the SQL of each statement, which runs within it."""
        self.dialect: Final[str] = dialect.name
        """The kind of database: sqlite or postgresql."""

    @overload
    async def fetch_all(self, query: Query[T], /, **values: object) -> list[T]: ...
    @overload
    async def fetch_all(self, query: Statement, /, **values: object) -> list[Any]: ...
    async def fetch_all(self, query: Query[Any] | Statement, /, **values: object) -> list[Any]:
        """Return what is built of each row; named tuples for a bare statement.

        Raises Unavailable, StatementError.
        """
        statement = compiled(query, self.sql_dialect, values)
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
        """Return what a statement answers, within the observer's context if there is one."""
        if self.observer is None:
            return await work(sql, bound)
        with self.observer(sql):
            return await work(sql, bound)


class Transaction(Reader):
    """A transaction, which lasts for a block.

    It is committed when the block ends, and rolled back if the block raises. Once a commit has
    begun it goes through, even if the block is cancelled. Entering and leaving the block raise
    Unavailable: unless that is CommitOutcomeUnknown, nothing was done.
    """

    _connection: Connection

    def __init__(self, dialect: Dialect, observer: Observer | None, pool: Pool) -> None:
        super().__init__(dialect, observer)
        self._pool: Final = pool
        self.info: Final[dict[str, object]] = {}
        """Values that a rule leaves for its caller."""
        self._refusal: Exception | None = None
        """The error that refuses the next statement: one is running, or one failed."""
        self._callbacks: Final[list[Callable[[], object]]] = []

    async def __aenter__(self) -> Self:
        """Begin, on a connection of the pool."""
        self._connection = await self._pool.begin()
        self._fetch = self._connection.fetch
        return self

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Commit or roll back; a cancelled caller waits for neither."""
        refusal, self._refusal = self._refusal, _refusal()
        undone = error or refusal
        work = self._pool.reset(self._connection) if undone else self._commit()
        ending = self._pool.in_background(work)
        if not isinstance(error, asyncio.CancelledError):
            await asyncio.shield(ending)
        if refusal and error is None:
            raise refusal

    async def execute(self, query: Query[Any] | Statement, /, **values: object) -> int:
        """Return the number of rows that were inserted, changed or deleted.

        Raises Unavailable, StatementError (such as IntegrityViolation), which end the transaction.
        """
        statement = compiled(query, self.sql_dialect, values)
        return await self._run(self._connection.execute, statement.sql, statement.bind(values))

    async def execute_many(
        self, query: Query[T] | Statement, rows: Iterable[Mapping[str, object]], /
    ) -> list[T]:
        """Run a statement once for each mapping of values; return what is built of all rows."""
        statement = compiled(query, self.sql_dialect)
        many = [statement.bind(values) for values in rows]
        answered = await self._run(self._connection.fetch_many, statement.sql, many)
        return statement.built(answered, query)

    def after_commit(self, callback: Callable[[], object], /) -> None:
        """Call a function once the commit is known to have succeeded; never after a rollback."""
        self._callbacks.append(callback)

    async def _commit(self) -> None:
        try:
            await self._connection.commit()
        finally:
            self._pool.release(self._connection)
        for callback in self._callbacks:
            callback()

    async def _run(
        self, work: Callable[[str, list[B]], Awaitable[R]], sql: str, bound: list[B]
    ) -> R:
        if self._refusal:
            raise self._refusal
        self._refusal = busy = _refusal()
        try:
            result = await super()._run(work, sql, bound)
        except BaseException as error:
            cancelled = StatementError("A statement of this transaction was cancelled.")
            self._refusal = error if isinstance(error, Exception) else cancelled
            raise
        if self._refusal is busy:
            self._refusal = None
        return result


class Database(Reader, AbstractAsyncContextManager["Database"]):
    """One database, opened for the life of the process: `sqlite:///` or `postgresql://`."""

    def __init__(
        self,
        url: str,
        *,
        connections: int = CONNECTIONS,
        pool_timeout: float = POOL_TIMEOUT,
        prepared: bool | None = None,
        retries: bool = True,
    ) -> None:
        """Take its URL; without `retries` a query is not sent again if its connection is lost."""
        lock = servers = None
        reading: Callable[[], Connection]
        writing: Callable[[], Connection]
        probing: Callable[[], Connection]
        if url.startswith("sqlite:"):
            driver, lock = "sqlite://", asyncio.Lock()
            file = str(sqlite_file(url).absolute())
            reading = probing = partial(SqliteConnection, file, "query_only")
            writing = partial(SqliteConnection, file, "foreign_keys")
        else:
            driver = "postgresql+asyncpg://"
            servers = Servers(url, prepared=prepared)
            reading = writing = partial(PostgresConnection, servers)
            probing = partial(PostgresConnection, servers, probes=True)
        super().__init__(make_url(driver).get_dialect()())
        self._url: Final = url
        self._read: Final = Pool(reading, connections, pool_timeout, servers=servers)
        self._write: Final = Pool(writing, connections, pool_timeout, lock=lock, servers=servers)
        self._probe: Final = Pool(probing, 1, PROBE_TIMEOUT)
        self._servers: Final = servers
        is_retried = retries and not lock  # a file is not lost
        self._fetch = self._read.fetch if is_retried else self._read.fetch_once

    @property
    def use(self) -> dict[str, dict[str, int]]:
        """Numbers of connections in use and idle, for reading and for writing."""
        read = {**self._read.use, "waiting": self._read.waiting}
        return {"read": read, "write": self._write.use}

    def transaction(self) -> Transaction:
        """Return a transaction, which lasts for an `async with` block."""
        return Transaction(self.sql_dialect, self.observer, self._write)

    async def transact(
        self,
        rule: Callable[Concatenate[Transaction, P], Awaitable[R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Return what a rule returns, run in a transaction, which is retried if rolled back.

        As a rule may run several times, it must have no effects beyond the database.
        Raises Unavailable, StatementError.
        """

        async def once() -> R:
            async with self.transaction() as transaction:
                return await rule(transaction, *args, **kwargs)

        return await retried(once)

    async def probe(self, query: Query[T], /, **values: object) -> list[T]:
        """Return what is built of each row, fetched over a separate connection in two seconds.

        That tells a database that hangs from a busy pool. If there is no answer, all other callers
        are refused at once until a probe is answered. Raises Unavailable, StatementError.
        """
        statement = compiled(query, self.sql_dialect)
        work = self._probe.fetch(statement.sql, statement.bind(values))
        try:
            rows = await within(work, PROBE_TIMEOUT)
        except TimeoutError as error:
            self._note_probe(error)
            raise Unavailable from error
        except Exception as error:
            self._note_probe(error)
            raise
        self._note_probe(None)
        return statement.built(rows, query)

    def _note_probe(self, error: Exception | None) -> None:
        """Mark the servers as unresponsive if a probe timed out, else as responsive.

        Any answer counts, even an error; an Unavailable of the pool's own tells nothing of them.
        """
        cause = root_of(error) if error else None
        if self._servers is None or isinstance(cause, Unavailable):
            return
        if isinstance(cause, TimeoutError):
            self._servers.mark_unresponsive(cause)
        else:
            self._servers.unanswered_probe = None

    def interrupt(self) -> None:
        """Raise Unresponsive in all callers that await PostgreSQL, except in a commit."""
        if self._servers:
            self._servers.interrupt(TimeoutError())

    @property
    def is_pooled(self) -> bool:
        """Whether a pooler was found in between, so that statements are no longer prepared."""
        return self._servers is not None and self._servers.is_pooled

    async def has_pooler(self) -> bool:
        """Return whether a pooler in between leaves prepared statements behind.

        A statement is sent twice, and again while a transaction may hold the server connection that
        prepared it. Raises Unavailable.
        """
        for _ in range(2):
            await self.fetch_all(_ONE)
        async with self.transaction() as transaction:
            await transaction.fetch_all(_ONE)
            with suppress(TimeoutError):  # of a pooler that has one server connection
                await within(self.fetch_all(_ONE), PROBE_TIMEOUT)
        return self.is_pooled

    def refuse(self, why: Exception | None) -> None:
        """Refuse all statements from here on, as Unavailable; None ends that.

        Probes are still sent.
        """
        self._read.refusal = self._write.refusal = why

    def cause_of(self, error: Exception) -> Cause:
        """Return why the database can't be used, given the error, for its operator."""
        return cause_of(error, self._url)

    async def read_only(self, tables: Iterable[str] = ()) -> Cause | None:
        """Return why the database, or one of its tables, takes no changes; None if they do.

        Sessions keep what they began with, so that all are replaced. Raises Unavailable.
        """
        if self._servers is None:
            place = unwritable(sqlite_file(self._url))
            return unwritable_cause(place) if place else None
        [cause] = await self.probe(_CHANGES)
        if cause:
            self._servers.expire_all()
            return cause
        return next(iter(await self.probe(_FORBIDDEN, tables=[*tables])), None)

    async def clock_skew(self) -> timedelta:
        """Return how far the database's clock is ahead of this machine's, less half a round trip.

        It is zero for an SQLite file. Raises Unavailable.
        """
        if self.dialect == "sqlite":
            return timedelta()
        asked = clock.now()
        [theirs] = await self.fetch_one(select(func.clock_timestamp(type_=Moment)))
        ahead: timedelta = theirs - (asked + (clock.now() - asked) / 2)
        return ahead

    async def __aexit__(self, *_: object) -> None:
        """Close every connection, as close() does."""
        await self.close()

    async def close(self) -> None:
        """Close every connection, once transactions have ended, or after five seconds."""
        await self._write.drain(CONNECT_TIMEOUT)
        await asyncio.gather(*(each.close() for each in (self._read, self._write, self._probe)))


def _refusal() -> RuntimeError:
    return RuntimeError("A transaction runs one statement at a time, until its block ends.")
