"""Nodes: any object by its id alone, for whom today's fields would show it, and for nobody else."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import insert

from gql_app.accounts.audit import Action
from gql_app.accounts.factors import second_factors
from gql_app.db.factor_tables import SecondFactorRow
from gql_app.db.tables import AuditRow
from gql_app.lib.clock import new_id, now
from gql_app.lib.database import Database
from gql_app.lib.pagination import MAX_SIZE
from gql_app.schema.root import build_schema
from tests.api import Api
from tests.apps import set_up
from tests.people import PASSWORD, Person, sign_out
from tests.schema.agreement import BOTH_WAYS
from tests.schema.mutations import do

NODES: Final = """
query Nodes($ids: [ID!]!) {
  nodes(ids: $ids) {
    __typename
    id
    ... on Customer { email sessions { id } }
    ... on Session { isCurrent }
    ... on AuditEvent { action }
  }
}
"""
NODE: Final = "query Node($id: ID!) { node(id: $id) { __typename id } }"
NOBODY: Final = "00000000-0000-7000-8000-000000000000"


async def event_of(database: Database) -> UUID:
    """Return the id of some event of the audit."""
    [row] = await database.fetch_all(AuditRow.__table__.select().limit(1))
    found: UUID = row.id
    return found


async def factor_of(api: Api, who: Person) -> UUID:
    """Set up a second factor of somebody, and return its id."""
    await set_up(api, who.token)
    [[factor]] = await second_factors.of_customers(api.database, [who.id])
    return factor.id


async def kinds(api: Api, person: Person, ids: Mapping[str, object]) -> dict[str, str | None]:
    """Ask as somebody for objects one by one and together; tell of which type each is."""
    together = await api.run(NODES, token=person.token, ids=[str(each) for each in ids.values()])
    found = {}
    for (name, key), node in zip(ids.items(), together.data["nodes"], strict=True):
        alone = (await api.run(NODE, token=person.token, id=str(key))).data["node"]
        assert alone == (node and {"__typename": node["__typename"], "id": str(key)})
        found[name] = node and node["__typename"]
    return found


@BOTH_WAYS
async def test_objects_are_shown_to_whom_other_fields_show_them(
    api: Api, plain: Person, other: Person, admin: Person
) -> None:
    ids = {
        "self": plain.id,
        "another": other.id,
        "own session": plain.session_id,
        "another's session": other.session_id,
        "event": await event_of(api.database),
        "own factor": await factor_of(api, plain),
        "another's factor": await factor_of(api, other),
        "nobody": NOBODY,
        "no UUID": "Customer:1",
    }
    everything = {
        "self": "Customer",
        "another": "Customer",
        "own session": "Session",
        "another's session": "Session",
        "event": "AuditEvent",
        "own factor": "SecondFactor",
        "another's factor": "SecondFactor",
        "nobody": None,
        "no UUID": None,
    }
    assert await kinds(api, admin, ids) == everything
    hidden = {"another's session": None, "event": None, "another's factor": None}
    assert await kinds(api, plain, ids) == {**everything, **hidden}


async def test_private_fields_of_a_node_are_null_for_others(
    api: Api, plain: Person, other: Person
) -> None:
    answer = await api.run(NODES, token=plain.token, ids=[str(plain.id), str(other.id)])
    own, others = answer.data["nodes"]
    assert (own["email"], own["sessions"]) == (plain.email, [{"id": str(plain.session_id)}])
    assert (others["email"], others["sessions"]) == (None, None)


async def test_who_is_deactivated_and_what_has_ended_is_gone(
    api: Api, plain: Person, other: Person, admin: Person
) -> None:
    change = {"isActive": False}
    closed = await do(api, "updateCustomer", token=admin.token, id=str(other.id), input=change)
    assert closed["status"] == "SUCCESS"
    ids = {"closed": other.id, "ended": other.session_id}
    assert await kinds(api, plain, ids) == {"closed": None, "ended": None}
    assert await kinds(api, admin, ids) == {"closed": "Customer", "ended": None}
    await sign_out(api.resources, plain)
    assert (await api.run(NODE, token=plain.token, id=str(plain.id))).reason("node") == (
        "TOKEN_REVOKED"
    )


async def test_one_statement_finds_the_types_and_one_reads_each(
    api: Api, plain: Person, admin: Person, selects: list[str]
) -> None:
    for _ in range(2):
        await do(api, "login", email=plain.email, password=PASSWORD)
    pair = "query($a: ID!, $b: ID!) { a: node(id: $a) { id } b: node(id: $b) { id } }"
    events = await api.database.fetch_all(AuditRow.__table__.select().limit(3))
    factor = new_id()
    row = {"id": factor, "customer_id": plain.id, "method": "CODE", "created_at": now()}
    async with api.database.transaction() as db:
        await db.execute(insert(SecondFactorRow).values(row))
    found = (plain.id, plain.session_id, factor, *(row.id for row in events))
    ids = [*map(str, found), NOBODY]
    asked = [*ids, *ids]
    selects.clear()
    data = (await api.run(NODES, token=admin.token, ids=asked)).data
    assert [node and node["id"] for node in data["nodes"]] == [*ids[:-1], None] * 2
    assert len(selects) == 1 + 1 + 4 + 1  # who is calling, of which types, each, and its sessions
    selects.clear()
    data = (await api.run(pair, token=admin.token, a=ids[0], b=str(admin.id))).data
    assert data == {"a": {"id": ids[0]}, "b": {"id": str(admin.id)}}
    assert len(selects) == 1 + 1 + 1


async def test_nodes_are_bounded_as_lists_are(api: Api, plain: Person) -> None:
    assert (await api.run(NODES, token=plain.token, ids=[])).data["nodes"] == []
    bare = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    most = await api.run(bare, token=plain.token, ids=[NOBODY] * MAX_SIZE)
    assert most.data["nodes"] == [None] * MAX_SIZE
    refused = await api.run(bare, token=plain.token, ids=[NOBODY] * (MAX_SIZE + 1))
    assert refused.code("nodes") == "BAD_USER_INPUT"
    assert refused.error("nodes")["message"] == "ids has 501. Ask for at most 500 at a time."


async def test_a_page_of_nodes_costs_what_it_did() -> None:
    types: Mapping[str, Any] = build_schema().core.type_map
    nodes = [each for each in types.values() if "Node" in str(getattr(each, "interfaces", ""))]
    assert {each.name for each in nodes} == {"AuditEvent", "Customer", "SecondFactor", "Session"}
    assert [each.is_type_of for each in nodes] == [None] * 4  # or each object of a page is checked


EVENTS: Final = """
query($first: Int, $after: String, $last: Int, $before: String) {
  auditEvents(first: $first, after: $after, last: $last, before: $before, action: "session:login") {
    edges { cursor node { id at } }
    nodes { id at }
    pageInfo { hasNextPage hasPreviousPage startCursor }
  }
}
"""


async def test_events_are_paged_through_both_ways_by_their_edges(
    api: Api, plain: Person, admin: Person
) -> None:
    for _ in range(5):
        await do(api, "login", email=plain.email, password=PASSWORD)

    async def page(**window: Any) -> dict[str, Any]:  # noqa: ANN401 — variables
        found = (await api.run(EVENTS, token=admin.token, **window)).data["auditEvents"]
        assert [each["node"] for each in found["edges"]] == found["nodes"]
        return dict(found)

    whole = await page(first=5)
    edges = whole["edges"]
    assert edges[0]["cursor"] == whole["pageInfo"]["startCursor"]
    assert (await page(first=2, after=edges[1]["cursor"]))["edges"] == edges[2:4]
    back = await page(last=2, before=edges[3]["cursor"])
    assert back["edges"] == edges[1:3]
    assert (back["pageInfo"]["hasPreviousPage"], back["pageInfo"]["hasNextPage"]) == (True, True)
    assert (await page(last=5))["edges"] == edges
    both = await api.run(EVENTS, token=admin.token, first=1, last=1)
    assert both.code("auditEvents") == "BAD_USER_INPUT"


async def test_what_was_deleted_is_told_by_its_id(api: Api, other: Person, admin: Person) -> None:
    document = "mutation($id: ID!) { deleteCustomer(id: $id) { status deletedId errors { code } } }"
    deleted = await api.run(document, token=admin.token, id=str(other.id))
    assert deleted.data["deleteCustomer"] == {
        "status": "SUCCESS",
        "deletedId": str(other.id),
        "errors": [],
    }
    again = await api.run(document, token=admin.token, id=str(other.id))
    assert again.data["deleteCustomer"] == {
        "status": "ERROR",
        "deletedId": None,
        "errors": [{"code": "NOT_FOUND"}],
    }
    [event] = await api.database.fetch_all(
        AuditRow.__table__.select().where(AuditRow.action == Action.CUSTOMER_DELETED)
    )
    assert event.customer_id == other.id
