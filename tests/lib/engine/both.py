"""A schema for all of GraphQL section 6 (execution), executed by both executors."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLScalarType,
    GraphQLSchema,
    Undefined,
    build_schema,
    execute,
    is_interface_type,
    is_union_type,
    parse,
)

from bench.compiled_executor import CompiledExecutor
from gql_app.lib.engine.error_sources import is_of_value

SDL: Final = """
  directive @experimental_disableErrorPropagation on QUERY | MUTATION | SUBSCRIPTION
  interface Named { name: String }
  union Thing = Book | Author | Lamp
  enum Color { RED GREEN }
  scalar Even
  input Filter @oneOf { title: String, size: Int }
  type Book implements Named { name: String pages: Int! color: Color even: Even author: Author
    class: String rating: Float isNew: Boolean id: ID! need: String! late: String lateNeed: String!
    tags: [String!] grid: [[Int!]] self: Book selfNeed: Book! greet(to: String = "you"): String
    things: [Thing] echo: String }
  type Author implements Named { name: String books: [Book!]! book: Book need: String! }
  type Lamp { id: ID! watts: Int }
  type Query { book: Book bookNeed: Book! books: [Book] booksNeed: [Book!]! thing: Thing
    things: [Thing] named: [Named!] echo(filter: Filter, even: Even, list: [Int!]): String
    slow: String broken: String text: String many: [Book!]! }
  type Mutation { first: Book second: String third: String! fourth: String }
"""
_ADDRESS: Final = re.compile("at 0x[0-9a-f]+")
SEEN: Final[ContextVar[str]] = ContextVar("seen", default="nobody")


Value = Any
"""The type of execute()'s arguments and of resolvers' results."""


class Named:
    """An object whose repr is its class's name."""

    def __repr__(self) -> str:
        """Return the class's name, as the object's address differs between runs."""
        return type(self).__name__


class Plain(Named):
    """An object whose attributes are fields."""

    def __init__(self, /, **values: object) -> None:
        self.__dict__.update(values)


class Dynamic(Named):
    """An object that has any attribute."""

    def __getattr__(self, name: str) -> object:
        """Return a value for any name."""
        if name.startswith("__"):
            raise AttributeError(name)
        return f"dynamic {name}"


class Proxy(Named, Mapping[str, object]):
    """A mapping that is not a dictionary."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def __getitem__(self, key: str) -> object:
        """Return the value of a key."""
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        """Return the keys."""
        return iter(self._values)

    def __len__(self) -> int:
        """Return the number of keys."""
        return len(self._values)


class Slotted(Named):
    """An object without a dictionary; one of its attributes can't be read."""

    __slots__ = ("name", "pages")

    def __init__(self) -> None:
        self.name = "slotted"

    @property
    def color(self) -> str:
        """Fail."""
        message = "no color"
        raise ValueError(message)


def even(value: object) -> object:
    """Return an even number plus a hundred, null for zero. Raises an error for odd numbers."""
    if value == 0:
        return None
    if value == 100:
        return later("a hundred", 1)()
    if not isinstance(value, int) or value % 2:
        message = f"{value} is not even"
        raise ValueError(message)
    return value


def schema() -> GraphQLSchema:
    """Return a schema whose types are resolved by names."""
    made = build_schema(SDL)
    scalar = made.type_map["Even"]
    assert isinstance(scalar, GraphQLScalarType)
    scalar.coerce_output_value = even
    for kind in made.type_map.values():
        if is_interface_type(kind) or is_union_type(kind):
            kind.resolve_type = _type_of
    book = made.type_map["Book"]
    assert isinstance(book, GraphQLObjectType)
    book.fields["echo"].resolve = lambda _source, info: f"{info.path.as_list()}"
    assert made.query_type is not None
    made.query_type.fields["echo"].resolve = lambda _source, _info, **given: json.dumps(given)
    return made


def _type_of(value: object, info: GraphQLResolveInfo[Any], _kind: object) -> Value:
    found = value.get("type") if isinstance(value, Mapping) else getattr(value, "type", "Book")
    return found(info) if callable(found) else found


@dataclass
class Said:
    """The answer of an executor, to the byte."""

    data: str
    errors: list[Mapping[str, object]]
    did: list[str] = field(default_factory=list)
    """The log of the resolvers."""

    @classmethod
    def of(cls, result: ExecutionResult, did: list[str]) -> "Said":
        """Return a result in comparable form."""
        errors = [{**each.formatted, "ofValue": is_of_value(each)} for each in result.errors or ()]
        data, told = [_ADDRESS.sub("at 0", json.dumps(each)) for each in (result.data, errors)]
        return cls(data, json.loads(told), did)


Root = Callable[[list[str]], object]
"""A function that makes a root value, whose resolvers may write to a log."""
SCHEMA: Final = schema()


