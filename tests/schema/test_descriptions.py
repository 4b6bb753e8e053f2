"""Descriptions: of everything that the schema has, and who may ask as the permissions have it."""

import re
import tomllib
from collections.abc import Iterator
from typing import Any, Final

import pytest
from graphql import (
    GraphQLDirective,
    GraphQLNamedType,
    Node,
    Visitor,
    is_introspection_type,
    is_specified_directive,
    is_specified_scalar_type,
    parse,
    visit,
)

from gql_app.accounts.validation import MAX_NAME
from gql_app.lib.pagination import DEFAULT_SIZE, MAX_COUNT, MAX_SIZE
from gql_app.lib.password_policy import MAX_LENGTH, MIN_LENGTH
from gql_app.schema.root import build_schema
from tests.processes import ROOT
from tests.schema.test_permissions import directives

FILE: Final = ROOT / "gql_app/schema/descriptions.toml"
WRITTEN: Final = tomllib.loads(FILE.read_text(encoding="utf-8"))
SCHEMA: Final = build_schema().core
DIRECTIVES: Final[dict[str, Any]] = {
    f"@{each.name}": each for each in SCHEMA.directives if not is_specified_directive(each)
}
THEMSELVES: Final = ("DateTime", "JSON")
"""The types of ours that describe themselves."""
WHO: Final = re.compile(
    r"(Signed in only|Signed in, with a recent proof of identity|Open to everyone"
    r"|Needs [a-z:_]+(?:\. Needs a recent proof of identity)?)\.$"
)
SAYS: Final = {
    "": "Open to everyone",
    "isAuthenticated": "Signed in",
    "isAdmin": "Needs ",
    "requires": "Needs ",
}
"""How the sentence begins of a field that has a directive, or none."""


def ours(types: dict[str, GraphQLNamedType]) -> list[Any]:
    """Return the types that are no part of GraphQL itself."""
    return [
        each
        for each in types.values()
        if not is_introspection_type(each) and not is_specified_scalar_type(each)
    ]


def parts(kind: GraphQLNamedType | GraphQLDirective) -> Iterator[tuple[str, Any]]:
    """Return what a type or a directive has, by the names that descriptions have."""
    for name, field in getattr(kind, "fields", {}).items():
        yield name, field
        for argument, each in getattr(field, "args", {}).items():
            yield f"{name}({argument})", each
    yield from getattr(kind, "values", {}).items()
    yield from getattr(kind, "args", {}).items()


@pytest.mark.parametrize("kind", [*ours(SCHEMA.type_map), *DIRECTIVES.values()], ids=str)
def test_everything_is_described_in_a_sentence(kind: GraphQLNamedType | GraphQLDirective) -> None:
    for name, part in (("__type", kind), *parts(kind)):
        assert part.description, f"Describe {kind}.{name} in {FILE.name}."
        assert re.fullmatch(r"[A-Z`\d].*\.", part.description), (
            f"{kind}.{name}: a sentence, please."
        )


def test_nothing_is_described_that_is_not_there() -> None:
    for name, told in WRITTEN.items():
        kind: Any = DIRECTIVES.get(name) or SCHEMA.type_map[name]
        inherited = {part for each in getattr(kind, "interfaces", ()) for part, _ in parts(each)}
        assert told.keys() == {"__type"} | dict(parts(kind)).keys() - inherited, name
    described = {*DIRECTIVES, *(each.name for each in ours(SCHEMA.type_map))}
    assert {*WRITTEN, *THEMSELVES} == described


def test_printed_schema_has_a_description_wherever_one_may_stand() -> None:
    class Described(Visitor):
        def enter(self, node: Node, *_: object) -> None:
            assert getattr(node, "description", node) is not None, node.to_dict()

    visit(parse((ROOT / "schema.graphql").read_text(encoding="utf-8")), Described())


def test_limits_are_told_as_they_are() -> None:
    told = {
        f"{kind}.{name}": text for kind, texts in WRITTEN.items() for name, text in texts.items()
    }
    for place, *numbers in (
        ("Query.customers(first)", MAX_SIZE, DEFAULT_SIZE),
        ("Query.auditEvents(last)", MAX_SIZE, DEFAULT_SIZE),
        ("Query.nodes(ids)", MAX_SIZE),
        ("CustomerConnection.totalCount", MAX_COUNT),
        ("RegisterInput.name", MAX_NAME),
        ("RegisterInput.password", MIN_LENGTH, MAX_LENGTH),
        ("Mutation.resetPassword(newPassword)", MIN_LENGTH, MAX_LENGTH),
        ("Mutation.acceptInvitation(password)", MIN_LENGTH, MAX_LENGTH),
    ):
        assert set(map(str, numbers)) <= set(re.findall(r"\d+", told[place])), place


def test_every_root_field_ends_in_who_may_ask_as_its_directive_has_it() -> None:
    guards = directives()
    fields = {
        name: field
        for kind in (SCHEMA.query_type, SCHEMA.mutation_type)
        for name, field in (kind.fields if kind else {}).items()
    }
    assert fields.keys() == guards.keys()
    for name, field in fields.items():
        [who] = WHO.findall(field.description or "")
        assert who.startswith(SAYS[guards[name]]), name
