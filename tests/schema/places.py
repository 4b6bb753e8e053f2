"""Every argument of a root field, and every field of an input object, that takes a scalar."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLNamedType,
    GraphQLObjectType,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
    is_required_argument,
    is_required_input_field,
)

from gql_app.schema.root import build_schema
from tests.people import PASSWORD

SCHEMA: Final = build_schema().core
ELSE: Final[Mapping[str, str]] = {
    "currentPassword": PASSWORD,
    "email": "filler@example.com",
    "name": "Fay Filler",
    "newPassword": "a passphrase of theirs",
    "password": "a passphrase of theirs",
    "phone": "555 0100",
}
"""Valid values of all other places, so that the tested place is reached."""
_PLAIN: Final[Mapping[str, str]] = {
    "Boolean": "true",
    "DateTime": '"2030-01-31T12:00:00Z"',
    "Float": "1",
    "ID": '"00000000-0000-7000-8000-000000000000"',
    "Int": "1",
    "JSON": "{}",
    "String": '"x"',
}


@dataclass(frozen=True, slots=True)
class Place:
    """An argument of a root field, or a field of it, and the scalar or enum that it takes."""

    operation: str
    field: str
    argument: str
    inner: str | None
    kind: str

    def __str__(self) -> str:
        """Return the name of the place."""
        return ".".join(filter(None, (self.field, self.argument, self.inner)))

    def document(self, value: str, declared: str = "", **others: str) -> str:
        """Return an operation with a value in this place, and valid values in others."""
        return f"{self.operation}{declared} {{ {self.selection(value, **others)} }}"

    def selection(self, value: str, **others: str) -> str:
        """Return the field with a value in this place, and valid values in others."""
        field = _root(self.operation).fields[self.field]
        spelt = [
            f"{name}: {self._spelt(name, argument, value, others)}"
            for name, argument in field.args.items()
            if name == self.argument or name in others or is_required_argument(argument)
        ]
        return f"{self.field}({', '.join(spelt)}) {_selection(field)}"

    def _spelt(
        self, name: str, argument: GraphQLArgument, value: str, others: Mapping[str, str]
    ) -> str:
        kind = get_named_type(argument.type)
        if name == self.argument and self.inner is None:
            return f"[{value}]" if is_list_type(get_nullable_type(argument.type)) else value
        if not isinstance(kind, GraphQLInputObjectType):
            return _good(name, kind, others)
        inner = {
            key: _good(key, get_named_type(each.type), others)
            for key, each in kind.fields.items()
            if _is_sent(key, each, others)
        }
        if name == self.argument and self.inner is not None:
            listed = is_list_type(get_nullable_type(kind.fields[self.inner].type))
            inner[self.inner] = f"[{value}]" if listed else value
        return "{" + ", ".join(f"{key}: {each}" for key, each in inner.items()) + "}"


def places(*kinds: str) -> list[Place]:
    """Return every place that takes one of these scalars or enums; all if none is named."""
    return [
        Place(operation, field, argument, inner, kind)
        for operation in ("query", "mutation")
        for field, definition in _root(operation).fields.items()
        for argument, inner, kind in _within(definition)
        if not kinds or kind in kinds
    ]


def _within(field: GraphQLField) -> Iterator[tuple[str, str | None, str]]:
    for name, argument in field.args.items():
        kind = get_named_type(argument.type)
        if isinstance(kind, GraphQLInputObjectType):
            for key, each in kind.fields.items():
                yield name, key, get_named_type(each.type).name
        else:
            yield name, None, kind.name


def _root(operation: str) -> GraphQLObjectType:
    root = SCHEMA.query_type if operation == "query" else SCHEMA.mutation_type
    assert root
    return root


def _is_sent(key: str, field: GraphQLInputField, others: Mapping[str, str]) -> bool:
    return is_required_input_field(field) or key in ELSE or key in others


def _good(name: str, kind: GraphQLNamedType, others: Mapping[str, str]) -> str:
    if name in others:
        return json.dumps(others[name])
    if name in ELSE:
        return json.dumps(ELSE[name])
    if isinstance(kind, GraphQLEnumType):
        return str(next(iter(kind.values)))
    return _PLAIN[kind.name]


def _selection(field: GraphQLField) -> str:
    kind = get_named_type(field.type)
    if not is_composite_type(kind):
        return ""
    if isinstance(kind, GraphQLObjectType) and "status" in kind.fields:
        return "{ status message errors { code field message } retryAfter }"
    return "{ __typename }"
