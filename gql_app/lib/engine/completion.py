"""Value completion (GraphQL section 6.4.3), planned once for each field."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

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

from gql_app.lib.engine.execution import Execution, Value
from gql_app.lib.engine.lazy_rows import LazyRows
from gql_app.lib.engine.projection import COLUMN_TYPES, Column, RowProjection

Complete = Callable[[Execution, Value, ResponsePath], Value]
"""Returns the value at a path as the answer has it."""
_JSON_TYPES: Final = {"String": str, "ID": str, "Boolean": bool}
"""Types of which a value is JSON already, if it is of this very Python type."""
_NO_LISTS: Final = (str, bytes, bytearray, memoryview, Mapping)
"""What is iterable, and yet no list (GraphQL section 3.11)."""


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
            value = None if self.attribute is None else getattr(source, self.attribute)
            return self.complete(execution, value, path)
        except Exception as error:  # noqa: BLE001 — whatever it is, it is this field's
            return execution.fail(error, self.nodes, self.definition.type, path)


def typename(name: str) -> Complete:
    """Return what answers with a type's name."""
    return lambda _execution, _value, _path: name


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


def _projection(fields: Sequence[AttributeField]) -> RowProjection | None:
    """Return the projection to these fields, if columns of the database can be all of them."""
    if not fields or any(
        get_named_type(each.definition.type).name not in COLUMN_TYPES for each in fields
    ):
        return None
    return RowProjection(
        [Column(each.response_name, each.attribute, each.parent.name) for each in fields]
    )
