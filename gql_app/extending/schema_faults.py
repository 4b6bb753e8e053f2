"""Validation of the composed schema: a sentence on each field that can't be as declared."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from strawberry.types.base import StrawberryContainer, get_object_definition
from strawberry.types.field import StrawberryField
from strawberry.types.union import StrawberryUnion

from gql_app.extending.comparisons import NAMES, is_comparable
from gql_app.extending.connections import Connection, connection_of
from gql_app.extending.guards import hidden
from gql_app.extending.nested import BY, KEY, LISTED
from gql_app.extending.nodes import NodeColumns
from gql_app.extending.visibility import EVERYTHING
from gql_app.lib.composition import ComposedSchema, permissions_of, shown_fields
from gql_app.schema.permissions import Permitted
from gql_app.schema.root import Additions, build_schema


def schema_faults(schema: ComposedSchema) -> Iterator[str]:
    """Yield a sentence on each nested list that can't be read, and field with taken types."""
    connections: dict[str, tuple[Connection, str]] = {}
    named: dict[str, tuple[type, str]] = {}
    for kind, fields in schema.fields.items():
        names = {each.name for each in dataclasses.fields(kind)}
        shown = {each.python_name: each.type for each in fields}
        for field in fields:
            where = f"{kind.__name__}.{field.python_name}"
            key: Any = field.metadata.get(KEY)
            by: Any = field.metadata.get(BY)
            if key and key not in names:
                yield f"{where} is read by {key}, which is no field of {kind.__name__}."
            elif key and not is_comparable(shown.get(key), by):
                yield f"{where} is read by {key}, whose type can't be compared with {by}."
            made = connection_of(field)
            if made and kind is not schema.query:
                yield (
                    f"{where} is a connection, of a whole table, whatever object it is a field of: "
                    "take nested(), or put it into a type of Feature.queries."
                )
            if made and connections.setdefault(made.name, (made, where))[0].inputs != made.inputs:
                yield (
                    f"{where} would share the types of {connections[made.name][1]}, such as "
                    f"{made.name}Order: give it a name of its own."
                )
            for name, one in _types_of(field):
                other, place = named.setdefault(name, (one, where))
                if other is not one:
                    yield f"{where} has another type {name} than {place}: rename one."
            columns: NodeColumns | None = made.columns if made else field.metadata.get(LISTED)
            if columns:
                yield from _hidden_later(where, columns, schema)
    yield from _other_tables(schema)


def union_faults(additions: Additions) -> Iterator[str]:
    """Yield a sentence on each union of features that has the name of another type."""
    found = [*_reached(additions)]
    places = {
        made.name: f"{made.origin.__module__}.{made.origin.__qualname__}"
        for _, kind in found
        if (made := get_object_definition(kind)) and not made.concrete_of
    }
    unions: dict[str, tuple[Any, str]] = {}
    for where, union in found:
        if not isinstance(union, StrawberryUnion):
            continue
        name = NAMES.from_type(union)
        ours: Any = build_schema().get_type_by_name(name)
        other, place = unions.setdefault(name, (union.types, f"the union of {where}"))
        if ours:
            place = f"the built-in {name}"
        elif name in places:
            place = f"the type {places[name]}"
        elif other == union.types:
            continue
        yield f"The union {name} of {where} has the name of {place}: rename it."


def _reached(additions: Additions) -> Iterator[tuple[str, Any]]:
    """Yield the types of what features add, each with a field where it is."""
    roots = (*additions.queries, *additions.mutations, *additions.types)
    todo: list[tuple[str, Any]] = [(getattr(each, "__name__", ""), each) for each in roots]
    for kind, fields in additions.fields.items():
        todo += [(f"{kind.__name__}.{each.python_name}", each.type) for each in fields]
    known: list[object] = []
    while todo:
        where, kind = todo.pop(0)
        made = get_object_definition(kind)
        if isinstance(kind, StrawberryContainer):
            todo.append((where, kind.of_type))
            continue
        if any(each is kind for each in known):
            continue
        known.append(kind)
        yield where, kind
        if isinstance(kind, StrawberryUnion):
            todo += [(where, each) for each in kind.types]
        elif made:
            todo += [(f"{made.name}.{e.python_name}", e.type) for e in shown_fields(made.fields)]


def required_permissions(schema: ComposedSchema) -> frozenset[str]:
    """Return the names of the permissions that fields of a schema require."""
    asked = (p for fields in schema.fields.values() for f in fields for p in permissions_of(f))
    return frozenset(each.permission for each in asked if isinstance(each, Permitted))


def _hidden_later(where: str, columns: NodeColumns, schema: ComposedSchema) -> Iterator[str]:
    """Yield a sentence on each column that is used, and that an extension of its type hides."""
    node = columns.node
    own = {each.python_name for each in get_object_definition(node, strict=True).fields}
    added = [each for each in schema.fields.get(node, ()) if each.python_name not in own]
    for name in hidden(added, columns.used):
        yield (
            f"{where} finds or sorts rows by {name}, which an extension of {node.__name__} shows "
            f"only to some: leave it out, or make it a field of {node.__name__} with HasPermission."
        )


def _other_tables(schema: ComposedSchema) -> Iterator[str]:
    """Yield a sentence on each nested list to which a connection's `visible` can't be applied."""
    every = [
        (field, f"{kind.__name__}.{field.python_name}")
        for kind, fields in schema.fields.items()
        for field in fields
    ]
    lists = [(made, where) for field, where in every if (made := connection_of(field))]
    first = {made.columns.node: (made, where) for made, where in reversed(lists)}
    for field, where in every:
        listed: NodeColumns | None = field.metadata.get(LISTED)
        if listed is None or listed.node not in first:
            continue
        made, place = first[listed.node]
        if made.visibility is not EVERYTHING and made.columns.table is not listed.table:
            yield (
                f"{where} lists rows of {listed.table} as {listed.node.__name__}, of which {place} "
                f"shows those of {made.columns.table} that are visible: list these, or make "
                "another type."
            )


def _types_of(field: StrawberryField) -> Iterator[tuple[str, type]]:
    """Yield the names and classes of a feature's types that are those of a field or its arguments.

    Strawberry takes two classes for one if their qualified names are equal, as those are that one
    function makes. connection() relies on that; its types are compared by their parts.
    """
    kinds: list[Any] = [field.type, *(argument.type for argument in field.arguments)]
    while kinds:
        kind = kinds.pop(0)
        made = get_object_definition(kind)
        if isinstance(kind, StrawberryContainer):
            kinds.append(kind.of_type)
        elif isinstance(kind, StrawberryUnion):
            kinds += kind.types
        elif made and not made.concrete_of and not made.origin.__module__.startswith("gql_app."):
            yield made.name, made.origin
