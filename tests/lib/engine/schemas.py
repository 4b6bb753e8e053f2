"""Generated schemas: objects, interfaces, unions, lists of lists, enums, scalars, arguments.

A field's name is used by one type or one interface only, so that selections never conflict.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

import hypothesis.strategies as st
from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLField,
    GraphQLFloat,
    GraphQLID,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInt,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    GraphQLUnionType,
    Undefined,
    specified_directives,
)
from graphql.type.directives import GraphQLDisableErrorPropagationDirective

from tests.lib.engine.worlds import resolve, resolve_type, type_check

T = TypeVar("T")


def write_json(value: Any) -> Any:  # noqa: ANN401 — what a resolver returned
    """Return a custom scalar as JSON: unchanged, or None for zero. Raise TypeError for text."""
    if isinstance(value, str):
        message = f"no text: {value}"
        raise TypeError(message)
    return Undefined if isinstance(value, int | float) and not value else value


JSON: Final = GraphQLScalarType("Json", coerce_output_value=write_json)
LEVEL: Final = GraphQLEnumType("Level", {"LOW": "low", "MIDDLE": 2, "HIGH": (3, "three")})
LEAVES: Final = (GraphQLInt, GraphQLFloat, GraphQLString, GraphQLBoolean, GraphQLID, JSON, LEVEL)
FILTER: GraphQLInputObjectType = GraphQLInputObjectType(
    "Filter",
    lambda: {
        "text": GraphQLInputField(GraphQLString),
        "sizes": GraphQLInputField(GraphQLList(GraphQLNonNull(GraphQLInt)), default_value=[1]),
        "level": GraphQLInputField(LEVEL, out_name="level_"),
        "inner": GraphQLInputField(FILTER),
        "needed": GraphQLInputField(GraphQLNonNull(GraphQLBoolean), default_value=False),
    },
    out_type=lambda values: sorted(values.items(), key=str),
)
ONE_OF: Final = GraphQLInputObjectType(
    "OneOf",
    {"id": GraphQLInputField(GraphQLID), "name": GraphQLInputField(GraphQLString)},
    is_one_of=True,
)
ARGUMENTS: Final[Mapping[str, GraphQLArgument]] = {
    "size": GraphQLArgument(GraphQLInt, default_value=3),
    "level": GraphQLArgument(LEVEL, out_name="level_"),
    "filter": GraphQLArgument(FILTER),
    "by": GraphQLArgument(ONE_OF),
    "ids": GraphQLArgument(GraphQLList(GraphQLNonNull(GraphQLID))),
    "flag": GraphQLArgument(GraphQLNonNull(GraphQLBoolean)),
    "json": GraphQLArgument(JSON),
}
COUNTS: Final[Mapping[str, tuple[int, int]]] = {
    "objects": (2, 4),
    "interfaces": (1, 2),
    "unions": (0, 2),
}
"""The least and the most of each kind in a schema."""


@dataclass(slots=True)
class _Draft:
    """A schema that is being generated."""

    draw: st.DrawFn
    outputs: list[GraphQLOutputType]
    fields: int = 0

    def chance(self, one_in: int) -> bool:
        """Return True once in so many times."""
        return self.draw(st.integers(1, one_in)) == one_in

    def pick(self, values: Sequence[T]) -> T:
        """Return one of the values."""
        return self.draw(st.sampled_from(values))

    def field(self) -> tuple[str, GraphQLField]:
        """Return a field of any type, with or without arguments and a resolver."""
        self.fields += 1
        kind: Any = self.pick(LEAVES if self.chance(2) else self.outputs)
        for _ in range(self.pick((0, 0, 0, 1, 1, 2))):
            kind = GraphQLList(GraphQLNonNull(kind) if self.chance(4) else kind)
        if self.chance(4):
            kind = GraphQLNonNull(kind)
        names = self.draw(st.sets(st.sampled_from(sorted(ARGUMENTS)), max_size=2))
        arguments = {name: ARGUMENTS[name] for name in sorted(names)} if self.chance(3) else None
        return f"f{self.fields}", GraphQLField(kind, arguments, resolve if self.chance(2) else None)

    def attributes(self) -> dict[str, GraphQLField]:
        """Return fields of leaf types without resolvers, as most fields of real schemas are."""
        kinds: list[Any] = [self.pick(LEAVES) for _ in range(4)]
        self.fields += len(kinds)
        return {
            f"f{self.fields - number}": GraphQLField(kind if number else GraphQLNonNull(kind))
            for number, kind in enumerate(kinds)
        }

    def some(self, least: int, most: int) -> dict[str, GraphQLField]:
        """Return some fields."""
        return dict(self.field() for _ in range(self.draw(st.integers(least, most))))


def _inherited(
    draft: _Draft, interfaces: Sequence[GraphQLInterfaceType]
) -> dict[str, GraphQLField]:
    """Return the fields that an object inherits of interfaces, some of them made non-null."""
    fields = {}
    for interface in interfaces:
        for name, each in interface.fields.items():
            kind: GraphQLOutputType = each.type
            if not isinstance(kind, GraphQLNonNull) and draft.chance(4):
                kind = GraphQLNonNull(kind)
            fields[name] = GraphQLField(kind, each.args, resolve if draft.chance(2) else None)
    return fields


@st.composite
def schemas(draw: st.DrawFn) -> GraphQLSchema:
    """Return a schema, whose types refer to each other in any way."""
    draft = _Draft(draw, [])
    fields: dict[str, dict[str, GraphQLField]] = {}
    counts = {name: draw(st.integers(*bounds)) for name, bounds in COUNTS.items()}
    interfaces = [
        GraphQLInterfaceType(
            f"I{number}",
            partial(fields.__getitem__, f"I{number}"),
            resolve_type=resolve_type if draft.chance(2) else None,
        )
        for number in range(counts["interfaces"])
    ]
    # The first object implements all interfaces, so that each has an implementation.
    implemented = [
        draw(st.lists(st.sampled_from(interfaces), unique=True)) if number else interfaces
        for number in range(counts["objects"])
    ]
    objects = [
        GraphQLObjectType(
            f"T{number}",
            partial(fields.__getitem__, f"T{number}"),
            interfaces=theirs,
            is_type_of=type_check(f"T{number}") if draft.chance(3) else None,
        )
        for number, theirs in enumerate(implemented)
    ]
    unions = [
        GraphQLUnionType(
            f"U{number}",
            draw(st.lists(st.sampled_from(objects), min_size=1, unique=True)),
            resolve_type=resolve_type if draft.chance(2) else None,
        )
        for number in range(counts["unions"])
    ]
    draft.outputs = [*objects, *interfaces, *unions]
    for interface in interfaces:
        fields[interface.name] = draft.some(1, 2)
    for each, theirs in zip(objects, implemented, strict=True):
        fields[each.name] = {**_inherited(draft, theirs), **draft.attributes(), **draft.some(1, 3)}
    query, mutation = (GraphQLObjectType(name, draft.some(4, 6)) for name in ("Query", "Mutation"))
    directives = (*specified_directives, GraphQLDisableErrorPropagationDirective)
    return GraphQLSchema(query, mutation, types=objects, directives=directives)
