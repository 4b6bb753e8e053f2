"""Columns whose field requires a permission: filters, orders and cursors require it, too."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
import strawberry
from sqlalchemy import insert
from sqlalchemy.orm import Mapped, mapped_column
from strawberry.permission import BasePermission

from gql_app.extending.connections import connection
from gql_app.extending.extend import extend
from gql_app.extending.feature import Feature
from gql_app.extending.merging import parts_of
from gql_app.extending.nested import nested
from gql_app.extending.node_kinds import node
from gql_app.extending.permissions import HasPermission
from gql_app.extending.visibility import owned_by
from gql_app.lib.clock import new_id
from gql_app.schema.customers import Customer
from gql_app.schema.permissions import IsAuthenticated
from gql_app.schema.root import build_schema
from gql_app.settings import Settings
from tests.extending.graph import Answer, Graph, create_tables, graph
from tests.extending.shop import Base, OrderStatus
from tests.people import Person, add_customer, sign_in

READ = HasPermission("wages:read")
MOMENT = datetime(2030, 1, 31, 12, tzinfo=UTC)


class WageRow(Base):
    """A row with a column of each type that can be compared."""

    __tablename__ = "shop_wages"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID]
    title: Mapped[str]
    grade: Mapped[str]
    state: Mapped[str]
    cents: Mapped[int]
    secret: Mapped[bool]
    day: Mapped[date]
    paid_at: Mapped[datetime]
    account: Mapped[UUID]


def hidden(*permissions: Any) -> Any:  # noqa: ANN401 — as Strawberry has it
    """Return a field that requires permissions."""
    return strawberry.field(permission_classes=[*(permissions or (READ,))])


@strawberry.type
class Wage:
    """A row all of whose columns but the title are for callers with a permission."""

    id: strawberry.ID
    title: str
    grade: str | None = hidden()
    state: OrderStatus | None = hidden()
    cents: int | None = hidden()
    day: date | None = hidden()
    paid_at: datetime | None = hidden()
    account: UUID | None = hidden()

    @strawberry.field(permission_classes=[READ])
    def secret(self) -> bool | None:
        """Return what a resolver shows in place of the column of its name."""
        return True


ORDERS = ("title", "grade", "cents", "paid_at", "account")
HIDDEN = ("grade", "state", "cents", "secret", "day", "paid_at", "account")
FILTERS = {
    "grade": "A",
    "state": "PLACED",
    "cents": 7,
    "secret": True,
    "day": "2030-01-31",
    "paidAfter": "2029-01-31T12:00:00Z",
    "paidBefore": "2031-01-31T12:00:00Z",
    "account": str(UUID(int=7)),
}
SELECTED = (
    "nodes { title }",
    "edges { node { title } }",
    "edges { cursor }",
    "totalCount",
    "pageInfo { hasNextPage }",
    "pageInfo { endCursor }",
    "__typename",
)


@strawberry.type
class Wages:
    """The lists of wages."""

    wages = connection(
        Wage,
        WageRow,
        order_by=ORDERS,
        filters=["title", *HIDDEN],
        visible=owned_by(WageRow.customer_id, unless="wages:all"),
    )
    for_all = connection(Wage, WageRow, order_by=ORDERS, filters=["title", *HIDDEN], permissions=[])
    best = connection(Wage, WageRow, order_by=["cents"], name="Best")


@extend(Customer)
class PublicWages(Customer):
    """The wages of a customer."""

    wages = nested(Wage, WageRow, by=WageRow.customer_id, order_by="title", limit=3)
    best = nested(Wage, WageRow, by=WageRow.customer_id, order_by="cents", limit=1)


@extend(Customer, private=True)
class PrivateWages(Customer):
    """The same as private fields."""

    own_best = nested(Wage, WageRow, by=WageRow.customer_id, order_by="cents", limit=1)


WAGES = Feature("wages", queries=[Wages], extensions=[PublicWages, PrivateWages])


async def stocked(wages: Graph) -> tuple[Person, Person]:
    """Add a wage of a customer; return them, and an admin."""
    database = wages.resources.database
    await create_tables(database, Base)
    added = [
        await add_customer(database, "Ada"),
        await add_customer(database, "Grace", is_admin=True),
    ]
    ada, grace = [await sign_in(wages.resources, each) for each in added]
    row = {"id": new_id(), "customer_id": ada.id, "title": "T", "grade": "A", "state": "placed"}
    row |= {"cents": 7, "secret": True, "day": date(2030, 1, 31), "paid_at": MOMENT}
    async with database.transaction() as db:
        await db.execute(insert(WageRow), **row, account=UUID(int=7))
    return ada, grace


def refusals(answer: Answer) -> Sequence[tuple[Any, ...]]:
    """Return the place, code, reason and permission of each error."""
    told = [(each["path"], each["extensions"], each["message"]) for each in answer.errors]
    return [(p, e["code"], e["reason"], e.get("permission"), m) for p, e, m in told]


@pytest.mark.parametrize("compiled", [True, False])
async def test_hidden_column_is_told_by_no_filter_order_or_cursor(
    settings: Settings, *, compiled: bool
) -> None:
    chosen = settings.model_copy(update={"compiled": compiled})
    async with graph(chosen, [WAGES]) as wages:
        ada, grace = await stocked(wages)
        shown = await wages.ask("{ wages { nodes { title cents } } }", ada.token)
        assert shown.data == {"wages": {"nodes": [{"title": "T", "cents": None}]}}
        [(_, *refused)] = refusals(shown)
        assert refused[:3] == ["FORBIDDEN", "PERMISSION_REQUIRED", "wages:read"]
        uses: list[dict[str, Any]] = [{"filter": {each: FILTERS[each]}} for each in FILTERS]
        missing = {"title": "T", "cents": 2**31 - 1}
        uses.append({"filter": missing})
        uses += [
            {"order": {"field": each.upper(), "direction": direction}}
            for each in ORDERS[1:]
            for direction in ("ASC", "DESC")
        ]
        fields = " ".join(
            f"f{n}: LIST(filter: $filter, orderBy: $order) {{ {part} }}"
            for n, part in enumerate(SELECTED)
        )
        query = f"query ($filter: WageFilter, $order: WageOrder) {{ {fields} }}"
        none = {f"f{n}": None for n in range(len(SELECTED))}
        for use in uses:
            for _ in range(2):  # judged, and then with the caller in the cache
                answer = await wages.ask(query.replace("LIST", "wages"), ada.token, **use)
                assert answer.data == none, use
                assert refusals(answer) == [([each], *refused) for each in none], use
            answer = await wages.ask(query.replace("LIST", "forAll"), None, **use)
            assert answer.data == none
            assert {each[1] for each in refusals(answer)} == {"UNAUTHENTICATED"}
            seen = await wages.data(query.replace("LIST", "wages"), grace.token, **use)
            found = [] if use.get("filter") is missing else [{"title": "T"}]
            assert (seen["f0"]["nodes"], seen["f3"]["totalCount"]) == (found, len(found))
        nothing: list[dict[str, Any]] = [{}, {"filter": {"cents": None, "paidAfter": None}}]
        for use in nothing:
            seen = await wages.data(query.replace("LIST", "wages"), ada.token, **use)
            assert seen["f3"]["totalCount"] == 1


@pytest.mark.parametrize("compiled", [True, False])
async def test_order_of_a_hidden_column_is_told_by_no_list(
    settings: Settings, *, compiled: bool
) -> None:
    chosen = settings.model_copy(update={"compiled": compiled})
    async with graph(chosen, [WAGES]) as wages:
        ada, grace = await stocked(wages)
        query = "{ best { totalCount } me { wages { title } best { title } ownBest { title } } }"
        answer = await wages.ask(query, ada.token)
        assert answer.data == {
            "best": None,
            "me": {"wages": [{"title": "T"}], "best": None, "ownBest": None},
        }
        told = [(path, permission) for path, _, _, permission, _ in refusals(answer)]
        lists: list[list[str]] = [["best"], ["me", "best"], ["me", "ownBest"]]
        assert sorted(told) == [(path, "wages:read") for path in lists]
        page = (
            "{ customers(orderBy: {field: NAME}) { nodes { best { title } ownBest { cents } } } }"
        )
        found = (await wages.data(page, grace.token))["customers"]["nodes"]
        assert found[0] == {"best": [{"title": "T"}], "ownBest": [{"cents": 7}]}


@strawberry.type
class Sealed:
    """A row whose very key is for callers with a permission."""

    id: strawberry.ID = hidden()
    title: str | None = None


async def test_hidden_key_is_told_by_no_cursor_and_by_no_id(settings: Settings) -> None:
    @strawberry.type
    class Lists:
        sealed = connection(Sealed, WageRow, order_by=["title"], name="Sealed")

    async with graph(settings, [Feature("sealed", queries=[Lists])]) as lists:
        ada, grace = await stocked(lists)
        [each] = (await lists.data("{ sealed { nodes { id } } }", grace.token))["sealed"]["nodes"]
        assert await lists.data("{ sealed { nodes { title } totalCount } }", ada.token) == {
            "sealed": {"nodes": [{"title": "T"}], "totalCount": 1}
        }
        cursor = "{ sealed { pageInfo { endCursor } } }"
        after = (await lists.data(cursor, grace.token))["sealed"]["pageInfo"]["endCursor"]
        for query in (
            cursor,
            "{ sealed { edges { cursor } } }",
            f'{{ sealed(after: "{after}") {{ totalCount }} }}',
            f'{{ sealed(last: 1, before: "{after}") {{ totalCount }} }}',
        ):
            assert (await lists.ask(query, ada.token)).code("sealed") == "FORBIDDEN"
            assert await lists.data(query, grace.token)
        query = f'{{ node(id: "{each["id"]}") {{ ... on Sealed {{ title }} }} }}'
        assert await lists.data(query, ada.token) == {"node": None}
        assert await lists.data(query, grace.token) == {"node": {"title": "T"}}


async def test_permission_to_be_signed_in_is_required_as_well(settings: Settings) -> None:
    @strawberry.type
    class Known:
        id: strawberry.ID
        title: str | None = hidden(IsAuthenticated)

    @strawberry.type
    class Lists:
        known = connection(
            Known, WageRow, order_by=["id"], filters=["title"], permissions=[], name="Known"
        )

    async with graph(settings, [Feature("known", queries=[Lists])]) as lists:
        ada, _ = await stocked(lists)
        query = '{ known(filter: {title: "T"}) { totalCount } }'
        assert (await lists.ask(query)).code("known") == "UNAUTHENTICATED"
        assert await lists.data(query, ada.token) == {"known": {"totalCount": 1}}


class IsOwner(BasePermission):
    """A permission that decides by the object."""

    message = "It is another's."

    def has_permission(self, source: Any, *_: Any, **__: Any) -> bool:  # noqa: ANN401 — Strawberry's
        """Return whether it is theirs."""
        return bool(source)


def test_permission_that_decides_by_the_object_is_a_fault() -> None:
    @strawberry.type
    class Mine:
        id: strawberry.ID = hidden(IsOwner)
        title: str | None = hidden(READ, IsOwner)
        grade: str | None = hidden(IsOwner)
        state: str | None = hidden(IsOwner)

    def fault(by: str, column: str) -> str:
        return (
            f"{by}(Mine, WageRow): {column} takes IsOwner, which may decide by the object, so no "
            "filter, order or cursor can use it: take HasPermission, or another column."
        )

    with pytest.raises(TypeError) as raised:
        connection(Mine, WageRow, order_by=["title"], filters=["grade"])
    assert str(raised.value) == " ".join(
        fault("connection", each) for each in ("title", "grade", "id")
    )
    with pytest.raises(TypeError) as raised:
        nested(Mine, WageRow, by=WageRow.customer_id, order_by="title", limit=1)
    assert str(raised.value) == fault("nested", "title")
    with pytest.raises(TypeError) as raised:
        node(Mine, WageRow)
    assert str(raised.value) == fault("node", "id")


@strawberry.type
class Later:
    """A type that shows its columns by fields of extensions."""

    id: strawberry.ID
    title: str
    cents: strawberry.Private[int]
    grade: strawberry.Private[str]
    day: strawberry.Private[date]

    def shows_private(self) -> bool:
        """Return whether private fields are shown."""
        return False


@extend(Later)
class Guarded(Later):
    """A field with a permission, and one of another column's name."""

    @strawberry.field(name="cents", permission_classes=[READ])
    def shown(self) -> int | None:
        """Return the column."""
        return self.cents

    @strawberry.field(name="day")
    def on(self) -> date:
        """Return the column."""
        return self.day


