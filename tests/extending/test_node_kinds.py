"""Nodes of features: found by their ids, as a connection lists them or as the feature says."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
import strawberry
from sqlalchemy import JSON
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from strawberry.permission import BasePermission

from gql_app.extending.connections import connection
from gql_app.extending.feature import Feature
from gql_app.extending.merging import parts_of
from gql_app.extending.nested import nested
from gql_app.extending.node_kinds import node
from gql_app.extending.permissions import HasPermission
from gql_app.extending.visibility import owned_by
from gql_app.lib.clock import new_id
from gql_app.lib.database import insert_row
from gql_app.lib.nodes import NodeKind
from gql_app.schema.permissions import IsAuthenticated
from gql_app.schema.root import build_schema
from gql_app.settings import Settings
from tests.extending.graph import Graph, create_tables, graph
from tests.extending.shop import SHOP, Base, Order, OrderRow
from tests.extending.test_connections import stock
from tests.people import Person, add_customer, sign_in
from tests.statements import listened

NODES = """query ($ids: [ID!]!) {
  nodes(ids: $ids) { __typename id ... on Order { totalCents status label } }
}"""


class LineRow(Base):
    """A line of an order."""

    __tablename__ = "shop_lines"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID]
    text: Mapped[str]
    data: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    seal: Mapped[bytes | None]


class CounterRow(Base):
    """What is not found by its key."""

    __tablename__ = "shop_counters"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[int] = mapped_column(primary_key=True)


@strawberry.type
class Line:
    """A line of an order, which no connection lists."""

    id: strawberry.ID
    text: str

    @strawberry.field
    def shout(self) -> str:
        """Return it, louder."""
        return self.text.upper()


class IsUnlucky(BasePermission):
    """Lets nobody in."""

    def has_permission(self, *_: object, **__: object) -> bool:
        """Return False."""
        return False


async def test_orders_are_found_by_who_may_list_them(
    shop: Graph, ada: Person, bob: Person, grace: Person
) -> None:
    mine, his = await stock(shop, ada, bob, count=2)
    order = {"__typename": "Order", "id": str(mine), "totalCents": 0, "status": "SHIPPED"}
    order["label"] = f"shipped 0 2030 {ada.id}"
    ids = [str(mine), str(his), str(ada.id)]
    customer = {"__typename": "Customer", "id": str(ada.id)}
    assert (await shop.data(NODES, ada.token, ids=ids))["nodes"] == [order, None, customer]
    found = (await shop.data(NODES, grace.token, ids=ids))["nodes"]
    assert [each["__typename"] for each in found] == ["Order", "Order", "Customer"]
    assert (await shop.ask(NODES, ids=ids)).code("nodes") == "UNAUTHENTICATED"


async def test_one_statement_reads_all_orders_that_are_asked_for(shop: Graph, ada: Person) -> None:
    ids = [str(each) for each in await stock(shop, ada)]
    sent: list[str] = []
    with listened(lambda sql, _: sent.append(sql), block_only=True):
        found = (await shop.data(NODES, ada.token, ids=ids))["nodes"]
    assert [each["id"] for each in found] == ids
    assert len([each for each in sent if each.startswith("SELECT")]) == 3  # the caller, types, rows


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (node(Line, LineRow), ["A LINE", "ANOTHER"]),
        (node(Line, LineRow, permissions=()), ["A LINE", "ANOTHER"]),
        (node(Line, LineRow, visible=owned_by(LineRow.customer_id)), ["A LINE", None]),
        (node(Line, LineRow, visible=lambda _: LineRow.text.in_(["another"])), [None, "ANOTHER"]),
        (node(Line, LineRow, visible=lambda _: LineRow.text == "another"), [None, "ANOTHER"]),
        (node(Line, LineRow, permissions=[IsAuthenticated(), IsUnlucky]), [None, None]),
        (node(Line, LineRow, permissions=[HasPermission("lines:read")]), [None, None]),
    ],
)
async def test_feature_says_which_other_types_are_nodes_and_to_whom(
    settings: Settings, found: NodeKind[Any], expected: list[str | None]
) -> None:
    async with graph(settings, [Feature("lines", nodes=[found])]) as lines:
        database, ids = lines.resources.database, [new_id(), new_id()]
        await create_tables(database, Base)
        ada, bob = [await add_customer(database, name) for name in ("Ada", "Bob")]
        async with database.transaction() as db:
            for key, whose, text in zip(ids, (ada, bob), ("a line", "another"), strict=True):
                await db.execute(insert_row(LineRow), id=key, customer_id=whose.id, text=text)
        person = await sign_in(lines.resources, ada)
        for _ in range(2):
            query = "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Line { shout } } }"
            answer = await lines.data(query, person.token, ids=[str(each) for each in ids])
            assert [each and each["shout"] for each in answer["nodes"]] == expected
        anonymous = await lines.ask(query, ids=[str(each) for each in ids])
        assert anonymous.code("nodes") == "UNAUTHENTICATED"


def test_first_that_names_a_type_finds_it() -> None:
    own, all_of_them = node(Order, OrderRow), node(Order, OrderRow)
    feature = Feature("own", queries=SHOP.queries, nodes=[own, all_of_them])
    assert parts_of([feature], []).extensions.nodes == (own,)
    [listed] = parts_of([Feature("lists", queries=SHOP.queries)], []).extensions.nodes
    assert listed is not own
    assert listed.type is Order


def test_type_that_is_found_implements_node_and_is_not_checked_row_by_row() -> None:
    schema = build_schema(parts_of([SHOP], []).additions)
    assert "type Order implements Node {" in schema.as_str()
    order = schema.core.type_map["Order"]
    assert getattr(order, "is_type_of", order) is None
    assert "Order" not in build_schema().as_str().split()


def test_key_that_is_no_uuid_is_told_in_words() -> None:
    @strawberry.type
    class Counter:
        id: strawberry.ID

    @strawberry.type
    class Numbered:
        id: int

    asking: dict[str, Callable[[], object]] = {
        "connection": lambda: connection(Counter, CounterRow, order_by=["id"]),
        "node": lambda: node(Counter, CounterRow),
        "nested": lambda: nested(Counter, CounterRow, by=CounterRow.at, order_by="id", limit=1),
    }
    for name, asked in asking.items():
        with pytest.raises(TypeError) as raised:
            asked()
        assert str(raised.value) == (
            f"{name}(Counter, CounterRow): an ID is unique over all types. Make id a UUID and the "
            "only primary key, or show it as another type."
        )
    with pytest.raises(TypeError) as raised:
        node(Numbered, CounterRow)
    assert str(raised.value) == "node(Numbered, CounterRow): Numbered has no id: strawberry.ID."

    @strawberry.type
    class Numbers:
        numbers = connection(Numbered, CounterRow, order_by=["id"])

    faults: list[str] = []
    parts = parts_of([Feature("numbers", queries=[Numbers])], faults)
    assert (faults, parts.extensions.nodes) == ([], ())
    assert "type Numbered {" in build_schema(parts.additions).as_str()


def test_two_types_that_have_the_ids_of_one_table_are_told_in_words() -> None:
    @strawberry.type
    class Whisper:
        id: strawberry.ID

    @strawberry.type
    class Echo:
        id: UUID

    @strawberry.type
    class Echoes:
        echoes = connection(Echo, LineRow, order_by=["id"])

    faults: list[str] = []
    found = [node(each, LineRow) for each in (Line, Whisper)]
    parts_of([Feature("lines", queries=[Echoes], nodes=found)], faults)
    [fault] = faults
    assert fault == (
        "The types Line and Whisper are both of LineRow, and an ID is unique over all types: let "
        "the id of Whisper be a UUID instead."
    )
    faults.clear()
    assert parts_of([Feature("lines", queries=[Echoes], nodes=found[:1])], faults).extensions.nodes
    assert faults == []


def test_node_without_an_id_is_told() -> None:
    class Apart(DeclarativeBase):
        pass

    class NamedRow(Apart):
        __tablename__ = "shop_named"
        name: Mapped[str] = mapped_column(primary_key=True)

    @strawberry.type
    class Named:
        name: str

    with pytest.raises(
        TypeError, match=r"node\(Named, NamedRow\): it needs id, which is no column"
    ):
        node(Named, NamedRow)
    with pytest.raises(TypeError, match=r"node\(Named, LineRow\): .*name is no column"):
        node(Named, LineRow)


def test_nodes_are_what_node_returned() -> None:
    faults: list[str] = []
    parts_of([Feature("lines", nodes=[Line])], faults)  # type: ignore[list-item]  # which is the matter
    assert faults == [f"The feature lines: {Line!r} is none of what node() returns."]
