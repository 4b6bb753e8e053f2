"""Nested lists, and nodes that are made of rows."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

import pytest
import strawberry

from gql_app.extending.context import Info
from gql_app.extending.extend import extend
from gql_app.extending.feature import Feature
from gql_app.extending.nested import nested
from gql_app.extending.nodes import NodeColumns, node_of
from gql_app.lib.clock import new_id
from gql_app.schema.customers import Customer
from gql_app.settings import Settings
from tests.extending.graph import Graph, create_tables, graph
from tests.extending.shop import SHOP, Base, Order, OrderRow, OrderStatus
from tests.extending.test_connections import stock
from tests.people import Person, add_customer, sign_in
from tests.statements import listened

PAGE = """{ customers { nodes { name latest { totalCents status label } receipts { id total: totalCents note } } } }"""  # noqa: E501


class Kind(StrEnum):
    """What is written as it is stored."""

    placed = "placed"
    shipped = "shipped"


strawberry.enum(Kind)


@strawberry.type
class Receipt:
    """An order of which nothing needs to be built."""

    id: strawberry.ID
    total_cents: int
    status: Kind
    note: str | None
    created_at: datetime


latest_of = nested(Order, OrderRow, by=OrderRow.customer_id, order_by="created_at", limit=3)
receipts_of = nested(
    Receipt,
    OrderRow,
    by=OrderRow.customer_id,
    order_by="total_cents",
    limit=2,
    descending=False,
)


@extend(Customer, private=True)
class Nested(Customer):
    """Two nested lists."""

    @strawberry.field
    async def latest(self, info: Info) -> Sequence[Order] | None:
        """Return the newest orders."""
        return await info.context.load(latest_of, self.id)

    @strawberry.field
    async def receipts(self, info: Info) -> Sequence[Receipt] | None:
        """Return the cheapest orders."""
        return await info.context.load(receipts_of, self.id)


@pytest.fixture
async def shop(settings: Settings) -> AsyncIterator[Graph]:
    """Run the shop with nested lists."""
    async with graph(settings, [SHOP, Feature("nested", extensions=[Nested])]) as opened:
        await create_tables(opened.resources.database, Base)
        yield opened


async def test_lists_of_a_page_take_a_statement_each_and_are_for_whom_they_concern(
    shop: Graph, ada: Person, grace: Person
) -> None:
    others = [await add_customer(shop.resources.database, name) for name in ("Bob", "Cleo", "Dan")]
    bobs = [await sign_in(shop.resources, each) for each in others[:2]]
    await stock(shop, ada, *bobs, count=12)
    await shop.data("{ me { id } }", grace.token)
    sent: list[str] = []
    with listened(lambda sql, _: sent.append(sql)):
        nodes = (await shop.data(PAGE, grace.token))["customers"]["nodes"]
    assert len([each for each in sent if each.lstrip().startswith(("SELECT", "WITH"))]) == 3
    by_name = {each["name"]: each for each in nodes}
    assert [each["totalCents"] for each in by_name["Ada Plain"]["latest"]] == [9, 6, 3]
    assert [each["total"] for each in by_name["Bob"]["receipts"]] == [1, 4]
    assert by_name["Bob"]["receipts"][0]["note"] == "fragile"
    assert by_name["Ada Plain"]["latest"][0]["status"] == "SHIPPED"
    assert by_name["Ada Plain"]["latest"][0]["label"] == f"shipped 9 2030 {ada.id}"
    assert by_name["Dan"]["latest"] == by_name["Dan"]["receipts"] == []
    seen = (await shop.data(PAGE, bobs[0].token))["customers"]["nodes"]
    assert {each["name"]: each["receipts"] is None for each in seen} == {
        name: name != "Bob" for name in by_name
    }


async def test_lists_are_sequences_of_nodes(shop: Graph, ada: Person) -> None:
    await stock(shop, ada, count=5)
    mine, nobodys = await latest_of(shop.resources.database, [ada.id, new_id()])
    assert (len(mine), len(nobodys), [*nobodys]) == (3, 0, [])
    assert [each.total_cents for each in mine] == [4, 3, 2]
    assert mine[0].status is OrderStatus.PLACED
    assert [each.customer_id for each in mine[1:]] == [ada.id, ada.id]


def test_order_that_no_cursor_could_have_is_told() -> None:
    with pytest.raises(TypeError, match="order_by names paid, which is no column"):
        nested(Order, OrderRow, by=OrderRow.customer_id, order_by="paid", limit=1)


def test_only_what_is_as_the_answer_has_it_is_written_without_a_node() -> None:
    names = ["id", "total_cents", "status", "note", "created_at"]
    columns = NodeColumns(Receipt, OrderRow, ["created_at"], [])
    fine = ("x", 2**31 - 1, "placed", None, "2030-01-31T12:00:00Z")
    assert columns.written(names, [fine, fine]) == {*names}
    assert columns.written(names, []) == {*names}
    for column, odd in ((1, 2**31), (1, -(2**31) - 1), (2, "eaten")):
        row = [*fine]
        row[column] = odd
        assert columns.written(names, [fine, row]) == {*names} - {names[column]}
    others = NodeColumns(Order, OrderRow, ["created_at"], [])
    assert "status" not in others.written(["status"], [("placed",)])


class Row(NamedTuple):
    """A row with more than a node shows, and less."""

    id: UUID
    customer_id: UUID
    total_cents: int
    status: str | None
    created_at: datetime
    secret: str = "hush"


def test_node_is_made_of_a_row_as_a_connection_makes_it() -> None:
    row = Row(new_id(), new_id(), 5, "shipped", datetime(2030, 1, 1, tzinfo=UTC))
    assert node_of(Order, row) == Order(
        id=strawberry.ID(str(row.id)),
        customer_id=row.customer_id,
        total_cents=5,
        status=OrderStatus.SHIPPED,
        created_at=row.created_at,
    )
    assert node_of(Order, row._replace(status=None)).status is None
    with pytest.raises(TypeError, match="note"):
        node_of(Receipt, row)
    with pytest.raises(ValueError, match="eaten"):
        node_of(Order, row._replace(status="eaten"))
    with pytest.raises(TypeError, match="Row is no Strawberry type"):
        node_of(Row, row)
