"""Composition: the types of one schema, made of parts that stay as they are for other schemas."""

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.schema.config import StrawberryConfig
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry.types.field import StrawberryField

from gql_app.lib.engine import Schema

__all__ = ["ComposedSchema", "Replacements", "merged_type"]

FieldsOf = Callable[[StrawberryObjectDefinition], list[StrawberryField]]
"""Returns the fields that a type has in one schema."""


class ComposedSchema(Schema):
    """A schema whose types may have other fields than in other schemas."""

    def __init__(
        self,
        *,
        query: type,
        mutation: type | None = None,
        types: Iterable[type] = (),
        config: StrawberryConfig | None = None,
        fields_of: FieldsOf,
    ) -> None:
        """Build a schema of its root types, and of types that nothing in them names."""
        self._fields_of = fields_of
        self.fields: dict[type, list[StrawberryField]] = {}
        """The fields that each type has here, as soon as they are asked for."""
        super().__init__(query=query, mutation=mutation, types=types, config=config)

    def get_fields(self, type_definition: StrawberryObjectDefinition) -> list[StrawberryField]:
        """Return a type's fields in this schema, the same ones each time."""
        known, kind = self.fields, type_definition.origin
        if kind not in known:
            known[kind] = self._fields_of(type_definition)
        return known[kind]


def merged_type(name: str, parts: Sequence[type]) -> type:
    """Return an object type that has the fields of several, in their order."""
    return strawberry.type(type(name, tuple(parts), {}))


@dataclass(frozen=True, slots=True)
class Replacements:
    """What is different in one schema: further fields, and types in the place of others."""

    fields: Mapping[type, Sequence[StrawberryField]] = field(default_factory=dict)
    """Further fields of object types."""
    inputs: Mapping[type, type] = field(default_factory=dict)
    """Input types of arguments, and what takes their place."""
    enums: Mapping[type, type] = field(default_factory=dict)
    """Enums that fields are of, and what takes their place."""

    def fields_of(self, definition: StrawberryObjectDefinition) -> list[StrawberryField]:
        """Return the fields of a type, of which those that are another's here are copies."""
        further = self.fields.get(definition.origin, ())
        return [self._replaced(each) for each in (*definition.fields, *further)]

    def _replaced(self, field: StrawberryField) -> StrawberryField:
        arguments = [self._argument(each) for each in field.arguments]
        kind = field.type
        enum = self.enums.get(kind.origin) if isinstance(kind, StrawberryEnumDefinition) else None
        if enum is None and arguments == field.arguments:
            return field
        replaced = copy.copy(field)
        replaced.arguments = arguments
        if enum:
            replaced.type = enum
        return replaced

    def _argument(self, argument: StrawberryArgument) -> StrawberryArgument:
        kind: Any = argument.type
        other = self.inputs.get(kind) if isinstance(kind, type) else None
        if other is None:
            return argument
        replaced = copy.copy(argument)
        replaced.type_annotation = StrawberryAnnotation(other)
        return replaced
