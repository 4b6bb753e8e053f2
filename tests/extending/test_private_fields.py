"""Private fields of features' types, whether their annotations are types or text."""

import sys
from types import ModuleType

import pytest

from gql_app.extending.feature import Feature
from gql_app.extending.merging import parts_of
from gql_app.settings import Settings
from tests.extending.graph import create_tables, graph
from tests.extending.shop import Base
from tests.extending.test_connections import stock
from tests.people import add_customer, sign_in

SOURCE = """
from uuid import UUID

import strawberry
from strawberry import Private

from gql_app import Customer, connection, extend, nested, node
from tests.extending.shop import OrderRow

@strawberry.type
class Piece:
    total_cents: int

@strawberry.type
class Parcel:
    id: strawberry.ID
    total_cents: int
    note: strawberry.Private[str | None]
    paid_at: Private[str | None]
    customer_id: Private[UUID]
    beside = nested(
        Piece, OrderRow, by=OrderRow.customer_id, key="customer_id", order_by="total_cents", limit=2
    )

    @strawberry.field
    def remark(self) -> str:
        return self.note or "none"

@strawberry.type
class Queries:
    limit: Private[int]
    parcels = connection(Parcel, OrderRow, order_by=["total_cents"], filters=["note"])

@extend(Customer)
class Parcels(Customer):
    cached: Private[int]
    parcels = nested(Parcel, OrderRow, by=OrderRow.customer_id, order_by="total_cents", limit=1)

PARCEL = node(Parcel, OrderRow)
"""
ASKED = """{
    parcels(filter: { note: "fragile" }) { nodes { remark beside { totalCents } } }
    me { parcels { totalCents } }
}"""


@pytest.fixture(params=["", "from __future__ import annotations\n"], ids=["types", "text"])
def written(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> ModuleType:
    """Return a builder's module, whose annotations are types, or text."""
    module = ModuleType("parcels_of_a_builder")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(request.param + SOURCE, vars(module))  # noqa: S102 — the module above
    return module


def feature(written: ModuleType) -> Feature:
    """Return a feature with the types of a builder's module."""
    return Feature(
        "parcels",
        queries=[written.Queries],
        extensions=[written.Parcels],
        nodes=[written.PARCEL],
    )


async def test_private_field_is_in_no_schema_and_holds_its_column(
    settings: Settings, written: ModuleType
) -> None:
    faults: list[str] = []
    parts_of([feature(written)], faults)
    assert faults == []
    async with graph(settings, [feature(written)]) as app:
        await create_tables(app.resources.database, Base)
        ada = await sign_in(app.resources, await add_customer(app.resources.database, "Ada"))
        await stock(app, ada, count=2)
        assert await app.data(ASKED, ada.token) == {
            "parcels": {
                "nodes": [{"remark": "fragile", "beside": [{"totalCents": 1}, {"totalCents": 0}]}]
            },
            "me": {"parcels": [{"totalCents": 1}]},
        }
        kinds = '{ __type(name: "Parcel") { fields { name } } }'
        shown = (await app.data(kinds))["__type"]["fields"]
        assert [each["name"] for each in shown] == ["id", "totalCents", "beside", "remark"]
