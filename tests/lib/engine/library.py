"""A schema for the tests, without customers, and an engine that executes it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

import strawberry
from graphql import ExecutionResult, GraphQLError
from strawberry.permission import BasePermission, PermissionExtension

from gql_app.lib.engine import (
    Document,
    Engine,
    GraphQLRequest,
    LazyRows,
    Limits,
    ListSizes,
    Schema,
    cached_per_document,
    selected_fields,
)

WIDE: Final = 100_000
LIMITS: Final = Limits(
    length=WIDE,
    tokens=WIDE,
    operations=WIDE,
    depth=WIDE,
    aliases=WIDE,
    root_fields=WIDE,
    directives=WIDE,
    spreads=WIDE,
    cost=WIDE,
    comparisons=WIDE,
)
SIZES: Final = ListSizes(default_page=10, max_page=100, unpaged=5)
SOON: Final = 0.05
"""Time-out in seconds of a resolver that never ends."""


@dataclass
class Context:
    """The context of a request, and a record of its resolvers."""

    operation: str = ""
    kind: str = "none"
    document: Document = field(init=False)
    built: list[str] = field(default_factory=list)
    """Titles of the books that were built as objects."""
    selected: list[frozenset[str]] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)


Info = strawberry.Info[Context, None]


class Never(BasePermission):
    """A permission that nobody has."""

    message = "Nobody may."

    async def has_permission(self, source: object, info: Info, **_: object) -> bool:
        """Refuse without raising."""
        return False


def never() -> PermissionExtension:
    """Return the extension of a permission that nobody has."""
    return PermissionExtension(permissions=[Never()])


@strawberry.type
class Book:
    """A book."""

    title: str
    first_page: str | None = None
    secret: str = strawberry.field(default="secret", extensions=[never()])

    @classmethod
    def of(cls, context: Context, row: Sequence[Any]) -> Self:
        """Build a book from a row with its title alone, and record that."""
        context.built.append(row[0])
        return cls(title=row[0])


@strawberry.type
class Shelf:
    """A list of books, and the best of them."""

    books: list[Book]
    best: Book


@strawberry.type
class Query:
    """The root fields."""

    @strawberry.field
    async def shelf(self, info: Info, size: int = 2) -> Shelf:
        """Return a shelf, and record the selected fields of its books."""
        info.context.selected.append(
            cached_per_document(info, lambda info: selected_fields(info, "books"))
        )
        rows = [(f"Book {number}",) for number in range(size)]
        books = LazyRows(
            ("title",), rows, lambda row: Book.of(info.context, row), frozenset({"title"})
        )
        return Shelf(books=books, best=Book(title="Best"))  # type: ignore[arg-type]  # used as a list

    @strawberry.field(extensions=[never()])
    async def closed(self, info: Info) -> str:
        """Return a text that no caller may read."""
        return "closed"

    @strawberry.field
    async def endless(self, info: Info) -> str:
        """Wait forever, and note the cancellation."""
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            info.context.cancelled.append("endless")
            raise
        return "never"

    @strawberry.field
    async def broken(self, info: Info) -> str:
        """Fail."""
        raise ValueError


@dataclass
class ErrorMap:
    """An error mapper that returns errors unchanged, and records its calls."""

    calls: list[tuple[list[type[Exception] | None], bool]] = field(default_factory=list)
    """The types of the original errors, and whether the operation was executed."""

    def __call__(
        self, errors: Sequence[GraphQLError], context: Context, *, executed: bool
    ) -> list[GraphQLError]:
        """Record the errors, and return them."""
        kinds = [type(e.original_error) if e.original_error else None for e in errors]
        self.calls.append((kinds, executed))
        return list(errors)


SCHEMA: Final = Schema(query=Query)


def engine(
    *, compiled: bool = True, timeout: float = 10, map_errors: ErrorMap | None = None
) -> Engine[Context]:
    """Return an engine with limits that no test reaches."""
    return Engine(
        SCHEMA, LIMITS, SIZES, map_errors or ErrorMap(), timeout=timeout, compiled=compiled
    )


async def run(
    of: Engine[Context], query: str, variables: dict[str, Any] | None = None
) -> tuple[ExecutionResult, Context]:
    """Execute a query in a new context."""
    context = Context()
    return await of.execute(GraphQLRequest(query, None, variables or {}), context), context
