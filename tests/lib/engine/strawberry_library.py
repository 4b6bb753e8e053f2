"""A Strawberry schema with each kind of resolver, for generated operations.

An object's number decides what its resolvers do, so that both executors get the same.
"""

import asyncio
import datetime as dt
import decimal
import enum
from collections.abc import Callable
from typing import Annotated, Any, Generic, TypeVar

import strawberry
from strawberry.extensions import FieldExtension
from strawberry.permission import BasePermission, PermissionExtension
from strawberry.scalars import JSON

T = TypeVar("T")
Info = strawberry.Info[Any, Any]
DEEPEST = 400
"""The highest number of an object: beyond it, there are no children."""


@strawberry.enum
class Level(enum.Enum):
    """A level."""

    LOW = "low"
    MIDDLE = 2
    HIGH = "high"


@strawberry.input
class Filter:
    """An input object with defaults, lists and a recursive field."""

    text: str | None = None
    sizes: list[int] | None = strawberry.field(default_factory=lambda: [1])
    level: Level | None = None
    inner: "Filter | None" = strawberry.UNSET
    needed: bool = False


@strawberry.input(one_of=True)
class By:
    """An input of which exactly one field is given."""

    id: strawberry.ID | None = strawberry.UNSET
    name: str | None = strawberry.UNSET


class Even(BasePermission):
    """Allows objects with even numbers."""

    message = "odd"

    def has_permission(self, source: Any, info: Info, **_: object) -> bool:
        """Return whether the number is even."""
        return getattr(source, "number", 0) % 2 == 0


class EvenLater(BasePermission):
    """The same, asynchronously."""

    message = "odd, later"

    async def has_permission(self, source: Any, info: Info, **_: object) -> bool:
        """Return whether the number is even, after a turn of the loop."""
        await asyncio.sleep(0)
        return getattr(source, "number", 0) % 2 == 0


class Raising(BasePermission):
    """Refuses by an exception of its own."""

    message = "never told"

    def has_permission(self, source: Any, info: Info, **_: object) -> bool:
        """Raise PermissionError for every third object."""
        if getattr(source, "number", 0) % 3 == 0:
            message = f"raised for {info.field_name}"
            raise PermissionError(message)
        return True


class Loud(FieldExtension):
    """An extension that returns values in capitals."""

    def resolve(self, next_: Callable[..., Any], source: Any, info: Info, **given: Any) -> Any:
        """Return the value in upper case."""
        return str(next_(source, info, **given)).upper()


def described(root: Any, info: Info, filter: Filter | None = None) -> str:
    """Return the arguments of a function as text."""
    return f"{root.number} {info.path.as_list()} {filter}"


@strawberry.interface
class Named:
    """The fields of all objects."""

    number: strawberry.Private[int]
    name: str

    @strawberry.field
    def half(self) -> int:
        """Return half of the number. Raise ValueError for some numbers."""
        if self.number % 5 == 3:
            message = f"{self.number} has no half"
            raise ValueError(message)
        return self.number // 2

    @strawberry.field
    async def next(self) -> "Named | None":
        """Return another object after a while."""
        await asyncio.sleep(self.number / 1024)
        return of(self.number * 3 + 1)


@strawberry.type
class Page(Generic[T]):
    """A generic page of a list."""

    nodes: list[T]
    total: int = 0


@strawberry.type
class Leaf(Named):
    """An object of the second kind."""

    price: decimal.Decimal
    made: dt.datetime
    renamed: JSON | None = strawberry.field(name="json_", default=None)

    @strawberry.field(permission_classes=[Even])
    def guarded(self) -> str:
        """Return what a permission guards."""
        return "leaf's secret"


