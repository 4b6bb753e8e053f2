"""Composition: schemas that extend shared types without changing them for other schemas.

Each of its fields has the directives of the permissions that decide on it, and is described with
who may ask for it.
"""

import copy
from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.permission import BasePermission, PermissionExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry.types.field import StrawberryField
from strawberry.types.private import is_private

from gql_app.lib.engine import Schema

__all__ = [
    "WHO_MAY_ASK",
    "ComposedSchema",
    "Replacements",
    "merged_type",
    "permissions_of",
    "shown_fields",
    "who_may_ask",
]

WHO_MAY_ASK: Final = "who_may_ask"
"""The attribute of a permission, and the key in a field's metadata, that has this sentence."""
OPEN: Final = "Open to everyone."
"""The sentence for a field of a root type without permissions."""
ITSELF: Final = "__type"
"""The key of a type's description among those of its parts."""
Descriptions = Mapping[str, Mapping[str, str]]
"""By type name, the descriptions of its parts: of a `field`, a `field(argument)`, a `VALUE`.

A type inherits missing ones from its interfaces. A directive is named with its `@`, and has those
of an `argument`.
"""
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
        descriptions: Descriptions | None = None,
    ) -> None:
        """Build a schema of its root types, and of `types` that nothing in them refers to.

        The descriptions apply to parts without one; those of unknown parts are ignored.
        """
        self._fields_of = fields_of
        self.fields: dict[type, list[StrawberryField]] = {}
        """The fields of each type in this schema, cached by the first call."""
        super().__init__(query=query, mutation=mutation, types=types, config=config)
        for each in self.core.directives:
            _describe(f"@{each.name}", each, descriptions or {})
        for kind in self.core.type_map.values():
            _describe(kind.name, kind, descriptions or {})
            definition = self.get_type_by_name(kind.name)
            if isinstance(definition, StrawberryObjectDefinition) and not definition.is_input:
                self._describe_who_may_ask(kind, definition)
                if _names_its_type(definition):
                    kind.is_type_of = None  # type: ignore[attr-defined]  # an object type's

    def get_fields(self, type_definition: StrawberryObjectDefinition) -> list[StrawberryField]:
        """Return a type's fields in this schema, the same ones each time."""
        known, kind = self.fields, type_definition.origin
        if kind not in known:
            known[kind] = shown_fields(self._fields_of(type_definition))
            for extension in (each for field in known[kind] for each in field.extensions):
                if isinstance(extension, PermissionExtension):
                    extension.use_directives = True  # which `permission_classes` turns off
        return known[kind]

    def _describe_who_may_ask(self, kind: Any, definition: StrawberryObjectDefinition) -> None:  # noqa: ANN401 — of graphql-core
        is_root = kind in {self.core.query_type, self.core.mutation_type}
        for each in self.get_fields(definition):
            described = kind.fields[self.config.name_converter.get_graphql_name(each)]
            who = _who_may_ask(each) or (OPEN if is_root else "")
            described.description = " ".join(filter(None, (described.description, who))) or None


def shown_fields(fields: Iterable[StrawberryField]) -> list[StrawberryField]:
    """Return the fields that a schema shows: Strawberry lists private ones, too, if they are text.

    That is, if their module imports annotations from __future__.
    """
    return [each for each in fields if not is_private(each.type)]


def _who_may_ask(field: StrawberryField) -> str:
    """Return who may ask for a field, in its permissions' sentences; empty without permissions."""
    told = [*map(who_may_ask, permissions_of(field)), field.metadata.get(WHO_MAY_ASK)]
    return " ".join(filter(None, told))


def permissions_of(field: StrawberryField) -> list[BasePermission]:
    """Return the permissions that decide on a field."""
    extensions = (each for each in field.extensions if isinstance(each, PermissionExtension))
    return [permission for each in extensions for permission in each.permissions]


def who_may_ask(permission: object) -> str:
    """Return the sentence of a permission: its own, or its name."""
    named: str = getattr(permission, WHO_MAY_ASK, f"Needs {type(permission).__name__}.")
    return named


def _describe(named: str, kind: Any, descriptions: Descriptions) -> None:  # noqa: ANN401 — of graphql-core
    """Set the descriptions of a type or directive and of its parts where they are missing."""
    names = [named, *(each.name for each in getattr(kind, "interfaces", ()))]
    parts = [*getattr(kind, "fields", {}).items()]
    parts += [(f"{n}({name})", a) for n, f in parts for name, a in getattr(f, "args", {}).items()]
    parts += [*getattr(kind, "values", {}).items(), *getattr(kind, "args", {}).items()]
    texts = ChainMap(*(dict(descriptions.get(each, {})) for each in names))
    kind.description = kind.description or descriptions.get(named, {}).get(ITSELF)
    for name, part in parts:
        part.description = part.description or texts.get(name)


def _names_its_type(definition: StrawberryObjectDefinition) -> bool:
    """Return whether the interfaces resolve the type of an object, so that it needs no check.

    Strawberry has every object of a type with an interface checked: without that, the executor
    takes 30 µs for a page of 50 rows instead of 175.
    """
    interfaces = definition.interfaces
    resolved = all(each.resolve_type for each in interfaces)
    return bool(interfaces) and resolved and not definition.is_type_of


def merged_type(name: str, parts: Sequence[type]) -> type:
    """Return an object type with the fields of several classes, in their order."""
    return strawberry.type(type(name, tuple(parts), {}))


@dataclass(frozen=True, slots=True)
class Replacements:
    """The changes of a schema: further fields, and types that replace others."""

    fields: Mapping[type, Sequence[StrawberryField]] = field(default_factory=dict)
    """Further fields of object types."""
    inputs: Mapping[type, type] = field(default_factory=dict)
    """Input types of arguments, and their replacements."""
    enums: Mapping[type, type] = field(default_factory=dict)
    """Enums of fields, and their replacements."""

    def fields_of(self, definition: StrawberryObjectDefinition) -> list[StrawberryField]:
        """Return the fields of a type; those that are changed here are copies."""
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
