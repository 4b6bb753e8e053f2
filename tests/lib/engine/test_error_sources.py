"""Errors of wrong values are told from those of clients and resolvers, with either executor."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any, Final

import pytest
import strawberry
from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLInt,
    GraphQLResolveInfo,
    GraphQLScalarType,
    GraphQLSchema,
    build_schema,
    execute,
    is_enum_type,
    is_interface_type,
    is_object_type,
    parse,
)
from graphql.execution.incremental import IncrementalExecutor
from strawberry.permission import BasePermission

from bench.compiled_executor import CompiledExecutor
from gql_app.lib.engine.error_sources import is_denial, is_of_value

SDL: Final = """
  scalar Odd
  enum Size { LARGE }
  interface Shape { area: Int }
  type Square implements Shape { area: Int }
  type Circle { radius: Int }
  input Choice @oneOf { a: Int, b: Int }
  type Query { whole: Int need: Int! fraction: Float flag: Boolean text: String id: ID odd: Odd
    size: Size wholes: [Int] needs: [Int!] shape: Shape shapes: [Shape!] circle: Circle
    circles: [Circle!] query: Query queries: [Query!] of(n: Int!, m: [Int!], choice: Choice): Int }
"""
MANY: Final = 40
"""More objects than a function is generated after."""
Value = Any


class Shape:
    """A shape whose type may be wrong."""

    def __init__(self, kind: object) -> None:
        self.kind = kind
        self.radius = 1


def _serialize(_: object) -> object:
    message = "No number is odd enough."
    raise GraphQLError(message)


def _type_of(value: Value, *_: object) -> Value:
    return value.kind() if callable(value.kind) else value.kind


def schema() -> GraphQLSchema:
    """Return a schema whose types are resolved by values."""
    made = build_schema(SDL)
    shape, circle, odd = (made.type_map[name] for name in ("Shape", "Circle", "Odd"))
    assert is_interface_type(shape)
    assert is_object_type(circle)
    assert isinstance(odd, GraphQLScalarType)
    assert is_enum_type(made.type_map["Size"])
    shape.resolve_type = circle.is_type_of = _type_of
    odd.coerce_output_value = _serialize
    return made


SCHEMA: Final = schema()
KINDS: Final = {"graphql-core": IncrementalExecutor, "compiled": CompiledExecutor}


def later(value: object) -> Callable[..., Awaitable[object]]:
    """Return an asynchronous function that returns a value, or raises it."""

    async def resolve(*_: object) -> object:
        await asyncio.sleep(0)
        if isinstance(value, Exception):
            raise value
        return value

    return resolve


async def each(*values: object) -> AsyncIterator[object]:
    """Yield values, or raise them."""
    for value in values:
        if isinstance(value, Exception):
            raise value
        yield value


def once(*values: object) -> Iterator[object]:
    """Yield values, or raise them."""
    for value in values:
        if isinstance(value, Exception):
            raise value
        yield value


def raising(error: Exception) -> Callable[..., object]:
    """Return a function that raises an error."""

    def resolve(*_: object) -> object:
        raise error

    return resolve


def nodes_of(info: GraphQLResolveInfo[Any]) -> object:
    """Raise an error with the field's nodes."""
    message = "Shown."
    raise GraphQLError(message, info.field_nodes)


def parsed(_info: object) -> object:
    """Raise the error of graphql-core's own parser, of a text that a resolver was given."""
    return GraphQLInt.coerce_input_value("abc")


def failed(_info: object) -> object:
    """Return a future that has failed, in no function."""
    future = asyncio.get_running_loop().create_future()
    future.set_exception(GraphQLError("Shown."))
    return future


def shown() -> GraphQLError:
    """Return an error for clients."""
    return GraphQLError("Shown.", extensions={"code": "X"})


