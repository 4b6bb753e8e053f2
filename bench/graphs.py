"""The schema of bench.execution, by Strawberry, and its objects.

It parses and validates an operation before it is measured.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, Final

import strawberry
from graphql import (
    ExecutionResult,
    Executor,
    GraphQLResolveInfo,
)
from strawberry.dataloader import DataLoader
from strawberry.extensions import ParserCache, ValidationCache

CUSTOMERS: Final = 50
"""Customers whose orders are requested."""
ORDERS: Final = 5
LINES: Final = 4
ITEMS: Final = 10_000
FINDINGS: Final = 3_000
COLUMNS: Final = (
    "id",
    "name",
    "email",
    "phone",
    "city",
    "score",
    "active",
    "admin",
    "made",
    "seen",
)


@strawberry.type
class Line:
    """A line of an order."""

    title: str
    amount: int


@strawberry.type
class Order:
    """An order, whose lines are loaded."""

    id: strawberry.ID
    total: float

    @strawberry.field
    async def lines(self, info: strawberry.Info["Context", None]) -> list[Line]:
        """Return the lines."""
        return await info.context.lines.load(self.id)


@strawberry.type
class Customer:
    """A customer with ten columns, whose orders are loaded."""

    id: strawberry.ID
    name: str
    email: str
    phone: str | None
    city: str
    score: float
    active: bool
    admin: bool
    made: str
    seen: str | None

    @strawberry.field
    async def orders(self, info: strawberry.Info["Context", None]) -> list[Order]:
        """Return the orders."""
        return await info.context.orders.load(self.id)


@strawberry.type
class Item:
    """A small object."""

    id: strawberry.ID
    name: str
    size: int

    @strawberry.field
    def label(self) -> str:
        """Return a value derived from the object."""
        return f"{self.name}, {self.size}"

    @strawberry.field
    def told(self, info: strawberry.Info["Context", None]) -> str:
        """Return a value derived from the object and from `info`."""
        return f"{self.name}, {info.field_name}"

    @strawberry.field
    async def later(self) -> str:
        """Return the same as a coroutine."""
        return f"{self.name}, {self.size}"


@strawberry.type
class Book:
    """One of three kinds."""

    title: str
    pages: int


@strawberry.type
class Film:
    """One of three kinds."""

    title: str
    minutes: int


@strawberry.type
class Song:
    """One of three kinds."""

    title: str
    artist: str


Info = GraphQLResolveInfo[Any]
Finding = Annotated[Book | Film | Song, strawberry.union("Finding")]


async def _load_orders(ids: list[str]) -> list[list[Order]]:
    return [
        [Order(id=strawberry.ID(f"{key}-{n}"), total=n + 0.5) for n in range(ORDERS)] for key in ids
    ]


async def _load_lines(ids: list[str]) -> list[list[Line]]:
    return [[Line(title=f"Line {key}-{n}", amount=n) for n in range(LINES)] for key in ids]


@dataclass(slots=True)
class Context:
    """The loaders of a request."""

    orders: DataLoader[str, list[Order]] = field(
        default_factory=lambda: DataLoader(load_fn=_load_orders)
    )
    lines: DataLoader[str, list[Line]] = field(
        default_factory=lambda: DataLoader(load_fn=_load_lines)
    )


@cache
def _customers(count: int) -> list[Customer]:
    return [
        Customer(
            id=strawberry.ID(f"0197f0a0-7000-7000-8000-{n:012}"),
            name=f"Name {n}",
            email=f"name{n}@example.com",
            phone=None if n % 3 else "+1 555 0100",
            city="Springfield",
            score=n / 7,
            active=True,
            admin=n % 10 == 0,
            made="2026-03-01T12:30:15.250Z",
            seen=None if n % 2 else "2026-03-01T12:30:15Z",
        )
        for n in range(count)
    ]


_ITEMS: Final = [Item(id=strawberry.ID(str(n)), name=f"Item {n}", size=n) for n in range(ITEMS)]
_KINDS: Final[Sequence[Callable[[int], Book | Film | Song]]] = (
    lambda n: Book(title=f"Book {n}", pages=n),
    lambda n: Film(title=f"Film {n}", minutes=n),
    lambda n: Song(title=f"Song {n}", artist=f"Artist {n}"),
)
_FINDINGS: Final = [_KINDS[n % 3](n) for n in range(FINDINGS)]


@strawberry.type
class Query:
    """The root fields."""

    @strawberry.field
    def customers(self, first: int) -> list[Customer]:
        """Return so many customers."""
        return _customers(first)

    @strawberry.field
    def items(self) -> list[Item]:
        """Return all items."""
        return _ITEMS

    @strawberry.field
    def findings(self) -> list[Finding]:
        """Return objects of three kinds."""
        return _FINDINGS


Way = Callable[[str, dict[str, Any]], Awaitable[ExecutionResult]]
"""Executes an operation with variables."""


def by_strawberry(executor: type[Executor[Any]] | None) -> Way:
    """Return a function that executes by Strawberry, with its own executor if none is given."""
    extensions = [ParserCache, ValidationCache]
    schema = strawberry.Schema(query=Query, extensions=extensions, execution_context_class=executor)

    async def answer(query: str, variables: dict[str, Any]) -> ExecutionResult:
        return await schema.execute(query, variables, Context())  # type: ignore[return-value]

    return answer