@strawberry.type
class Node(Named):
    """An object with each kind of field."""

    first_level: Level | None
    tags: list[str | None]
    anything: JSON
    described: str = strawberry.field(resolver=described)

    @strawberry.field
    async def later(self) -> str | None:
        """Return text or None after a while. Raise KeyError for some numbers."""
        await asyncio.sleep(self.number / 512)
        if self.number % 7 == 4:
            raise KeyError(self.number)
        return f"later {self.number}" if self.number % 4 else None

    @strawberry.field
    def with_info(self, info: Info, size: int | None = 3, level: Level | None = None) -> str:
        """Return what it is given."""
        return f"{info.field_name} {info.path.as_list()} {info.variable_values} {size} {level!r}"

    @strawberry.field
    async def with_arguments(
        self,
        info: Info,
        filter: Filter | None = None,
        ids: list[strawberry.ID] | None = None,
        by: By | None = strawberry.UNSET,
    ) -> str:
        """Return what it is given."""
        return f"{filter} {ids} {by} {sorted(info.schema.schema_converter.type_map)[:2]}"

    @strawberry.field
    def plain_arguments(self, flag: bool, json: JSON | None = None, size: int | None = None) -> str:
        """Return the arguments, without info."""
        return f"{flag} {json} {size}"

    @strawberry.field
    @staticmethod
    def fixed() -> int:
        """Return a constant, by a static method."""
        return 7

    @strawberry.field
    def of_parent(parent: strawberry.Parent["Node"]) -> str:  # noqa: N805 — Strawberry passes it
        """Return the parent's name."""
        return parent.name

    @strawberry.field(permission_classes=[Even])
    def guarded(self) -> str:
        """Return what a permission guards."""
        return "secret"

    @strawberry.field(permission_classes=[Raising, EvenLater])
    async def guarded_twice(self, info: Info, flag: bool = True) -> str:
        """Return what two permissions guard."""
        return f"secret {flag}"

    @strawberry.field(extensions=[PermissionExtension([Even()], fail_silently=True)])
    def silent(self) -> str | None:
        """Return a text that is null without an error if it is refused."""
        return "hidden"

    @strawberry.field(extensions=[Loud()])
    def loud(self, size: int | None = 3) -> str:
        """Return what an extension converts to upper case."""
        return f"loud {size}"

    @strawberry.field
    def children(self) -> "list[Named]":
        """Return some objects of both kinds."""
        return [each for n in range(self.number % 3) if (each := of(self.number * 3 + n + 1))]

    @strawberry.field
    async def grid(self) -> "list[list[Node | None]] | None":
        """Return lists of lists, with items that may not be nodes."""
        return [[of(self.number * 3 + 1)], [], [None]]  # type: ignore[list-item]  # on purpose

    @strawberry.field
    def either(
        self,
    ) -> Annotated["Node | Leaf", strawberry.union("Either")]:
        """Return an object of a union. Raise TypeError for one of no member type."""
        return of(self.number * 3 + 2) or "neither"  # type: ignore[return-value]  # on purpose

    @strawberry.field
    def page(self) -> "Page[Named]":
        """Return a generic type."""
        return Page(nodes=[self], total=self.number)

    @strawberry.field
    async def nothing(self) -> int:
        """Return None now and then, although the field is not nullable."""
        return self.number if self.number % 5 else None  # type: ignore[return-value]  # on purpose


def of(number: int) -> Node | Leaf | None:
    """Return the object of a number, None for every ninth and for those above DEEPEST."""
    if number % 9 == 8 or number > DEEPEST:
        return None
    if number % 4 == 3:
        moment = dt.datetime.fromtimestamp(number, dt.UTC)
        return Leaf(
            number=number, name=f"leaf {number}", price=decimal.Decimal(number), made=moment
        )
    level = [*Level, None][number % 4]
    return Node(
        number=number,
        name=None if number % 11 == 10 else f"node {number}",  # type: ignore[arg-type]  # on purpose
        first_level=level,
        tags=["a", None, str(number)][: number % 4],
        anything={"number": number},  # type: ignore[arg-type]  # which is JSON
    )


@strawberry.type
class Query:
    """The root."""

    @strawberry.field
    def node(self, size: int | None = 1) -> Node | None:
        """Return the object of a number, which may not be a node."""
        return of(abs(size or 0) % DEEPEST)  # type: ignore[return-value]  # whatever it is

    @strawberry.field
    async def named(self, info: Info, size: int | None = 2) -> Named | None:
        """Return the object of a number."""
        await asyncio.sleep(0.5)
        return of(abs(size or 0) % DEEPEST)

    @strawberry.field
    async def all(self) -> list[Named | None]:
        """Return some objects."""
        return [of(number) for number in range(6)]

    me: str = "an attribute"


@strawberry.type
class Mutation:
    """Fields that are executed serially."""

    @strawberry.mutation
    async def change(self, info: Info, filter: Filter | None = None) -> Node:
        """Return an object, and record the order of execution."""
        info.context.append(info.path.key)
        await asyncio.sleep(1)
        return of(len(info.context))  # type: ignore[return-value]  # whatever it is

    @strawberry.mutation
    def undo(self, info: Info) -> Page[Named] | None:
        """Return a page whose total is the number of changes."""
        return Page(nodes=[], total=len(info.context))