async def both(
    query: str, root: Root, variables: dict[str, Any] | None = None, **options: Value
) -> tuple[Said, Said]:
    """Return the answers of graphql-core and of ours, the latter from its second execution."""
    options.setdefault("document", parse(query))
    theirs = await said(query, root, variables, **options)
    for _ in range(2):
        ours = await said(query, root, variables, executor_class=CompiledExecutor, **options)
    return theirs, ours


async def said(
    query: str, root: Root, variables: dict[str, Any] | None = None, **options: Value
) -> Said:
    """Execute a query, and return the answer as text."""
    did: list[str] = []
    document = options.pop("document", None) or parse(query)
    given = options.pop("schema", SCHEMA)
    result = execute(given, document, root(did), variable_values=variables, **options)
    return Said.of(result if isinstance(result, ExecutionResult) else await result, did)


def returning(name: str, value: Callable[[], object]) -> Root:
    """Return a function that makes a new root value with one field."""
    return lambda _: {name: value()}


def later(value: object, turns: int = 0) -> Callable[..., Awaitable[object]]:
    """Return an async resolver of a value or exception, after some turns of the event loop."""

    async def resolve(*_: object) -> object:
        for _turn in range(turns):
            await asyncio.sleep(0)
        if isinstance(value, Exception):
            raise value
        return value

    return resolve


def called(_info: object) -> str:
    """Return a word."""
    return "called"


def failing(info: GraphQLResolveInfo[Any]) -> object:
    """Fail."""
    raise KeyError(info.field_name)


class Late(Named):
    """An awaitable that is no coroutine, so there is no warning if it is never awaited."""

    def __init__(self, value: object, turns: int = 0) -> None:
        self._resolve = later(value, turns)

    def __await__(self) -> Generator[Any, None, object]:
        """Return the value, or raise it, after some turns of the event loop."""
        return self._resolve().__await__()


async def iterated(*values: object) -> AsyncIterator[object]:
    """Yield values asynchronously; raise those that are exceptions."""
    for value in values:
        await asyncio.sleep(0)
        if isinstance(value, Exception):
            raise value
        yield value


def once(*values: object) -> Iterator[object]:
    """Yield values; raise those that are exceptions."""
    for value in values:
        if isinstance(value, Exception):
            raise value
        yield value


VALUES: Final[Mapping[str, Callable[[], object]]] = {
    "null": lambda: None,
    "undefined": lambda: Undefined,
    "text": lambda: "text",
    "empty": lambda: "",
    "whole": lambda: 7,
    "large": lambda: 2**31,
    "fraction": lambda: 7.5,
    "infinite": lambda: float("inf"),
    "nan": lambda: float("nan"),
    "true": lambda: True,
    "zero": lambda: 0,
    "list": lambda: ["a", None],
    "lists": lambda: [[1], [None], None, "x"],
    "tuple": lambda: ("a", 1),
    "generator": lambda: once("a", "b"),
    "broken generator": lambda: once("a", ValueError("stopped")),
    "bytes": lambda: b"bytes",
    "set": lambda: {"a"},
    "dictionary": lambda: {"name": "dict", "pages": 1, "id": 1, "need": None},
    "mapping": lambda: Proxy({"name": "proxy", "pages": 2, "id": "2"}),
    "plain": lambda: Plain(name="plain", pages=3, id="3", need="n", type="Book"),
    "lamp": lambda: {"type": "Lamp", "id": "l", "watts": 5},
    "no type": lambda: {"type": None},
    "strange type": lambda: {"type": "Color"},
    "unknown type": lambda: {"type": "Nothing"},
    "number as type": lambda: {"type": 5},
    "other type": lambda: {"type": "Query"},
    "type that waits": lambda: {"type": later("Book"), "name": "late", "pages": 1, "id": "1"},
    "type that fails": lambda: {"type": later(ValueError("no type"))},
    "dynamic": Dynamic,
    "slotted": Slotted,
    "class": lambda: Plain,
    "method": lambda: called,
    "failing method": lambda: failing,
    "exception": lambda: ValueError("returned"),
    "error": lambda: GraphQLError("ours", extensions={"code": "X"}),
    "awaitable": lambda: later("awaited"),
    "slow": lambda: later("slow", 2),
    "awaitable null": lambda: later(None),
    "awaitable list": lambda: later(["a", "b"], 1),
    "awaitable dictionary": lambda: later({"name": "late dict", "pages": 1, "id": 4}, 1),
    "failing awaitable": lambda: later(KeyError("late")),
    "awaitables": lambda: [Late("a"), "b", Late("c", 1)],
    "failing awaitables": lambda: [Late(ValueError("1"), 1), "b", Late("c")],
    "iterated": lambda: iterated("a", "b"),
    "iterated, failing": lambda: iterated("a", ValueError("cut")),
    "books": lambda: [{"name": "a", "pages": 1, "id": 1}, None, {"pages": "x"}],
}
"""Values that a resolver may return."""
