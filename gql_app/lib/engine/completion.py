"""Value completion (GraphQL section 6.4.3): how each field's values become JSON.

Rows that come straight from the database become JSON without an object or a call for each.
"""

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeVar

from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLField,
    GraphQLLeafType,
    GraphQLObjectType,
    GraphQLOutputType,
    ResponsePath,
    Undefined,
    get_named_type,
)

from gql_app.lib.engine.compiled import Complete, Execution, Value

T = TypeVar("T")
Row = Sequence[Any]
"""The values of one row, in the order of its columns."""
_JSON_TYPES: Final = {"String": str, "ID": str, "Boolean": bool}
"""Types of which a value is JSON already, if it is of this very Python type."""
_NO_LISTS: Final = (str, bytes, bytearray, memoryview, Mapping)
"""What is iterable, and yet no list (GraphQL section 3.11)."""
_COLUMN_TYPES: Final = frozenset({"String", "ID", "Boolean", "DateTime"})
"""Types whose values are read from the database as JSON has them."""


class LazyRows(Iterable[T]):
    """A list of GraphQL objects that are built only when they are looked at.

    To graphql-core it is a list. The compiled path writes the answer of the rows themselves,
    and builds no object at all.
    """

    def __init__(
        self, columns: Sequence[str], values: Sequence[Row], build: Callable[[Row], T]
    ) -> None:
        self.columns: Final = columns
        """Python's names of the fields that were read; no others of an object are looked at."""
        self.values: Final = values
        self._build = build

    def __iter__(self) -> Iterator[T]:
        """Return the objects, each built when its turn comes."""
        return map(self._build, self.values)


@dataclass(frozen=True, slots=True, eq=False)
class AttributeField:
    """A field whose value is an attribute of its object."""

    response_name: str
    nodes: list[FieldNode]
    definition: GraphQLField
    parent: GraphQLObjectType
    complete: Complete
    attribute: str | None
    """None for __typename."""

    def read(self, execution: Execution, source: Value, parent_path: ResponsePath) -> Value:
        """Return the attribute, completed; null where that fails, if it may be null."""
        path = ResponsePath(parent_path, self.response_name, self.parent.name)
        try:
            value = getattr(source, self.attribute) if self.attribute else self.parent.name
            return self.complete(execution, value, path)
        except Exception as error:  # noqa: BLE001 — whatever it is, it is this field's
            return execution.fail(error, self.nodes, self.definition.type, path)


def leaf(kind: GraphQLLeafType) -> Complete:
    """Return what completes scalars and enums."""
    json_type = _JSON_TYPES.get(kind.name)

    def complete(_execution: Execution, value: Value, _path: ResponsePath) -> Value:
        if type(value) is json_type or value is None:
            return value
        coerced = kind.coerce_output_value(value)
        if coerced is None or coerced is Undefined:
            message = f"{kind.name} makes null of {value!r}."
            raise TypeError(message)
        return coerced

    return complete


def non_null(inner: Complete, name: str) -> Complete:
    """Return what completes a value that may not be null, of a field of this name."""

    def complete(execution: Execution, value: Value, path: ResponsePath) -> Value:
        completed = inner(execution, value, path)
        if completed is None:
            message = f"Cannot return null for non-nullable field {name}."
            raise TypeError(message)
        return completed

    return complete


def list_of(
    inner: Complete,
    item: GraphQLOutputType,
    nodes: list[FieldNode],
    fields: Sequence[AttributeField],
) -> Complete:
    """Return what completes lists of items, of which these fields are selected."""
    projection = _projection(fields)

    def complete_item(execution: Execution, value: Value, path: ResponsePath) -> Value:
        try:
            return inner(execution, value, path)
        except Exception as error:  # noqa: BLE001 — whatever it is, it is this item's
            return execution.fail(error, nodes, item, path)

    def complete(execution: Execution, values: Value, path: ResponsePath) -> Value:
        if values is None:
            return None
        if projection and type(values) is LazyRows and projection.covers(values):
            return projection(values)
        if not isinstance(values, Iterable) or isinstance(values, _NO_LISTS):
            name = f"{path.typename}.{nodes[0].name.value}"
            message = f"Expected Iterable, but did not find one for field '{name}'."
            raise GraphQLError(message)
        return [
            complete_item(execution, value, path.add_key(index))
            for index, value in enumerate(values)
        ]

    return complete


def object_of(fields: Sequence[AttributeField]) -> Complete:
    """Return what completes objects of which these fields are selected."""

    def complete(execution: Execution, source: Value, path: ResponsePath) -> Value:
        return source and {
            each.response_name: each.read(execution, source, path) for each in fields
        }

    return complete


def _projection(fields: Sequence[AttributeField]) -> "_RowProjection | None":
    """Return the projection to these fields, if columns of the database can be all of them."""
    if not fields or any(
        get_named_type(each.definition.type).name not in _COLUMN_TYPES for each in fields
    ):
        return None
    return _RowProjection(
        [_Column(each.response_name, each.attribute, each.parent.name) for each in fields]
    )


class _Column(NamedTuple):
    """A field of each object."""

    response_name: str
    name: str | None
    """The column that it is read from; None for __typename."""
    typename: str


class _RowProjection:
    """Makes a list of objects of rows, by a function written for their columns.

    Without it a page of 50 takes 2.7 times as long, and one of 500 seven times.
    """

    def __init__(self, columns: Sequence[_Column]) -> None:
        self._columns = columns
        self._names = {each.name for each in columns if each.name is not None}
        self._functions: dict[Sequence[str], Callable[[Sequence[Row]], list[Value]]] = {}

    def covers(self, rows: LazyRows[Value]) -> bool:
        """Return whether all that is selected was read."""
        return self._names <= set(rows.columns)

    def __call__(self, rows: LazyRows[Value]) -> list[Value]:
        """Return the objects."""
        function = self._functions.get(rows.columns)
        if function is None:
            function = self._functions[rows.columns] = self._written(rows.columns)
        return function(rows.values)

    def _written(self, columns: Sequence[str]) -> Callable[[Sequence[Row]], list[Value]]:
        """Return `lambda rows: [{"id": c0, "name": c1} for c0, c1 in rows]`.

        Nothing else that Python has is as fast; keys go into it as constants, not as text.
        """
        names = [f"c{index}" for index in range(len(columns))]
        values: list[ast.expr] = [
            ast.Constant(each.typename)
            if each.name is None
            else ast.Name(names[columns.index(each.name)], ast.Load())
            for each in self._columns
        ]
        row = ast.Tuple([ast.Name(name, ast.Store()) for name in names], ast.Store())
        objects = ast.ListComp(
            ast.Dict([ast.Constant(each.response_name) for each in self._columns], values),
            [ast.comprehension(row, ast.Name("rows", ast.Load()), [], 0)],
        )
        only = ast.arguments([], [ast.arg("rows")], None, [], [], None, [])
        tree = ast.fix_missing_locations(ast.Expression(ast.Lambda(only, objects)))
        function: Callable[[Sequence[Row]], list[Value]] = eval(  # noqa: S307 — of the tree above
            compile(tree, "<rows>", "eval"), {}
        )
        return function
