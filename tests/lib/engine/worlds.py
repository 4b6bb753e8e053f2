"""Resolvers of a generated schema, which behave the same at the same path in both executors.

They return, raise, wait, return None, or return values that are invalid for their type.
"""

import asyncio
import inspect
import random
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from graphql import (
    GraphQLAbstractType,
    GraphQLEnumType,
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLUnionType,
    OperationDefinitionNode,
    Undefined,
)

Value = Any
Info = GraphQLResolveInfo[Any]
Path = tuple[str | int, ...]
LEAVES: Final[dict[str, tuple[Value, ...]]] = {
    "Int": (0, -1, 7, True, 2.0, 2**31 - 1, 8, 9, 2**31),
    "Float": (0.5, 1, -0.0, 1e300, False),
    "String": ("", 'ü\u2028"\\', "x", 7, True, 0.5),
    "Boolean": (True, False, 0, 1),
    "ID": ("a", "", 7, 12345678901234567890),
    "Json": ({"a": [1, None]}, [], {"b": {"c": True}}, 1, [[]], {}, True, "x", 0),
    "Level": ("low", 2, (3, "three")),
}
"""Values that a type takes, except for an integer that is too large."""
MISFITS: Final[tuple[Value, ...]] = (
    *(2**31, float("nan"), "7", "x", b"bytes", [], [1], {}, (), object, 1.5, "unknown", -1),
)
"""Values that are invalid for most types."""


class WithCode(Exception):
    """An exception with extensions, which GraphQLError copies."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"with code at {path}")
        self.extensions = {"code": "CODE"}


FAULTS: Final[tuple[Callable[[Path], Exception], ...]] = (
    lambda path: ValueError(f"fault at {path}"),
    KeyError,
    lambda path: GraphQLError(f"error at {path}", extensions={"at": list(path)}),
    WithCode,
)


@dataclass(frozen=True, slots=True)
class Habits:
    """The probabilities of each behaviour, in per cent."""

    fail: int
    wait: int
    nothing: int
    misfit: int
    at_once: int
    """The share of awaitables that don't wait."""


class Waiting:
    """An awaitable that is neither a coroutine nor a future."""

    def __init__(self, work: Callable[[], Awaitable[Value]]) -> None:
        self._work = work

    def __await__(self) -> Generator[Value, None, Value]:
        """Wait for the work."""
        return self._work().__await__()


class Thing:
    """An object with attributes."""

    def __init__(self, typename: str, values: dict[str, Value]) -> None:
        self.__dict__.update(values)
        self.typename = typename
        self.__typename = typename  # which graphql-core looks for