WRONG: Final[Mapping[str, tuple[str, Callable[[], dict[str, Any]]]]] = {
    "text for an Int": ("{ whole }", lambda: {"whole": "abc"}),
    "large Int": ("{ whole }", lambda: {"whole": 2**31}),
    "fraction for an Int": ("{ whole }", lambda: {"whole": 1.5}),
    "object for an Int": ("{ whole }", lambda: {"whole": object()}),
    "Int!": ("{ query { need } }", lambda: {"query": {"need": "abc"}}),
    "infinite Float": ("{ fraction }", lambda: {"fraction": float("inf")}),
    "text for a Float": ("{ fraction }", lambda: {"fraction": "abc"}),
    "text for a Boolean": ("{ flag }", lambda: {"flag": "abc"}),
    "list for a String": ("{ text }", lambda: {"text": ["abc"]}),
    "object for an ID": ("{ id }", lambda: {"id": object()}),
    "error of a scalar": ("{ odd }", lambda: {"odd": 2}),
    "no value of an enum": ("{ size }", lambda: {"size": "SMALL"}),
    "list for an enum": ("{ size }", lambda: {"size": ["LARGE"]}),
    "awaited": ("{ whole }", lambda: {"whole": later("abc")}),
    "number for a list": ("{ wholes }", lambda: {"wholes": 7}),
    "text for a list": ("{ wholes }", lambda: {"wholes": "abc"}),
    "awaited number for a list": ("{ wholes }", lambda: {"wholes": later(7)}),
    "item": ("{ wholes }", lambda: {"wholes": [1, "abc"]}),
    "item!": ("{ needs }", lambda: {"needs": [1, "abc"]}),
    "item of a generator": ("{ needs }", lambda: {"needs": once(1, "abc")}),
    "item of an async generator": ("{ wholes }", lambda: {"wholes": each(1, "abc")}),
    "awaited item": ("{ wholes }", lambda: {"wholes": [later("abc")()]}),
    "no type": ("{ shape { area } }", lambda: {"shape": Shape(None)}),
    "number as a type": ("{ shape { area } }", lambda: {"shape": Shape(5)}),
    "unknown type": ("{ shape { area } }", lambda: {"shape": Shape("Hidden")}),
    "scalar as a type": ("{ shape { area } }", lambda: {"shape": Shape("Int")}),
    "other type": ("{ shape { area } }", lambda: {"shape": Shape("Circle")}),
    "awaited type": ("{ shape { area } }", lambda: {"shape": Shape(later("Hidden"))}),
    "type of an item": ("{ shapes { area } }", lambda: {"shapes": [Shape("Hidden")]}),
    "not of the type": ("{ circle { radius } }", lambda: {"circle": Shape(kind=False)}),
    "not, later": ("{ circle { radius } }", lambda: {"circle": Shape(later(value=False))}),
    "of an item": ("{ circles { radius } }", lambda: {"circles": [Shape(kind=False)]}),
    "generated": (
        "{ queries { whole } }",
        lambda: {"queries": [*({"whole": 1} for _ in range(MANY)), {"whole": "abc"}]},
    ),
}
"""A query by kind of wrong value, and how its root value is made."""
OTHERS: Final[Mapping[str, tuple[str, Callable[[], dict[str, Any]]]]] = {
    "argument": ('{ of(n: "abc") }', dict),
    "no argument": ("{ of }", dict),
    "null argument": ("query ($n: Int = 1) { of(n: $n) }", dict),
    "item of an argument": ("query ($n: Int = 1) { of(n: 1, m: [$n]) }", dict),
    "choice": ("query ($n: Int) { of(n: 1, choice: {a: $n}) }", dict),
    "choices": ("{ of(n: 1, choice: {a: 1, b: 1}) }", dict),
    "argument below": ('{ queries { of(n: "abc") } }', lambda: {"queries": [{}] * MANY}),
    "condition": ("query ($n: Boolean) { whole @skip(if: $n) }", dict),
    "condition below": (
        "query ($n: Boolean) { query { whole @skip(if: $n) } }",
        lambda: {"query": {}},
    ),
    "condition of a shape": (
        "query ($n: Boolean) { shapes { area @include(if: $n) } }",
        lambda: {"shapes": [Shape("Square")]},
    ),
    "condition of a circle": (
        "query ($n: Boolean) { circle { radius @include(if: $n) } }",
        lambda: {"circle": Shape(later(value=True))},
    ),
    "raised": ("{ whole }", lambda: {"whole": raising(shown())}),
    "raised later": ("{ whole }", lambda: {"whole": later(shown())}),
    "raised with nodes": ("{ whole }", lambda: {"whole": nodes_of}),
    "raised with a path": ("{ whole }", lambda: {"whole": raising(GraphQLError("", path=["x"]))}),
    "raised by a parser": ("{ whole }", lambda: {"whole": parsed}),
    "returned": ("{ whole }", lambda: {"whole": shown()}),
    "returned item": ("{ needs }", lambda: {"needs": [shown()]}),
    "failed future": ("{ whole }", lambda: {"whole": failed}),
    "generator": ("{ wholes }", lambda: {"wholes": once(1, shown())}),
    "async generator": ("{ wholes }", lambda: {"wholes": each(1, shown())}),
    "resolve_type": ("{ shape { area } }", lambda: {"shape": Shape(raising(shown()))}),
    "resolve_type, later": ("{ shape { area } }", lambda: {"shape": Shape(later(shown()))}),
    "is_type_of": ("{ circle { radius } }", lambda: {"circle": Shape(raising(shown()))}),
    "is_type_of, later": ("{ circle { radius } }", lambda: {"circle": Shape(later(shown()))}),
    "another exception": ("{ whole }", lambda: {"whole": raising(ValueError("abc"))}),
    "null": ("{ need }", lambda: {"need": None}),
}
"""A query by another kind of error, and how its root value is made."""


