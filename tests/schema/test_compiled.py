"""The compiled path: what takes it, and what it might easily answer otherwise."""

from collections.abc import Mapping, Sequence
from typing import Final

import pytest
from sqlalchemy import text

from gql_app.lib.engine import GraphQLRequest
from gql_app.resources import Resources
from gql_app.settings import Settings
from tests.people import Kind
from tests.schema.agreement import Both, Paths, pair
from tests.schema.composing import CURSORS, IDS, WRONG, Operation

SIZES: Final[Sequence[object]] = (
    *(1, 2, 500, 501, 0, -1, None, True, False),
    *(2.0, 2.5, -0.0, 500.0, 1e300, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**53, 2**63),
    *("1", "", [1], [], {}),
)
FIRST: Final = "{ customers(first: $v) { nodes { name } pageInfo { hasNextPage } } }"
ORDER: Final = "customers(orderBy: {field: NAME, direction: $v}) { nodes { id } }"
COMPILED: Final = (
    "{ __typename }",
    "{ me { id } }",
    "query Named { me { ...F } } fragment F on Customer { name ... { email } __typename }",
    "query Q($v: Int = 3) { customers(first: $v) { nodes { name } totalCount } }",
    "query Q($v: Boolean) { customers(filter: {isAdmin: $v}) { edges { cursor node { id } } } }",
    '{ a: customer(id: "x") { name } b: customer(id: "y") { phone } token { reason keyId } }',
    "{ auditEvents { nodes { id at fields } pageInfo { endCursor } } }",
    "mutation { logout { status errors { code field } } }",
    'mutation { login(email: "x", password: "y") { token expiresAt customer { id } } }',
    "{ me { sessions { id } } }",
    "{ customers { nodes { name sessions { id } } } }",
    "{ auditEvents { nodes { actor { id } } } }",
    "{ me { id } __schema { queryType { name } } }",
    '{ __type(name: "Query") { name } }',
    "{ me { id @skip(if: false) } }",
    "query Q($v: Boolean = true) { me @include(if: $v) { id } }",
    "mutation { a: logout { status } b: logout { status } }",
)
BROKEN: Final = (
    "{ me { id } }",
    "{ __typename me { id } }",
    "{ token { valid } me { id } }",
    "{ me { id } token { valid } }",
    "{ a: me { id } b: customers { nodes { id } } c: auditEvents { nodes { id } } }",
    '{ customers { totalCount } customer(id: "@PLAIN") { id } token { message } }',
    "{ auditEvents { nodes { id } } token { valid } customers { nodes { name } } }",
)

EDGES: Final = "customers(first: 2) { edges { cursor @include(if: $v) } }"
NO_NODES: Final = 'customers(filter: {search: "zzqq"}) { nodes { id @skip(if: $v) } totalCount }'


def given(query: str, values: Sequence[object]) -> list[tuple[str, Mapping[str, object]]]:
    """Send each of these for a variable, and nothing."""
    return [(query, {}), *((query, {"v": value}) for value in values)]


CASES: Final = [
    *given(f"query Q($v: Int) {FIRST}", SIZES),
    *given(f"query Q($v: Int = 2) {FIRST}", SIZES),
    *given(f"query Q($v: Int!) {FIRST}", SIZES),
    *given("query Q($v: ID!) { customer(id: $v) { id name email } }", (*IDS, *WRONG, None)),
    *given("query Q($v: String) { customers(after: $v) { nodes { id } } }", (*CURSORS, *WRONG)),
    *given("query Q($v: String) { customers(filter: {search: $v}) { totalCount } }", ("a", *WRONG)),
    *given(
        'mutation Q($v: String = "x") { refresh(refreshToken: $v) { status errors { code } } }',
        ("", None),
    ),
    *given('query Q($v: ID = "x") { me { id } customer(id: $v) { id } }', ("x", None)),
    *given(f"query Q($v: Boolean = true) {{ {EDGES} }}", (True, False, None)),
    *given(f"query Q($v: Boolean = true) {{ {NO_NODES} }}", (True, None)),
    *given(f"query Q($v: OrderDirection = ASC) {{ me {{ id }} {ORDER} }}", ("ASC", None)),
    *given(f"query Q($v: OrderDirection! = DESC) {{ {ORDER} }}", ("ASC", "DESC", "x", None)),
]
"""What the edges of the types are sent for, one by one."""


@pytest.mark.parametrize("both", ["sqlite"], indirect=True)
def test_variable_at_the_edge_of_its_type_is_answered_alike(both: Both) -> None:
    for query, variables in CASES:
        both.agree(Operation(query, dict(variables)))


@pytest.mark.parametrize("table", ["customers", "sessions", "audit_events"])
async def test_broken_database_is_reported_alike(settings: Settings, table: str) -> None:
    async with pair(settings) as both:
        async with both.compiled.database.transaction() as db:
            await db.execute(text(f"ALTER TABLE {table} RENAME TO gone"))
        masked = set()
        for query in BROKEN:
            replies = await both.agree(Operation(query, {}), in_order=False)
            masked |= {kind for kind in Kind if b"INTERNAL_SERVER_ERROR" in replies[kind].body}
    assert masked >= {Kind.ADMIN}
    assert not masked & {Kind.ANONYMOUS, Kind.EXPIRED}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_whatever_is_asked_takes_the_compiled_path(resources: Resources) -> None:
    paths = Paths(resources)
    assert {
        query: await paths.taken(GraphQLRequest(query, None, {})) for query in COMPILED
    } == dict.fromkeys(COMPILED, "compiled")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_nothing_takes_the_compiled_path_where_it_is_switched_off(
    resources: Resources,
) -> None:
    paths = Paths(resources, compiled=False)
    found = {await paths.taken(GraphQLRequest(query, None, {})) for query in COMPILED}
    assert found == {"executed"}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_each_operation_of_a_document_takes_its_own_way(settings: Settings) -> None:
    query = """query A($n: Int = 1) { customers(first: $n) { nodes { name } } }
      query B($n: Int = 2) { customers(first: $n) { nodes { id sessions { id } } } }"""
    async with pair(settings) as both:
        for name in ("A", "B", "A", None, "C"):
            for variables in ({}, {"n": 3}, {"n": None}):
                await both.agree(Operation(query, dict(variables), name))
