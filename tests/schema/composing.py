"""Generated operations that are likely valid and find something, in every syntactic form."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import hypothesis.strategies as st
from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    build_schema,
    get_named_type,
    is_required_argument,
)

from tests.processes import ROOT

T = TypeVar("T")
Composite = GraphQLObjectType | GraphQLInterfaceType
SCHEMA: Final = build_schema((ROOT / "schema.graphql").read_text(encoding="utf-8"))
IDS: Final = ("@PLAIN", "@ADMIN", "@OTHER", "00000000-0000-7000-8000-000000000000", "x", "")
CURSORS: Final = ("@CUSTOMERS", "@BY_NAME", "@AUDIT", "x", "")
MOMENTS: Final = ("2020-01-01T00:00:00Z", "2026-03-01T12:00:00.5+02:00", "9999-12-31T23:59:59Z")
WRONG: Final[Sequence[object]] = (True, 7.0, 7.5, -1, 2**31, 2**53, 1e300, "1", "", "x", [1], {})
NAMES: Final = ("Q", "Q", "Q", "Q", "Q", "Q", "Q", None, "", "Nope")
"""Values of operationName."""
LITERALS: Final[Mapping[str, Sequence[str]]] = {
    "Int": ("1", "2", "3", "4", "5", "50", "500", "501", "0", "null"),
    "ID": (*map(json.dumps, IDS), "7", "null"),
    "[ID!]": ('["@PLAIN", "@ADMIN"]', '["@OTHER", "@OTHER", "x"]', "[]", '"@PLAIN"', "null"),
    "DateTime": tuple(map(json.dumps, MOMENTS)),
    "CustomerOrderField": ("NAME", "CREATED_AT", "EMAIL"),
    "OrderDirection": ("ASC", "DESC"),
    "Boolean": ("true", "false", "null"),
    "String": (*map(json.dumps, CURSORS), '"a"', '"""a"""', '"session:login"', "null"),
}
VALUES: Final[Mapping[str, Sequence[object]]] = {
    "Int": (1, 2, 3, 4, 2.0, 500, 0, None),
    "ID": (*IDS, 7, None),
    "[ID!]": (
        ["@ADMIN", "@PLAIN"],
        ["x", IDS[3], "@OTHER"],
        [],
        ["x"] * 501,
        [None],
        "@PLAIN",
        None,
    ),
    "DateTime": (*MOMENTS, "yesterday", None),
    "CustomerOrderField": ("NAME", "CREATED_AT", "EMAIL", "AGE", None),
    "OrderDirection": ("ASC", "DESC", None),
    "Boolean": (True, False, None),
    "String": (*CURSORS, "a", "session:login", None),
    "CustomerFilter": (
        {},
        {"search": "a"},
        {"isAdmin": True, "search": None},
        {"isAdmin": None, "createdAfter": MOMENTS[0]},
        {"createdBefore": MOMENTS[1]},
        {"createdBefore": "x"},
        {"unknown": 1},
        None,
    ),
    "CustomerOrder": (
        {"field": "NAME"},
        {"field": "CREATED_AT", "direction": "DESC"},
        {"field": "EMAIL", "direction": None},
        {"direction": "ASC"},
        None,
    ),
}
"""Values of a variable by its type; now and then WRONG is sent instead."""


@dataclass(slots=True)
class Operation:
    """A request; words that begin with @ stand for ids and cursors of the database."""

    query: str
    variables: dict[str, object]
    name: str | None = None

    def body(self, known: Mapping[str, str]) -> bytes:
        """Return the request's body."""
        sent = {"query": self.query, "variables": self.variables, "operationName": self.name}
        text = json.dumps(sent)
        for word, value in known.items():
            text = text.replace(word, value)
        return text.encode()