@dataclass(slots=True)
class World:
    """The resolvers of one execution, and their log."""

    seed: int
    habits: Habits
    schema: GraphQLSchema
    calls: list[tuple[Value, ...]] = field(default_factory=list)
    ends: list[tuple[str, Path]] = field(default_factory=list)
    """Events of resolvers ("end" or "cancelled") and their paths, in order."""
    moment: float = 0
    """The time of the answer."""
    asked: Counter[Value] = field(default_factory=Counter)
    """The counts of type resolutions per field; a list has several."""

    def root(self, operation: OperationDefinitionNode) -> Value:
        """Return the root value of an operation."""
        kind = self.schema.get_root_type(operation.operation)
        assert kind is not None
        return self.thing(kind, (), self.dice(()))

    def dice(self, path: Path, purpose: str = "") -> random.Random:
        """Return the random generator of a path."""
        return random.Random(f"{self.seed}{path}{purpose}")  # noqa: S311 — nothing secret

    def resolve(self, source: Value, info: Info, **arguments: Value) -> Value:
        """Resolve a field, and record the resolver's arguments."""
        path = tuple(info.path.as_list())
        nodes = [node.loc.start for node in info.field_nodes if node.loc]
        given = (info.field_name, str(info.parent_type), str(info.return_type), nodes)
        called = getattr(source, "typename", type(source).__name__)
        self.calls.append((path, *given, called, repr(arguments)))
        return self.outcome(info.return_type, path)

    def outcome(self, kind: GraphQLOutputType, path: Path, *, may_wait: bool = True) -> Value:
        """Return a value or an awaitable, or raise."""
        dice, habits = self.dice(path), self.habits
        if not may_wait or dice.randrange(100) >= habits.wait:
            try:
                return self.settle(kind, path, dice)
            finally:
                self.ends.append(("end", path))
        pause = 0.0 if dice.randrange(100) < habits.at_once else (1 + dice.getrandbits(40)) / 2**24

        async def work() -> Value:
            try:
                if pause:
                    await asyncio.sleep(pause)
                return self.settle(kind, path, dice)
            except asyncio.CancelledError:
                self.ends.append(("cancelled", path))
                raise
            finally:
                self.ends.append(("end", path))

        way = dice.randrange(4)
        if way == 0:
            return asyncio.ensure_future(work())
        return Waiting(work) if way == 1 else work()

    def settle(self, kind: GraphQLOutputType, path: Path, dice: random.Random) -> Value:
        """Return a value, which may be an exception, or raise."""
        if dice.randrange(100) < self.habits.fail:
            fault = dice.choice(FAULTS)(path)
            if dice.randrange(4) == 0:
                return fault
            raise fault
        return self.value(kind, path, dice)

    def value(self, kind: GraphQLOutputType, path: Path, dice: random.Random) -> Value:
        """Return a value that is valid for a type, None, or an invalid one."""
        habits = self.habits
        if isinstance(kind, GraphQLNonNull):
            nothing, kind = habits.nothing // 5, kind.of_type
        else:
            nothing = habits.nothing
        if dice.randrange(100) < nothing:
            return Undefined if dice.randrange(5) == 0 else None
        if dice.randrange(100) < habits.misfit:
            return dice.choice(MISFITS)
        if isinstance(kind, GraphQLList):
            return self.items(kind.of_type, path, dice)
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType):
            return self.thing(kind, path, dice)
        return dice.choice(LEAVES[kind.name])

    def items(self, kind: GraphQLOutputType, path: Path, dice: random.Random) -> Value:
        """Return an iterable of items."""
        count, way = dice.randrange(5), dice.randrange(10)
        waits = self.habits.wait > 0
        if way == 0 and waits:
            return self.async_items(kind, path, count)
        if way == 1:
            return self.generated_items(kind, path, count)
        each = [self.item(kind, (*path, index)) for index in range(count)]
        if way == 2:
            return tuple(each)
        return deque(each) if way == 3 else each

    def item(self, kind: GraphQLOutputType, path: Path) -> Value:
        """Return an item, which may be an exception, so that only the item fails."""
        try:
            return self.outcome(kind, path)
        except Exception as error:  # noqa: BLE001 — whatever it raises is the item
            return error

    def generated_items(self, kind: GraphQLOutputType, path: Path, count: int) -> Iterator[Value]:
        """Yield items; now and then, the iterator itself raises ValueError."""
        for index in range(count):
            yield self.item(kind, (*path, index))
        if self.dice(path, "iterator").randrange(100) < self.habits.fail:
            message = f"iterator at {path}"
            raise ValueError(message)

    async def async_items(
        self, kind: GraphQLOutputType, path: Path, count: int
    ) -> AsyncIterator[Value]:
        """Yield items, each after a while; now and then, raise ValueError."""
        for index in range(count):
            dice = self.dice((*path, index), "next")
            await asyncio.sleep((1 + dice.getrandbits(40)) / 2**24)
            if dice.randrange(100) < self.habits.fail:
                message = f"async iterator at {path}"
                raise ValueError(message)
            yield self.item(kind, (*path, index))

    def thing(
        self,
        kind: GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType,
        path: Path,
        dice: random.Random,
    ) -> Value:
        """Return an object of a type, or of a possible type of an abstract one.

        It is a mapping or has attributes: a value or a method for most fields without a resolver.
        """
        if not isinstance(kind, GraphQLObjectType):
            kind = dice.choice(self.schema.get_possible_types(kind))
        values = {
            name: self.attribute(each.type, (*path, name))
            for name, each in kind.fields.items()
            if each.resolve is None and dice.randrange(20)
        }
        if dice.randrange(2):
            return Thing(kind.name, values)
        told = {"__typename": kind.name} if dice.randrange(4) else {}
        return {"typename": kind.name, **told, **values}

    def attribute(self, kind: GraphQLOutputType, path: Path) -> Value:
        """Return a leaf's value, or a method."""
        dice, inner = self.dice(path), kind.of_type if isinstance(kind, GraphQLNonNull) else kind
        if isinstance(inner, GraphQLScalarType | GraphQLEnumType) and dice.randrange(5):
            return self.value(kind, path, dice)
        return lambda info, **arguments: self.resolve({}, info, **arguments)

    def type_of(self, value: Value, info: Info, asked: str) -> Value:
        """Return the name of an object's type, at once or later, or an invalid one."""
        path = tuple(info.path.as_list())
        name = (
            value.get("typename") if isinstance(value, dict) else getattr(value, "typename", None)
        )
        self.calls.append((path, asked, name))
        self.asked[path, asked, name] += 1
        dice = self.dice(path, f"{asked} {name} {self.asked[path, asked, name]}")

        def answer() -> Value:
            if dice.randrange(100) < self.habits.fail:
                message = f"type at {path}"
                raise ValueError(message)
            wrong = dice.randrange(100) < self.habits.misfit
            return dice.choice((None, "Nope", "Level", "T0", "Query", 7)) if wrong else name

        if dice.randrange(100) >= self.habits.wait // 2:
            return answer()

        async def later() -> Value:
            await asyncio.sleep((1 + dice.getrandbits(40)) / 2**24)
            return answer()

        return later()


def resolve(source: Value, info: Info, **arguments: Value) -> Value:
    """Resolve a field by the world in the operation's context."""
    return info.context.resolve(source, info, **arguments)


def resolve_type(value: Value, info: Info, kind: GraphQLAbstractType) -> Value:
    """Resolve an abstract type by the world in the operation's context."""
    return info.context.type_of(value, info, kind.name)


def type_check(name: str) -> Callable[[Value, Info], Value]:
    """Return an is_type_of function, by the world in the operation's context."""

    def is_type_of(value: Value, info: Info) -> Value:
        found = info.context.type_of(value, info, name)
        if not inspect.isawaitable(found):
            return found == name

        async def later() -> bool:
            return bool(await found == name)

        return later()

    return is_type_of
