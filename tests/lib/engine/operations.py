"""Generated operations of a schema: fields, aliases, fragments, directives, variables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import hypothesis.strategies as st
from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
)
from graphql.type.directives import GraphQLDisableErrorPropagationDirective

T = TypeVar("T")
Composite = GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType
DEPTH: Final = 4
PROPAGATION: Final = GraphQLDisableErrorPropagationDirective.name
LITERALS: Final[Mapping[str, Sequence[str]]] = {
    "size": ("7", "null", "-2147483648"),
    "level": ("LOW", "HIGH", "null"),
    "filter": (
        "{}",
        '{text: "a", sizes: [], level: MIDDLE}',
        "{inner: {inner: {needed: true}}, sizes: 2}",
        "{text: null}",
        "null",
    ),
    "by": ('{id: "a"}', '{name: "b"}', "null"),
    "ids": ('["a", "b"]', "7", "[]", "null"),
    "flag": ("true", "false"),
    "json": ("{a: [1, 2.5, null], b: LOW}", '"x"', "null"),
}
"""Literals of each argument, as text."""
VALUES: Final[Mapping[str, Sequence[object]]] = {
    "size": (7, 2.0, None, 2**31, "7", True),
    "level": ("LOW", "HIGH", None, "low", 2),
    "filter": ({}, {"sizes": [1, 2], "level": "LOW"}, {"inner": {"text": "a"}}, {"none": 1}, None),
    "by": ({"id": 7}, {"name": "b"}, {"id": "a", "name": "b"}, {}, None),
    "ids": (["a", 7], "a", [], [None], None),
    "flag": (True, False, True, False, None, "true"),
    "json": ({"a": [1]}, "x", 0, None),
}
"""Values of each argument's variable, some of them invalid."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A document with one operation, and the variables of each execution."""

    text: str
    variables: Sequence[dict[str, object]]


@dataclass(slots=True)
class _Draft:
    """An operation that is being generated."""

    draw: st.DrawFn
    schema: GraphQLSchema
    declared: dict[str, str] = field(default_factory=dict)
    """The types of variables."""
    arguments: dict[str, str] = field(default_factory=dict)
    """The arguments that variables are used for."""
    fragments: list[str] = field(default_factory=list)
    aliases: int = 0

    def chance(self, one_in: int) -> bool:
        """Return True once in so many times."""
        return self.draw(st.integers(1, one_in)) == one_in

    def pick(self, values: Sequence[T]) -> T:
        """Return one of the values."""
        return self.draw(st.sampled_from(values))

    def directives(self) -> str:
        """Return none, one or both directives, with literals or a few variables."""
        written = ""
        for name in ("skip", "include"):
            if self.chance(6):
                condition = self.pick(("true", "false", "$a", "$b", "$c"))
                if condition.startswith("$"):
                    self.declared[condition] = "Boolean!"
                    self.arguments[condition] = "flag"
                written += f" @{name}(if: {condition})"
        return written

    def selections(self, kind: Composite, deep: int) -> str:
        """Return selections of a type, in any order and with duplicates."""
        least, most = (3, 6) if deep == 0 else (1, 4)
        count = self.draw(st.integers(least, most))
        parts = [self.selection(kind, deep) for _ in range(count)]
        if self.chance(4):
            parts.append(self.pick(parts))
        return f"{{ {' '.join(parts)} }}"

    def selection(self, kind: Composite, deep: int) -> str:
        """Return a field, __typename or a fragment."""
        way = self.draw(st.integers(0, 9))
        fields = {} if isinstance(kind, GraphQLUnionType) else kind.fields
        if way == 9 or (not fields and deep >= DEPTH):
            return f"{self.alias()}__typename{self.directives()}"
        if (way > 5 or not fields) and deep < DEPTH:
            return self.fragment(kind, deep)
        names = [name for name, each in fields.items() if deep < DEPTH or not _selects(each.type)]
        if not names:
            return "__typename"
        name = self.pick(names)
        return self.field(name, fields[name], deep)

    def fragment(self, kind: Composite, deep: int) -> str:
        """Return an inline fragment, or a spread of a named one."""
        possible = [kind.name]
        if not isinstance(kind, GraphQLObjectType):
            possible += [each.name for each in self.schema.get_possible_types(kind)]
        else:
            possible += [each.name for each in kind.interfaces]
        name = self.pick(possible)
        inner = self.schema.get_type(name)
        assert isinstance(inner, Composite)
        selected = self.selections(inner, deep + 1)
        if self.chance(2):
            condition = "" if inner is kind and self.chance(2) else f" on {name}"
            return f"...{condition}{self.directives()} {selected}"
        self.fragments.append(f"fragment F{len(self.fragments)} on {name} {selected}")
        return f"...F{len(self.fragments) - 1}{self.directives()}"

    def alias(self, *, always: bool = False) -> str:
        """Return a unique alias, or none."""
        if not always and not self.chance(6):
            return ""
        self.aliases += 1
        return f"a{self.aliases}: "

    def field(self, name: str, of: GraphQLField, deep: int) -> str:
        """Return a field with its arguments and selections."""
        written = [
            f"{argument}: {self.value(argument, str(each.type))}"
            for argument, each in of.args.items()
            if argument == "flag" or not self.chance(3)
        ]
        arguments = f"({', '.join(written)})" if written else ""
        inner = get_named_type(of.type)
        below = f" {self.selections(inner, deep + 1)}" if isinstance(inner, Composite) else ""
        alias = self.alias(always=bool(of.args) or len(self.kinds(name)) > 1)
        return f"{alias}{name}{arguments}{self.directives()}{below}"

    def kinds(self, name: str) -> set[str]:
        """Return a field's types: an object's may be narrower than its interface's."""
        types = [each for each in self.schema.type_map.values() if hasattr(each, "fields")]
        return {str(each.fields[name].type) for each in types if name in each.fields}

    def value(self, argument: str, kind: str) -> str:
        """Return an argument's value, or a variable for it."""
        if not self.chance(3):
            return self.pick(LITERALS[argument])
        variable = f"$v{len(self.declared)}"
        default = f" = {self.pick(LITERALS[argument])}" if self.chance(3) else ""
        self.declared[variable] = f"{kind}{default}"
        self.arguments[variable] = argument
        return variable

    def sent(self) -> dict[str, object]:
        """Return a value for each variable, or none; rarely an invalid one."""
        sent = {}
        for variable, argument in self.arguments.items():
            if self.declared[variable].endswith("!") or not self.chance(4):
                values = VALUES[argument]
                right = values if self.chance(8) else values[: 2 if argument != "flag" else 4]
                sent[variable[1:]] = self.pick(right)
        return sent


def _selects(kind: GraphQLOutputType) -> bool:
    return isinstance(get_named_type(kind), Composite)


@st.composite
def operations(draw: st.DrawFn, schema: GraphQLSchema) -> Operation:
    """Return an operation of a schema, to be executed three times."""
    draft = _Draft(draw, schema)
    mutation = draft.chance(4)
    root = schema.mutation_type if mutation else schema.query_type
    assert root is not None
    selected = draft.selections(root, 0)
    declared = ", ".join(f"{name}: {kind}" for name, kind in draft.declared.items())
    head = f"{'mutation' if mutation else 'query'} Q{f'({declared})' if declared else ''}"
    if schema.get_directive(PROPAGATION) and draft.chance(8):
        head += f" @{PROPAGATION}"
    text = f"{head} {selected} {' '.join(draft.fragments)}"
    first, second = draft.sent(), draft.sent()
    return Operation(text, (first, second, first))