async def failures(executor: str, query: str, root: object) -> list[GraphQLError]:
    """Return the errors of a query, at least one, whose variables are null."""
    document = parse(query)
    for _ in range(2):  # a plan's first execution, and a later one
        result = execute(
            SCHEMA,
            document,
            root() if callable(root) else root,
            variable_values={"n": None},
            executor_class=KINDS[executor],
        )
        answered = result if isinstance(result, ExecutionResult) else await result
    assert answered.errors
    return answered.errors


@pytest.mark.parametrize("executor", KINDS)
@pytest.mark.parametrize("kind", WRONG)
async def test_error_of_a_wrong_value_is_known(executor: str, kind: str) -> None:
    errors = await failures(executor, *WRONG[kind])
    assert all(isinstance(error.original_error, GraphQLError) for error in errors)
    assert [is_of_value(error) for error in errors] == [True] * len(errors)


@pytest.mark.parametrize("executor", KINDS)
@pytest.mark.parametrize("kind", OTHERS)
async def test_error_of_a_client_or_a_resolver_is_of_no_value(executor: str, kind: str) -> None:
    for error in await failures(executor, *OTHERS[kind]):
        assert not is_of_value(error)
        assert not is_denial(error)


class Never(BasePermission):
    """A permission that nobody has."""

    message = "Nobody may."

    def has_permission(self, *_: object, **__: object) -> bool:
        """Return False."""
        return False


class NeverLater(BasePermission):
    """A permission that nobody has, after a while."""

    async def has_permission(self, *_: object, **__: object) -> bool:
        """Return False."""
        await asyncio.sleep(0)
        return False


class Own(Never):
    """A permission with an error of its own."""

    def on_unauthorized(self) -> None:
        """Raise an error."""
        raise shown()


class Raising(Never):
    """A permission that raises an error instead of returning."""

    def has_permission(self, *_: object, **__: object) -> bool:
        """Raise an error."""
        raise shown()


@strawberry.type
class Query:
    """Fields with permissions."""

    value: int = strawberry.field(default=1, permission_classes=[Never])

    @strawberry.field(permission_classes=[Never])
    def plain(self) -> int:
        """Return a number."""
        return 1

    @strawberry.field(permission_classes=[NeverLater])
    async def later(self, info: strawberry.Info[None, None]) -> int:  # noqa: ARG002 — simplified
        """Return a number."""
        return 1

    @strawberry.field(permission_classes=[Own])
    def own(self) -> int:
        """Return a number."""
        return 1

    @strawberry.field(permission_classes=[Raising])
    def raising(self) -> int:
        """Return a number."""
        return 1

    @strawberry.field
    def open(self) -> int:
        """Raise an error."""
        raise shown()


@pytest.mark.parametrize("executor", [None, CompiledExecutor])
async def test_denial_by_a_permission_is_known(executor: Value) -> None:
    schema = strawberry.Schema(query=Query, execution_context_class=executor)
    told = {}
    for field in ("value", "plain", "later", "own", "raising", "open"):
        result = await schema.execute(f"{{ {field} }}", root_value=Query())
        [error] = result.errors or []
        told[field] = is_denial(error)
        assert not is_of_value(error)
    assert [field for field, is_denied in told.items() if is_denied] == [
        "value", "plain", "later", "own",
    ]  # fmt: skip
