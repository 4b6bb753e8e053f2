"""The database: reading, transactions, and what is tried again."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
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

from gql_app.lib.database.statements import Query, Statement

CONNECTIONS: Final = 10
"""Connections that one process reads with; as many again write."""
POOL_TIMEOUT: Final = 5
"""Seconds that anybody waits for one of them."""
Observer: TypeAlias = Callable[[str], AbstractContextManager[object]]
"""Makes a context manager for the SQL of a statement, within which that runs."""
DialectName: TypeAlias = Literal["sqlite", "postgresql"]
T = TypeVar("T")
R = TypeVar("R")
P = ParamSpec("P")


class Reader(Protocol):
    """What reads: the database, each query on a connection of its own, or a transaction."""

    @property
    def dialect(self) -> DialectName:
        """The kind of database."""
        ...

    @overload
    async def fetch_all(self, query: Query[T], /, **values: object) -> list[T]: ...
    @overload
    async def fetch_all(self, query: Statement, /, **values: object) -> list[Any]: ...
    @overload
    async def fetch_one(self, query: Query[T], /, **values: object) -> T | None: ...
    @overload
    async def fetch_one(self, query: Statement, /, **values: object) -> Any: ...  # noqa: ANN401 — a named tuple


class Transaction:
    """What reads and writes, and sees what it wrote; all or nothing of it is committed."""

    @property
    def dialect(self) -> DialectName:
        """The kind of database."""
        raise NotImplementedError

    @overload
    async def fetch_all(self, query: Query[T], /, **values: object) -> list[T]: ...
    @overload
    async def fetch_all(self, query: Statement, /, **values: object) -> list[Any]: ...
    async def fetch_all(self, query: Query[Any] | Statement, /, **values: object) -> list[Any]:
        """Return what is built of each row; named tuples for a bare statement."""
        raise NotImplementedError

    @overload
    async def fetch_one(self, query: Query[T], /, **values: object) -> T | None: ...
    @overload
    async def fetch_one(self, query: Statement, /, **values: object) -> Any: ...  # noqa: ANN401 — a named tuple
    async def fetch_one(self, query: Query[Any] | Statement, /, **values: object) -> Any:
        """Return what is built of the first row, None if there is none."""
        raise NotImplementedError

    async def execute(self, statement: Query[Any] | Statement, /, **values: object) -> int:
        """Return the number of rows that were inserted, changed or deleted."""
        raise NotImplementedError

    async def execute_many(
        self, statement: Query[Any] | Statement, rows: Sequence[Mapping[str, object]], /
    ) -> None:
        """Execute a statement once for each mapping of values."""
        raise NotImplementedError

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
        """Execute a statement with RETURNING once for each mapping; return all rows."""
        raise NotImplementedError

    def after_commit(self, callback: Callable[[], object], /) -> None:
        """Call something once the commit is known to have gone through; never after a rollback."""
        raise NotImplementedError


class Database:
    """One database, opened for the life of the process: `sqlite:///` or `postgresql://`."""

    def __init__(
        self,
        url: str,
        *,
        connections: int = CONNECTIONS,
        pool_timeout: float = POOL_TIMEOUT,
        prepared: bool = True,
    ) -> None:
        raise NotImplementedError

    @property
    def dialect(self) -> DialectName:
        """The kind of database."""
        raise NotImplementedError

    @property
    def use(self) -> dict[str, dict[str, int]]:
        """Numbers of connections in use and idle, to read with and to write with."""
        raise NotImplementedError

    @overload
    async def fetch_all(self, query: Query[T], /, **values: object) -> list[T]: ...
    @overload
    async def fetch_all(self, query: Statement, /, **values: object) -> list[Any]: ...
    async def fetch_all(self, query: Query[Any] | Statement, /, **values: object) -> list[Any]:
        """Return what is built of each row; named tuples for a bare statement."""
        raise NotImplementedError

    @overload
    async def fetch_one(self, query: Query[T], /, **values: object) -> T | None: ...
    @overload
    async def fetch_one(self, query: Statement, /, **values: object) -> Any: ...  # noqa: ANN401 — a named tuple
    async def fetch_one(self, query: Query[Any] | Statement, /, **values: object) -> Any:
        """Return what is built of the first row, None if there is none."""
        raise NotImplementedError

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction, which commits when the block ends and rolls back if it raises."""
        raise NotImplementedError

    async def transact(
        self,
        rule: Callable[Concatenate[Transaction, P], Awaitable[R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Return what a rule returns, run in a transaction; again if that was rolled back."""
        raise NotImplementedError

    async def once(
        self,
        rule: Callable[Concatenate[Transaction, P], Awaitable[R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Return what a rule returns, run in one transaction, which ends by itself if cancelled."""
        raise NotImplementedError

    async def probe(self, query: Query[T], /, **values: object) -> list[T]:
        """Fetch by a connection of its own, within PROBE_TIMEOUT. Raises Unavailable."""
        raise NotImplementedError

    async def ping(self) -> None:
        """Raise Unavailable unless the database answers, by a connection of its own."""
        raise NotImplementedError

    def observe(self, observer: Observer) -> None:
        """Run each statement within a context manager that an observer makes of its SQL."""
        raise NotImplementedError

    async def close(self) -> None:
        """Close every connection."""
        raise NotImplementedError


def sqlite_file(url: str) -> str:
    """Return the file that a `sqlite:///` URL means."""
    raise NotImplementedError
