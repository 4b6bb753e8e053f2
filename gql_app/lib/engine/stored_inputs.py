"""Stored inputs: fields of an input type as JSON, and back to Python by the schema's types."""

from collections.abc import Mapping
from typing import Any

import strawberry
from graphql import (
    GraphQLError,
    GraphQLInputObjectType,
    Undefined,
    assert_input_object_type,
    get_nullable_type,
    is_input_object_type,
    is_list_type,
)
from graphql.utilities import coerce_input_value
from strawberry.types.arguments import convert_argument
from strawberry.types.base import StrawberryMaybe, StrawberryObjectDefinition

from gql_app.lib.engine.schema import Schema, schema_of


def dump_inputs(
    info: strawberry.Info[Any, Any], kind: str, values: Mapping[str, object]
) -> dict[str, Any]:
    """Return fields of an input type, by Python's names, as the JSON that a client could have sent.

    Raises TypeError unless load_inputs() returns the same values.
    """
    try:
        stored = _stored(schema_of(info), kind, values)
        again = load_inputs(info, kind, stored)
    except (GraphQLError, TypeError, ValueError, AttributeError) as error:
        message = f"{kind} can't have all of {', '.join(values)} as given"
        raise TypeError(message) from error
    for name, value in values.items():
        if value is not None and value != again.get(name):
            message = f"{kind}.{name} can't have a {type(value).__name__} as it is"
            raise TypeError(message)
    return stored


def _stored(schema: Schema, kind: str, values: Mapping[str, object]) -> dict[str, Any]:
    definition, core = _types(schema, kind)
    stored = {}
    for field in definition.fields:
        value = values.get(field.python_name, strawberry.UNSET)
        if isinstance(field.type, StrawberryMaybe):
            value = getattr(value, "value", strawberry.UNSET)
        if value is strawberry.UNSET:
            continue
        name = schema.config.name_converter.get_graphql_name(field)
        stored[name] = _json(schema, core.fields[name].type, value)
    return stored


def load_inputs(
    info: strawberry.Info[Any, Any], kind: str, stored: Mapping[str, Any]
) -> dict[str, Any]:
    """Return stored fields of an input type as resolvers are given them, by Python's names.

    Fields that the type no longer has are left out. Raises ValueError for a value that its field
    no longer takes.
    """
    schema = schema_of(info)
    definition, core = _types(schema, kind)
    values: dict[str, Any] = {}
    for field in definition.fields:
        name = schema.config.name_converter.get_graphql_name(field)
        if name not in stored:
            continue
        value = coerce_input_value(stored[name], core.fields[name].type)
        if value is Undefined:
            message = f"{kind}.{name} doesn't take what was stored of it"
            raise ValueError(message)
        scalars = schema.schema_converter.scalar_registry
        values[field.python_name] = convert_argument(value, field.type, scalars, schema.config)
    return values


def _types(schema: Schema, kind: str) -> tuple[StrawberryObjectDefinition, GraphQLInputObjectType]:
    """Return Strawberry's definition of an input type, and graphql-core's."""
    definition = schema.get_type_by_name(kind)
    assert isinstance(definition, StrawberryObjectDefinition)  # noqa: S101 — for mypy
    return definition, assert_input_object_type(schema.core.type_map[kind])


def _json(schema: Schema, kind: Any, value: Any) -> Any:  # noqa: ANN401 — of any input type
    """Return a value of a type as JSON."""
    nullable = get_nullable_type(kind)
    if value is None:
        return None
    if is_list_type(nullable):
        return [_json(schema, nullable.of_type, each) for each in value]
    if is_input_object_type(nullable):
        definition, _ = _types(schema, nullable.name)
        names = [each.python_name for each in definition.fields]
        return _stored(schema, nullable.name, {name: getattr(value, name) for name in names})
    return nullable.coerce_output_value(value)
