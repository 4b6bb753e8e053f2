"""Limits of a document: each is told by name, and what lies within it is answered."""

from collections.abc import AsyncIterator

import pytest
from graphql import get_introspection_query

from bench.hostile import FIELDS, KINDS, LENGTH, doubling, hostile
from gql_app.settings import Settings
from tests.api import GRAPHQL, Api, running
from tests.people import add_customer, sign_in

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

INTROSPECTION = get_introspection_query(
    descriptions=True,
    specified_by_url=True,
    directive_is_repeatable=True,
    schema_description=True,
    input_value_deprecation=True,
)
"""What GraphiQL asks for."""


def nested(depth: int) -> str:
    """Ask for fields within fields."""
    return "{ a " * (depth - 1) + "{ a }" + " }" * (depth - 1)


def aliases(number: int) -> str:
    """Ask for one field under many names, in a fragment and out of it."""
    names = [f"a{each}: __typename" for each in range(number)]
    return f"{{ {' '.join(names[:5])} ...F }} fragment F on Query {{ {' '.join(names[5:])} }}"


def operations(number: int) -> str:
    """Write many operations, of which the first is run."""
    return " ".join(f"query Q{each} {{ __typename }}" for each in range(number))


def spreads(number: int) -> str:
    """Spread one fragment that spreads another, with so many spreads in all."""
    return (
        f"{{ __typename me {{ {'...A ' * (number // 2)} }} }} "
        "fragment A on Customer { ...B } fragment B on Customer { id }"
    )


def directives(number: int) -> str:
    """Put directives on fields, fragments and spreads."""
    on_fields = "id @skip(if: false) " * (number - 2)
    return (
        "{ ...F @skip(if: false) ... @skip(if: false) { __typename } } "
        f"fragment F on Query {{ me {{ {on_fields} }} }}"
    )


TWELVE = "fragment F on Query " + nested(12)
TEN_ROOTS = "fragment F on Query { " + "__typename " * 10 + "}"
LIMITS = [
    ("tokens", hostile(KINDS["list"], 2_000), hostile(KINDS["list"], 2_001), 2_000),
    ("comments", "#\n" * 2_000 + "{ __typename }", "#\n" * 2_001 + "{ __typename }", 2_000),
    ("characters", "{ __typename }".ljust(LENGTH), "{ __typename }".ljust(LENGTH + 1), LENGTH),
    ("fields deep", nested(12), nested(13), 12),
    ("fields deep", "{ ...F } " + TWELVE, "{ a { ...F } } " + TWELVE, 12),
    ("fields deep", "{ ... { ... " + nested(12) + "} }", "{ ... { ... " + nested(13) + "} }", 12),
    ("aliases", aliases(15), aliases(16), 15),
    ("root fields", "{" + " me { id } " * 20 + "}", "{" + "__typename " * 21 + "}", 20),
    ("root fields", "{ ...F ...F } " + TEN_ROOTS, "{ ...F ... { ...F } a } " + TEN_ROOTS, 20),
    ("root fields", "query A { a } query B { a }", "query A { a } query B {" + "a " * 21 + "}", 20),
    ("directives", directives(50), directives(51), 50),
    ("spreads", spreads(200), spreads(202), 200),
    ("operations", operations(20), operations(21), 20),
    ("comparisons", "{ me { " + "id " * 100 + "} }", "{ me { " + "id " * 145 + "} }", 20_000),
]


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[Api]:
    """Run the API where nobody has signed in."""
    async with running(settings) as api:
        yield api


@pytest.mark.parametrize(
    ("name", "within", "beyond", "limit"), LIMITS, ids=lambda value: str(value)[:30]
)
async def test_document_beyond_a_limit_is_refused_naming_it(
    api: Api, name: str, within: str, beyond: str, limit: int
) -> None:
    told = " ".join(error["message"] for error in (await api.run(within)).errors)
    assert "limit" not in told
    answer = await api.run(beyond, accept=GRAPHQL)
    assert answer.status == 400
    assert "data" not in answer.body
    (error,) = answer.errors
    assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    assert name in error["message"]
    assert str(limit) in error["message"]