@dataclass(slots=True)
class _Draft:
    """An operation that is being written."""

    draw: st.DrawFn
    directives: bool
    declared: list[str] = field(default_factory=list)
    variables: dict[str, object] = field(default_factory=dict)
    fragments: list[str] = field(default_factory=list)
    aliases: int = 0

    def chance(self, one_in: int) -> bool:
        """Return True once in so many times."""
        return self.draw(st.integers(1, one_in)) == one_in

    def pick(self, values: Sequence[T]) -> T:
        """Return one of the values."""
        return self.draw(st.sampled_from(values))

    def variable(self, kind: str, name: str, *, required: bool) -> str:
        """Declare a variable of a type, with or without a value, and return its use."""
        variable = f"v{len(self.declared)}"
        default = ""
        if literals := LITERALS.get(name):
            chosen = self.pick(literals)
            if self.chance(3) and not (required and chosen == "null"):
                default, kind = f" = {chosen}", kind.rstrip("!")
        elif self.chance(3):
            default = " = null" if name == "CustomerOrder" else ' = {search: "a"}'
        self.declared.append(f"${variable}: {kind}{default}")
        if not self.chance(5):
            self.variables[variable] = self.pick(WRONG if self.chance(9) else VALUES[name])
        return f"${variable}"

    def value(self, kind: str, *, required: bool) -> str:
        """Return an argument's value."""
        name = kind.rstrip("!")
        if self.chance(2):
            return self.variable(kind, name, required=required)
        if name == "CustomerFilter":
            fields = {"search": "String", "isAdmin": "Boolean", "createdAfter": "DateTime"}
            return self.object(fields)
        if name == "CustomerOrder":
            return self.object({"direction": "OrderDirection!"}, {"field": "CustomerOrderField!"})
        return str(self.pick([v for v in LITERALS[name] if not (required and v == "null")]))

    def object(self, optional: Mapping[str, str], needed: Mapping[str, str] | None = None) -> str:
        """Return an input object, which may use variables."""
        chosen = {**{k: v for k, v in optional.items() if self.chance(2)}, **(needed or {})}
        spelt = [f"{k}: {self.value(v, required=v.endswith('!'))}" for k, v in chosen.items()]
        return f"{{{', '.join(spelt)}}}"

    def directive(self) -> str:
        """Return a directive, or nothing."""
        if not self.directives or not self.chance(4):
            return ""
        condition = self.pick(["true", "false", None])
        if condition is None:
            condition = f"$v{len(self.declared)}"
            self.declared.append(f"{condition}: Boolean!")
            self.variables[condition[1:]] = self.chance(2)
        return f" @{self.pick(['skip', 'include'])}(if: {condition})"

    def narrowed(self, kind: Composite) -> Composite:
        """Return a type, or one of those that implement it."""
        if isinstance(kind, GraphQLInterfaceType):
            all_of_them: list[Composite] = [kind, *SCHEMA.get_possible_types(kind)]
            return self.pick(all_of_them)
        return kind

    def selections(self, kind: Composite, *, deep: int = 0) -> str:
        """Return selections of a type, in any order and with duplicates."""
        parts = []
        for _ in range(self.draw(st.integers(1, 4))):
            way = self.draw(st.integers(0, 9))
            if way == 0:
                parts.append(f"{self.alias()}__typename{self.directive()}")
            elif way == 1 and deep < 5:
                target = self.narrowed(kind)
                condition = self.pick(["", f" on {kind.name}"])
                if target is not kind:
                    condition = f" on {target.name}"
                inner = self.selections(target, deep=deep + 1)
                parts.append(f"...{condition}{self.directive()} {{ {inner} }}")
            elif way == 2 and deep < 5:
                parts.append(self.spread(kind, deep))
            else:
                parts.append(self.field(kind, deep))
        if self.chance(3):
            parts.append(self.pick(parts))
        return " ".join(parts)

    def spread(self, kind: Composite, deep: int) -> str:
        """Define a fragment, and return its spread."""
        kind = self.narrowed(kind)
        inner = self.selections(kind, deep=deep + 1)
        name = f"F{len(self.fragments)}"
        self.fragments.append(f"fragment {name} on {kind.name} {{ {inner} }}")
        return f"...{name}{self.directive()}"

    def alias(self, *, always: bool = False) -> str:
        """Return a unique alias, or none; a field with arguments would conflict without one."""
        if not always and not self.chance(9):
            return ""
        self.aliases += 1
        return f"a{self.aliases}: "

    def field(self, kind: Composite, deep: int) -> str:
        """Return a field with its arguments and selections."""
        name = self.pick(sorted(kind.fields))
        found = kind.fields[name]
        arguments = self.arguments(found)
        inner = get_named_type(found.type)
        below = ""
        if isinstance(inner, Composite):
            below = f" {{ {self.selections(inner, deep=deep + 1)} }}"
        alias = self.alias(always=bool(found.args))
        return f"{alias}{name}{arguments}{self.directive()}{below}"

    def arguments(self, of: GraphQLField) -> str:
        """Return some of a field's arguments."""
        spelt = [
            f"{name}: {self.value(str(each.type), required=is_required_argument(each))}"
            for name, each in of.args.items()
            if is_required_argument(each) or self.chance(3)
        ]
        return f"({', '.join(spelt)})" if spelt else ""


@st.composite
def operations(draw: st.DrawFn, *, directives: bool) -> Operation:
    """Return an operation that likely finds something; now and then with others in its document."""
    draft = _Draft(draw, directives)
    assert SCHEMA.query_type is not None
    selected = draft.selections(SCHEMA.query_type)
    if draft.chance(8):
        selected += draft.pick(
            [" __schema { queryType { name } }", ' __type(name: "Query") { kind }']
        )
    declared = f"({', '.join(draft.declared)})" if draft.declared else ""
    fragments = " ".join(draft.fragments)
    query = f"query Q{declared} {{ {selected} }} {fragments}"
    if not draft.chance(6):
        return Operation(query, draft.variables, draft.pick(NAMES))
    others = draft.pick(
        [
            "query B { __typename }",
            "query B($n: Int = 1) { customers(first: $n) { nodes { id } } }",
            "mutation B { logout { status } }",
        ]
    )
    return Operation(f"{query} {others}", draft.variables, draft.pick(NAMES))
