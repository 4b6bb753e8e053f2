"""Nested lists, and nodes that are made of rows."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

import pytest
import strawberry
from sqlalchemy import ColumnElement, insert, select, text, update
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gql_app.accounts.sessions import Caller
from gql_app.app import build_engine
from gql_app.extending.connections import connection
from gql_app.extending.extend import extend
from gql_app.extending.feature import Feature
from gql_app.extending.merging import parts_of
from gql_app.extending.nested import nested
from gql_app.extending.nodes import NodeColumns, node_of
from gql_app.extending.permissions import HasPermission
from gql_app.extending.visibility import owned_by
from gql_app.lib.clock import new_id
from gql_app.schema.customers import Customer
from gql_app.settings import Settings
from tests.colliding import COLLIDING, comparisons
from tests.extending.graph import Graph, create_tables, graph
from tests.extending.shop import SHOP, Base, CompanyRow, Order, OrderRow, OrderStatus
from tests.extending.test_connections import stock
from tests.people import PASSWORD, Person, add_customer, sign_in
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


@strawberry.type
class Parcel:
    """An order with lists of its own."""

    customer_id: strawberry.Private[UUID]
    id: UUID
    note: str | None
    alike = nested(Receipt, OrderRow, by=OrderRow.note, key="note", order_by="total_cents", limit=1)
    beside = nested(
        Receipt,
        OrderRow,
        by=OrderRow.customer_id,
        key="customer_id",
        order_by="created_at",
        limit=2,
    )


@extend(Customer, private=True)
class Nested(Customer):
    """Nested lists that are private."""

    latest = nested(Order, OrderRow, by=OrderRow.customer_id, order_by="created_at", limit=3)
    receipts = nested(
        Receipt,
        OrderRow,
        by=OrderRow.customer_id,
        order_by="total_cents",
        limit=2,
        descending=False,
    )
    parcels = nested(Parcel, OrderRow, by=OrderRow.customer_id, order_by="created_at", limit=3)
    of_name = nested(Receipt, OrderRow, by=OrderRow.note, key="name", order_by="id", limit=1)


@extend(Customer)
class Open(Customer):
    """Nested lists that are for everybody, and for who has a permission."""

    gifts = nested(
        Receipt,
        OrderRow,
        by=OrderRow.customer_id,
        order_by="created_at",
        limit=1,
        description="The newest.",
    )
    audited = nested(
        Receipt,
        OrderRow,
        by=OrderRow.customer_id,
        order_by="created_at",
        limit=1,
        permissions=[HasPermission("audit:read")],
    )

    @strawberry.field
    def numbers(self, first: int = 50) -> list[int]:
        """Return a list that is no page, of a size that the client says."""
        return [*range(first)]


@strawberry.type
class Parcels:
    """A list with lists."""

    parcels = connection(Parcel, OrderRow, order_by=["created_at"])


FEATURE = Feature("nested", queries=[Parcels], extensions=[Nested, Open])
QUESTIONS = (
    PAGE,
    "{ customers { nodes { gifts { id status } receipts { totalCents } } } }",
    """{ customers { nodes { a: receipts { x: totalCents } b: receipts { ...R } } } }
    fragment R on Receipt { __typename note }""",
    """{ a: customers(first: 2) { nodes { gifts { id } } }
    b: customers(last: 2) { nodes { id email gifts { id } } edges { node { gifts { id } } } } }""",
    """query ($yes: Boolean = true, $no: Boolean = false) { customers { nodes {
    gifts @include(if: $no) { id } receipts @skip(if: $no) { note @include(if: $yes) } } } }""",
    "{ customers { nodes { roles sessions { id } receipts { id } } } }",
    "{ customers { nodes { name audited { id } ofName { id } } } }",
    "{ customers(first: 3) { nodes { parcels { id alike { id } beside { totalCents } } } } }",
    "{ parcels(first: 5) { nodes { note alike { totalCents } beside { totalCents note } } } }",
    "{ me { latest { label } receipts { id } parcels { beside { id } } audited { id } } }",
)


@pytest.fixture
async def shop(settings: Settings) -> AsyncIterator[Graph]:
    """Run the shop with nested lists."""
    async with graph(settings, [SHOP, FEATURE]) as opened:
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
    with listened(lambda sql, _: sent.append(sql), block_only=True):
        nodes = (await shop.data(PAGE, grace.token))["customers"]["nodes"]
    read = [each for each in sent if each.lstrip().startswith(("SELECT", "WITH"))]
    assert len(read) == 3
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


@pytest.mark.parametrize("broken", [False, True], ids=["read", "not_read"])
async def test_answers_and_errors_are_those_of_resolvers(
    settings: Settings, shop: Graph, ada: Person, grace: Person, *, broken: bool
) -> None:
    await stock(shop, ada, grace, count=9)
    uncompiled = build_engine(settings.model_copy(update={"compiled": False}), shop.parts.additions)
    if broken:
        async with shop.resources.database.transaction() as db:
            await db.execute(text("DROP TABLE shop_orders"))
    for question in QUESTIONS:
        for who in (ada, grace):
            fast = await shop.ask(question, who.token)
            slow = await replace(shop, engine=uncompiled).ask(question, who.token)
            assert fast.data == slow.data
            theirs, ours = ([_told(each) for each in a.errors] for a in (slow, fast))
            assert sorted(ours) == sorted(theirs)
            assert broken or not ours or "audited" in question


def _told(error: dict[str, Any]) -> tuple[str, str]:
    return str(error["path"]), error["extensions"]["code"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("list_of", "cost"),
    [
        ("parcels { id }", 1 + 2 * (1 + 3 * 2)),
        ("audited { id }", 1 + 2 * (1 + 1 * 2)),
        ("parcels { alike { id } }", 1 + 2 * (1 + 3 * (1 + 1 * 2))),
        ("numbers(first: 4)", 1 + 2 * (1 + 4)),
        ("numbers", 1 + 2 * (1 + 20)),
        ("sessions { id }", 1 + 2 * (1 + 20 * 2)),
    ],
)
async def test_list_costs_what_it_may_return(
    settings: Settings, shop: Graph, ada: Person, list_of: str, cost: int
) -> None:
    engine = build_engine(settings.model_copy(update={"max_cost": 1}), shop.parts.additions)
    question = f"{{ customers(first: 2) {{ nodes {{ {list_of} }} }} }}"
    answer = await replace(shop, engine=engine).ask(question, ada.token)
    assert f"is {cost} objects and values" in answer.errors[0]["message"]


async def test_error_of_a_list_is_at_each_object(shop: Graph, ada: Person, grace: Person) -> None:
    async with shop.resources.database.transaction() as db:
        await db.execute(text("DROP TABLE shop_orders"))
    answer = await shop.ask("{ customers { nodes { id gifts { id } } } }", ada.token)
    assert [(each["id"], each["gifts"]) for each in answer.data["customers"]["nodes"]] == [
        (str(ada.id), None),
        (str(grace.id), None),
    ]
    paths = [each["path"] for each in answer.errors]
    assert paths == [["customers", "nodes", n, "gifts"] for n in range(2)]


async def test_nothing_is_built_where_all_is_as_the_answer_has_it(
    shop: Graph, ada: Person, grace: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stock(shop, ada, grace, count=9)
    for kind in (Customer, Receipt, Parcel):
        monkeypatch.setattr(kind, "__init__", None)
    page = await shop.data(
        "{ customers(first: 3) { nodes { receipts { note } parcels { note beside { id } } } } }",
        ada.token,
    )
    mine, hers = page["customers"]["nodes"]
    assert hers == {"receipts": None, "parcels": None}
    assert [len(each["beside"]) for each in mine["parcels"]] == [2, 2, 2]


async def test_same_lists_are_read_once_and_those_at_a_time_together(
    shop: Graph, ada: Person, grace: Person
) -> None:
    await stock(shop, ada, grace, count=9)
    await shop.data("{ me { id } }", grace.token)
    for below, statements in (
        ("a: gifts { id } b: gifts { note }", 1),
        ("parcels { alike { id } beside { id } other: beside { totalCents } }", 2),
    ):
        sent: list[str] = []
        with listened(lambda sql, _: sent.append(sql), block_only=True):  # noqa: B023 — it is called here and now
            await shop.data(f"{{ customers(first: 3) {{ nodes {{ {below} }} }} }}", grace.token)
        assert len([each for each in sent if "shop_orders" in each]) == statements, sent


async def test_keys_may_be_text_come_twice_or_be_null(shop: Graph, ada: Person) -> None:
    await stock(shop, ada, count=4)
    asked = "{ parcels { nodes { note alike { totalCents } beside { totalCents } } } }"
    nodes = (await shop.data(asked, ada.token))["parcels"]["nodes"]
    assert [each["alike"] for each in nodes] == [None, [{"totalCents": 1}], None, None]
    assert [[b["totalCents"] for b in each["beside"]] for each in nodes] == [[3, 2]] * 4


def test_order_that_no_cursor_could_have_is_told() -> None:
    with pytest.raises(TypeError, match="order_by names paid, which is no column"):
        nested(Order, OrderRow, by=OrderRow.customer_id, order_by="paid", limit=1)


@pytest.mark.parametrize("limit", [0, -1, "5", True, 2.0, 2**31, None])
def test_limit_that_is_none_is_told(limit: Any) -> None:  # noqa: ANN401 — of any wrong type
    with pytest.raises(TypeError, match="limit must be a number of 1 to 2147483647, not"):
        nested(Order, OrderRow, by=OrderRow.customer_id, order_by="id", limit=limit)


def test_table_without_rowid_is_told() -> None:
    class Bare(DeclarativeBase): ...

    class BareRow(Bare):
        __tablename__ = "bare"
        __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 — as SQLAlchemy takes it
        id: Mapped[UUID] = mapped_column(primary_key=True)

    @strawberry.type
    class Thing:
        id: strawberry.ID

    with pytest.raises(TypeError, match="bare has no rowid"):
        nested(Thing, BareRow, by=BareRow.id, order_by="id", limit=1)


def test_key_that_is_no_field_is_told_at_start() -> None:
    @extend(Customer)
    class Odd(Customer):
        gifts = nested(Receipt, OrderRow, by=OrderRow.note, key="nick_name", order_by="id", limit=1)

    faults: list[str] = []
    parts_of([Feature("odd", extensions=[Odd])], faults)
    assert faults == ["Customer.gifts is read by nick_name, which is no field of Customer."]


def test_only_what_is_as_the_answer_has_it_is_written_without_a_node() -> None:
    names = ["id", "total_cents", "status", "note", "created_at"]
    columns = NodeColumns(Receipt, OrderRow, ["created_at"], [])
    fine = ("x", 2**31 - 1, "placed", None, "2030-01-31T12:00:00Z")
    values = {name: (value, value) for name, value in zip(names, fine, strict=True)}
    assert columns.written(values) == {*names}
    assert columns.written(dict.fromkeys(names, ())) == {*names}
    for name, odd in (("total_cents", 2**31), ("total_cents", -(2**31) - 1), ("status", "eaten")):
        changed = {**values, name: (values[name][0], odd)}
        assert columns.written(changed) == {*names} - {name}
    others = NodeColumns(Order, OrderRow, ["created_at"], [])
    assert "status" not in others.written({"status": ["placed"]})


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


@strawberry.type
class Deed:
    """An order that the list of its type may hide."""

    id: UUID
    total_cents: int
    note: str | None

    @strawberry.field
    def label(self) -> str:
        """Return what needs an object."""
        return f"{self.total_cents}"


def shown_to(caller: Caller | None) -> ColumnElement[bool]:
    """Return the condition of orders of companies, by the caller, that are not cancelled."""
    mine = select(CompanyRow.customer_id).where(CompanyRow.customer_id == OrderRow.customer_id)
    if caller is None or "audit:read" not in caller.permissions:
        mine = mine.where(CompanyRow.company != "secret")
    return mine.exists() & (OrderRow.status != "cancelled")


@strawberry.type
class Deeds:
    """Lists of one type: the first decides what is visible."""

    deeds = connection(
        Deed, OrderRow, order_by=["created_at"], visible=shown_to, permissions=[], name="Deed"
    )
    all_deeds = connection(Deed, OrderRow, order_by=["created_at"], name="Deed")


@extend(Customer)
class DeedsOf(Customer):
    """A nested list that is for everybody."""

    deeds = nested(
        Deed, OrderRow, by=OrderRow.customer_id, order_by="total_cents", limit=2, descending=False
    )


@pytest.mark.parametrize("compiled", [True, False])
async def test_rows_that_the_connection_of_the_type_hides_are_left_out(
    settings: Settings, ada: Person, grace: Person, *, compiled: bool
) -> None:
    chosen = settings.model_copy(update={"compiled": compiled})
    feature = Feature("deeds", queries=[Deeds], extensions=[DeedsOf])
    async with graph(chosen, [SHOP, feature]) as shop:
        await stock(shop, ada, grace, count=12)
        async with shop.resources.database.transaction() as db:
            for person, company in ((ada, "open"), (grace, "secret")):
                await db.execute(insert(CompanyRow), customer_id=person.id, company=company)
            hidden = OrderRow.total_cents.in_([2, 3])
            await db.execute(update(OrderRow).where(hidden).values(status="cancelled"))
        for fields in ("totalCents", "totalCents label"):
            asked = f"{{ customers {{ nodes {{ id deeds {{ {fields} }} }} }} }}"
            for person, found in (
                (ada, {ada.id: [0, 4], grace.id: []}),
                (grace, {ada.id: [0, 4], grace.id: [1, 5]}),
            ):
                for _ in range(2):  # the caller is read, and then proven by the page
                    sent: list[str] = []
                    with listened(lambda sql, _: sent.append(sql), block_only=True):  # noqa: B023 — it is called here and now
                        page = (await shop.data(asked, person.token))["customers"]["nodes"]
                assert {
                    UUID(each["id"]): [deed["totalCents"] for deed in each["deeds"]]
                    for each in page
                } == found
                assert len(sent) == 2, sent
        listed = await shop.data("{ deeds { nodes { totalCents } } }", grace.token)
        assert [each["totalCents"] for each in listed["deeds"]["nodes"]] == [0, 1, *range(4, 12)]


@strawberry.type
class Shelf:
    """An object with a list."""

    note: str
    parcels = nested(Parcel, OrderRow, by=OrderRow.note, key="note", order_by="id", limit=1)


@strawberry.type
class Shelves:
    """An object that is for everybody, with rows of which everybody sees their own."""

    @strawberry.field
    def shelf(self) -> Shelf:
        """Return an object with a list."""
        return Shelf(note="fragile")

    @strawberry.field
    def imported(self) -> list[Parcel]:
        """Return objects whose ids were chosen by a stranger."""
        return [Parcel(customer_id=each, id=each, note=None) for each in COLLIDING]

    parcels = connection(Parcel, OrderRow, order_by=["id"], visible=owned_by(OrderRow.customer_id))


async def test_ids_that_share_a_hash_take_no_longer_to_find(
    settings: Settings, ada: Person
) -> None:
    async with graph(settings, [SHOP, Feature("shelves", queries=[Shelves])]) as shop:
        with comparisons() as compared:
            asked = "{ imported { beside { id } } again: imported { id beside { note } } }"
            data = await shop.data(asked, ada.token)
    assert [each["beside"] for each in data["imported"]] == [[]] * len(COLLIDING)
    assert len(compared) < len(COLLIDING)


async def test_caller_who_is_not_signed_in_sees_what_nobody_owns(
    settings: Settings, ada: Person, grace: Person
) -> None:
    async with graph(settings, [SHOP, Feature("shelves", queries=[Shelves])]) as shop:
        await stock(shop, ada, count=3)
        asked = "{ shelf { parcels { note } } }"
        for token, found in ((ada.token, ["fragile"]), (grace.token, []), (None, [])):
            shelf = (await shop.data(asked, token))["shelf"]
            assert [each["note"] for each in shelf["parcels"]] == found


OWN = """
mutation { login(email: "%s", password: "%s") { customer { name parcels { note } } } }
"""


@extend(Customer, private=True)
class OwnParcels(Customer):
    """A list of rows of which everybody sees their own."""

    parcels = nested(Parcel, OrderRow, by=OrderRow.customer_id, order_by="id", limit=2)


@pytest.mark.parametrize("compiled", [True, False])
async def test_customer_of_a_sign_in_sees_their_rows_whoever_asks(
    settings: Settings, ada: Person, grace: Person, *, compiled: bool
) -> None:
    chosen = settings.model_copy(update={"compiled": compiled})
    feature = Feature("own", queries=[Shelves], extensions=[OwnParcels])
    async with graph(chosen, [SHOP, feature]) as shop:
        await stock(shop, ada, count=3)
        for token in (None, grace.token, ada.token):
            customer = (await shop.data(OWN % (ada.email, PASSWORD), token))["login"]["customer"]
            assert (customer["name"], len(customer["parcels"])) == (ada.name, 2)


async def test_write_after_a_sign_in_shows_rows_to_its_own_caller(
    settings: Settings, ada: Person, grace: Person
) -> None:
    change = 'updateMe(input: { phone: "+1 555 0100" }) { customer { name parcels { note } } }'
    both = OWN.rstrip().removesuffix("}") % (ada.email, PASSWORD) + change + "}"
    feature = Feature("own", queries=[Shelves], extensions=[OwnParcels])
    async with graph(settings, [SHOP, feature]) as shop:
        await stock(shop, ada, grace, count=4)
        answer = await shop.data(both, grace.token)
    for field, person in (("login", ada), ("updateMe", grace)):
        customer = answer[field]["customer"]
        assert (customer["name"], len(customer["parcels"])) == (person.name, 2)


@strawberry.type
class Opened:
    """Rows that are visible by a row of another table, which the condition names directly."""

    parcels = connection(
        Parcel,
        OrderRow,
        order_by=["id"],
        visible=lambda _: (
            (CompanyRow.customer_id == OrderRow.customer_id) & (CompanyRow.company == "open")
        ),
    )


async def test_condition_of_visible_rows_may_name_another_table(
    settings: Settings, ada: Person, grace: Person
) -> None:
    feature = Feature("opened", queries=[Opened], extensions=[OwnParcels])
    async with graph(settings, [SHOP, feature]) as shop:
        await stock(shop, ada, grace, count=6)
        async with shop.resources.database.transaction() as db:
            for person, company in ((ada, "open"), (grace, "secret")):
                await db.execute(insert(CompanyRow), customer_id=person.id, company=company)
        for person, count in ((ada, 2), (grace, 0)):
            me = (await shop.data("{ me { parcels { note } } }", person.token))["me"]
            assert len(me["parcels"]) == count


def test_nested_rows_of_another_table_than_those_of_a_visible_connection_are_a_fault() -> None:
    class Copy(DeclarativeBase): ...

    class CopyRow(Copy):
        __tablename__ = "copies"
        id: Mapped[UUID] = mapped_column(primary_key=True)
        total_cents: Mapped[int]
        note: Mapped[str | None]
        customer_id: Mapped[UUID]

    @extend(Customer)
    class Odd(Customer):
        copies = nested(Deed, CopyRow, by=CopyRow.customer_id, order_by="id", limit=1)

    faults: list[str] = []
    parts_of([Feature("odd", queries=[Deeds], extensions=[Odd])], faults)
    [fault] = faults
    assert fault == (
        "Customer.copies lists rows of copies as Deed, of which Query.deeds shows those of "
        "shop_orders that are visible: list these, or make another type."
    )