async def test_fragments_that_double_are_counted_and_never_walked_twice(api: Api) -> None:
    for levels in (25, 120):
        answer = await api.run(doubling(levels), accept=GRAPHQL)
        assert answer.status == 400
        expected = f"An operation spreads {2 ** (levels + 1) - 1:,} fragments; the limit is 200."
        assert expected in [error["message"] for error in answer.errors]


async def test_every_limit_is_a_setting(settings: Settings) -> None:
    narrow = {
        "max_operations": 1,
        "max_depth": 1,
        "max_aliases": 1,
        "max_root_fields": 1,
        "max_directives": 1,
        "max_spreads": 1,
        "max_cost": 1,
    }
    document = (
        "query A { ...F ...F } query B { __typename } fragment F on Query "
        "{ a: me { id @skip(if: false) } b: me { id @skip(if: false) } }"
    )
    async with running(settings.model_copy(update=narrow)) as api:
        body = {"query": document, "operationName": "A"}
        errors = (await api.client.post("/graphql", json=body)).json()["errors"]
        assert [error["message"].partition(";")[2] for error in errors] == [" the limit is 1."] * 5
    async with running(settings.model_copy(update={"max_tokens": 3})) as api:
        assert "tokens; the limit is 3." in (await api.run("{ a b }")).error()["message"]
    async with running(settings.model_copy(update={"max_document_length": 3})) as api:
        assert "the limit is 3 characters." in (await api.run("{ a }")).error()["message"]
    async with running(settings.model_copy(update={"max_comparisons": 1})) as api:
        assert "1 comparisons" in (await api.run("{ me { id } me { id } }")).error()["message"]


@pytest.mark.parametrize("kind", KINDS)
async def test_hostile_document_of_any_kind_is_answered_without_a_fault(
    api: Api, kind: str
) -> None:
    for tokens in (100, 2_000, 4_000):
        answer = await api.run(hostile(KINDS[kind], tokens))
        assert len(answer.errors) <= 20
        for error in answer.errors:
            assert error["extensions"]["code"] != "INTERNAL_SERVER_ERROR"
            assert "reason" in error["extensions"] or len(error["message"]) <= 1000


@pytest.mark.parametrize(
    "document",
    [
        "{ ...A } fragment A on Query { ...A }",
        "{ ...A } fragment A on Query { ...B } fragment B on Query { me { ...A } }",
        "{ ...Nope }",
        "{ me { ...Nope } }",
        "{ ... on Nope { id } }",
        "{ ...A } fragment A on Nope { id }",
        "{ ...A } fragment A on Query { id } fragment A on Query { name }",
        "{ nope { nope(first: 1) { nodes { nope } } } }",
        "{ }",
        "subscription { me { id } }",
        "{ ..." * 150 + "{ a }" + " }" * 150,
        "{ ...F0 } "
        + " ".join(f"fragment F{n} on Query {{ ... {{ ...F{n + 1} }} }}" for n in range(190))
        + " fragment F190 on Query { __typename }",
        "{ ...F0 } "
        + " ".join(f"fragment F{n} on Query {{ ... {{ ...F{n + 1} }} }}" for n in range(199))
        + " fragment F199 on Query " + "{ ... " * 30 + "{ __typename }" + " }" * 30,
    ],
    ids=lambda document: document[:40],
)  # fmt: skip
async def test_what_makes_no_sense_is_left_to_validation(api: Api, document: str) -> None:
    answer = await api.run(document, accept=GRAPHQL)
    codes = {error["extensions"]["code"] for error in answer.errors}
    assert codes <= {"GRAPHQL_VALIDATION_FAILED", "GRAPHQL_PARSE_FAILED"}
    assert (answer.status == 400) == bool(codes)


async def test_what_clients_send_is_within_the_limits(settings: Settings) -> None:
    relay = "{ customers(first: 50) { nodes { " + " ".join(f"...F{n}" for n in range(30)) + " } } }"
    relay += " ".join(
        f"fragment F{n} on Customer {{ {FIELDS} sessions {{ id createdAt }} }}" for n in range(30)
    )
    async with running(settings.model_copy(update={"max_cost": 10**6})) as api:
        ada = await sign_in(api.resources, await add_customer(api.database, "Ada Plain"))
        assert (await api.run(relay, token=ada.token)).data["customers"]["nodes"]
    async with running(settings) as api:
        schema = (await api.run(INTROSPECTION)).data["__schema"]
        assert "Customer" in {kind["name"] for kind in schema["types"]}