@extend(Later, private=True)
class Private(Later):
    """A private field."""

    @strawberry.field(name="grade")
    def worth(self) -> str | None:
        """Return the column."""
        return self.grade


def test_column_that_an_extension_hides_is_a_fault() -> None:
    @strawberry.type
    class Lists:
        later = connection(
            Later, WageRow, order_by=["title", "cents"], filters=["grade", "day"], name="Later"
        )

    @extend(Customer)
    class OfCustomer(Customer):
        later = nested(Later, WageRow, by=WageRow.customer_id, order_by="cents", limit=1)

    faults: list[str] = []
    feature = Feature("later", queries=[Lists], extensions=[OfCustomer, Guarded, Private])
    parts_of([feature], faults)
    hides = "which an extension of Later shows only to some: leave it out, or make it a field of"
    assert sorted(faults) == [
        f"{where} finds or sorts rows by {each}, {hides} Later with HasPermission."
        for where, each in (
            ("Customer.later", "cents"),
            ("Query.later", "cents"),
            ("Query.later", "grade"),
        )
    ]


def test_schema_says_what_filters_and_orders_require() -> None:
    faults: list[str] = []
    parts = parts_of([WAGES], faults)
    assert faults == []
    core = build_schema(parts.additions).core
    for kind in ("WageFilter", "WageOrderField"):
        made: Any = core.type_map[kind]
        for name, each in (getattr(made, "fields", None) or made.values).items():
            assert each.description.endswith(" Needs wages:read.") is (name.lower() != "title")
    query: Any = core.type_map["Query"]
    lists = {name: each.description for name, each in query.fields.items()}
    needing = {name for name, told in lists.items() if "Without orderBy: Needs wages:read." in told}
    assert needing == {"best"}
