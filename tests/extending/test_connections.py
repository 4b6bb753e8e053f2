"""Connections over a feature's table."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import partial
from typing import Any, cast
from uuid import UUID

import pytest
import strawberry
from sqlalchemy import BigInteger, ColumnElement, exists, false, insert, select, text, update
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from strawberry.field_extensions import InputMutationExtension
from strawberry.scalars import JSON

from gql_app.accounts.sessions import Caller
from gql_app.extending.connections import connection
from gql_app.extending.feature import Feature
from gql_app.extending.nested import nested
from gql_app.extending.node_kinds import node
from gql_app.extending.permissions import HasPermission
from gql_app.extending.visibility import Visibility, owned_by
from gql_app.lib.clock import new_id
from gql_app.lib.database import insert_row
from gql_app.lib.standby import Reading
from gql_app.settings import Settings
from tests.databases import Postgres
from tests.extending.graph import Graph, create_tables, graph
from tests.extending.shop import SHOP, Base, CompanyRow, Order, OrderRow, OrderStatus
from tests.people import Person, add_customer, sign_in
from tests.scraping import told
from tests.statements import listened

READS = "gql_app_standby_reads_total"
START = datetime(2030, 1, 31, 12, tzinfo=UTC)
PAGE = """query ($first: Int, $after: String, $last: Int, $before: String, $filter: OrderFilter,
              $order: OrderOrder) {
  orders(first: $first, after: $after, last: $last, before: $before, filter: $filter,
         orderBy: $order) {
    nodes { totalCents } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount
  }
}"""


async def stock(shop: Graph, *people: Person, count: int = 12) -> list[UUID]:
    """Place orders in turn: one a minute, each a cent dearer, every third one shipped."""
    rows = [
        {
            "id": new_id(),
            "customer_id": people[n % len(people)].id,
            "total_cents": n,
            "is_gift": n % 2 == 0,
            "status": "shipped" if n % 3 == 0 else "placed",
            "note": "fragile" if n == 1 else None,
            "created_at": START + timedelta(minutes=n),
            "paid_at": START if n == 2 else None,
        }
        for n in range(count)
    ]
    async with shop.resources.database.transaction() as db:
        await db.execute_many(insert_row(OrderRow), rows)
    return [row["id"] for row in rows]  # type: ignore[misc]  # they are UUIDs


def totals(answer: dict[str, Any]) -> list[int]:
    """Return what the orders of a page cost."""
    return [each["totalCents"] for each in answer["orders"]["nodes"]]


async def test_pages_go_both_ways_and_know_what_lies_beyond(shop: Graph, ada: Person) -> None:
    await stock(shop, ada)
    first = await shop.data(PAGE, ada.token, first=5)
    info = first["orders"]["pageInfo"]
    assert (totals(first), first["orders"]["totalCount"]) == ([0, 1, 2, 3, 4], 12)
    assert (info["hasPreviousPage"], info["hasNextPage"]) == (False, True)
    second = await shop.data(PAGE, ada.token, first=5, after=info["endCursor"])
    assert totals(second) == [5, 6, 7, 8, 9]
    back = await shop.data(
        PAGE, ada.token, last=3, before=second["orders"]["pageInfo"]["startCursor"]
    )
    assert totals(back) == [2, 3, 4]
    assert back["orders"]["pageInfo"]["hasNextPage"]


async def test_lists_are_sorted_and_filtered_by_columns(shop: Graph, ada: Person) -> None:
    ids = await stock(shop, ada)
    moment = (START + timedelta(minutes=6)).isoformat()
    for which, found in (
        ({"status": "SHIPPED"}, [0, 3, 6, 9]),
        ({"isGift": True, "status": "SHIPPED"}, [0, 6]),
        ({"totalCents": 4}, [4]),
        ({"createdAfter": moment}, [7, 8, 9, 10, 11]),
        ({"createdBefore": moment, "isGift": False}, [1, 3, 5]),
        ({"id": str(ids[5])}, [5]),
        ({"id": "nobody's"}, []),
        ({"note": "fragile"}, [1]),
        ({"note": None, "status": None}, list(range(12))),
    ):
        answer = await shop.data(PAGE, ada.token, filter=which)
        assert totals(answer) == found, which
        assert answer["orders"]["totalCount"] == len(found)
    dearest = {"field": "TOTAL_CENTS", "direction": "DESC"}
    assert totals(await shop.data(PAGE, ada.token, order=dearest, first=2)) == [11, 10]
    filtered = {"createdAfter": moment}
    assert totals(await shop.data(PAGE, ada.token, order=dearest, filter=filtered))[-1] == 7


async def test_orders_of_either_end_of_time_are_listed_as_any_other(
    shop: Graph, ada: Person
) -> None:
    moments = ["0001-01-01T00:00:00Z", "2030-01-31T12:00:00Z", "9999-12-31T23:59:59.999999Z"]
    await stock(shop, ada, count=len(moments))
    async with shop.resources.database.transaction() as db:
        for cents, moment in enumerate(moments):
            row = OrderRow.total_cents == cents
            await db.execute(
                update(OrderRow).where(row).values(created_at=datetime.fromisoformat(moment))
            )
    every = "{ orders { nodes { createdAt } } me { orders { createdAt } } }"
    answer = await shop.data(every, ada.token)
    assert [each["createdAt"] for each in answer["orders"]["nodes"]] == moments
    assert [each["createdAt"] for each in answer["me"]["orders"]] == moments[::-1]
    for cents, moment in enumerate(moments):
        for bound, found in (("createdAfter", cents + 1), ("createdBefore", cents)):
            listed = totals(await shop.data(PAGE, ada.token, filter={bound: moment}))
            assert listed == [[*range(found)], [*range(found, 3)]][bound == "createdAfter"]
    page = await shop.data(PAGE, ada.token, first=1)
    after = page["orders"]["pageInfo"]["endCursor"]
    assert totals(await shop.data(PAGE, ada.token, after=after)) == [1, 2]


async def test_cursors_are_bound_to_their_list(shop: Graph, ada: Person) -> None:
    await stock(shop, ada)
    cursor = (await shop.data(PAGE, ada.token, first=1))["orders"]["pageInfo"]["endCursor"]
    for other in (
        {"filter": {"status": "PLACED"}},
        {"order": {"field": "TOTAL_CENTS"}},
        {"order": {"field": "CREATED_AT", "direction": "DESC"}},
    ):
        answer = await shop.ask(PAGE, ada.token, after=cursor, **other)
        assert answer.code("orders") == "BAD_USER_INPUT"
    assert (await shop.ask(PAGE, ada.token, after="broken")).code("orders") == "BAD_USER_INPUT"
    assert (await shop.ask(PAGE, ada.token, first=501)).code("orders") == "BAD_USER_INPUT"
    assert (await shop.ask(PAGE, ada.token, first=1, last=1)).code("orders") == "BAD_USER_INPUT"


async def test_everybody_sees_their_own_and_who_may_sees_all(
    shop: Graph, ada: Person, bob: Person, grace: Person
) -> None:
    await stock(shop, ada, bob)
    for person, found in (
        (ada, [0, 2, 4, 6, 8, 10]),
        (bob, [1, 3, 5, 7, 9, 11]),
        (grace, list(range(12))),
    ):
        for _ in range(2):  # judged, and then proven by the statement
            assert totals(await shop.data(PAGE, person.token)) == found
    refused = await shop.ask(PAGE)
    assert refused.code("orders") == "UNAUTHENTICATED"


async def test_caller_is_proven_by_the_statement_that_reads_the_page(
    shop: Graph, ada: Person
) -> None:
    await stock(shop, ada)
    query = "{ orders(first: 5) { nodes { id status createdAt } } }"
    await shop.data(query, ada.token)
    sent: list[str] = []
    with listened(lambda sql, _: sent.append(sql), block_only=True):
        page = (await shop.data(query, ada.token))["orders"]["nodes"]
    [sql] = [each for each in sent if "shop_orders" in each]  # not of tasks beside it
    assert "total_cents" not in sql.partition("FROM")[0]
    assert page[1]["status"] == "PLACED"
    assert page[1]["createdAt"] == "2030-01-31T12:01:00Z"


async def test_resolver_of_a_node_sees_all_of_its_columns(shop: Graph, ada: Person) -> None:
    await stock(shop, ada, count=3)
    query = "{ orders { edges { cursor node { label paidAt } } } }"
    edges = (await shop.data(query, ada.token))["orders"]["edges"]
    assert [each["node"]["label"] for each in edges] == [
        f"{status} {n} 2030 {ada.id}" for n, status in enumerate(("shipped", "placed", "placed"))
    ]
    assert edges[2]["node"]["paidAt"] == "2030-01-31T12:00:00Z"
    assert len({each["cursor"] for each in edges}) == 3


async def test_a_page_counts_by_its_rows(shop: Graph, ada: Person) -> None:
    lists = " ".join(
        f"l{n}: orders(first: 500) {{ nodes {{ id totalCents label note }} }}" for n in range(10)
    )
    [error] = (await shop.ask(f"{{ {lists} }}", ada.token)).errors
    assert error["message"].startswith("The cost of the operation is 25,010 objects and values")
    assert (await shop.ask(f"{{ {lists.replace('500', '50')} }}", ada.token)).errors == []


async def test_function_of_the_caller_makes_statements_that_are_compiled_once(
    settings: Settings,
) -> None:
    asked: list[Caller | None] = []

    def mine(caller: Caller | None) -> ColumnElement[bool] | None:
        asked.append(caller)
        if caller is None:
            return OrderRow.total_cents > 8
        return (
            None
            if "orders:read" in caller.permissions
            else OrderRow.customer_id == caller.customer_id
        )

    @strawberry.type
    class Lists:
        orders = connection(Order, OrderRow, order_by=["created_at"], visible=mine)
        for_all = connection(
            Order, OrderRow, order_by=["created_at"], visible=mine, permissions=[], name="Open"
        )
        for_admins = connection(
            Order,
            OrderRow,
            order_by=["created_at"],
            permissions=[HasPermission("lists:read")],
            name="Every",
        )

    async with graph(settings, [Feature("lists", queries=[Lists])]) as lists:
        database = lists.resources.database
        await create_tables(database, Base)
        people = [
            await sign_in(lists.resources, await add_customer(database, name, is_admin=is_admin))
            for name, is_admin in (("Ada", False), ("Bob", False), ("Grace", True))
        ]
        await stock(lists, *people[:2])
        sent: set[str] = set()
        for person, found in zip(
            people, ([0, 2, 4, 6, 8, 10], [1, 3, 5, 7, 9, 11], range(12)), strict=True
        ):
            with listened(lambda sql, _: sent.add(sql)):
                query = "{ orders { nodes { totalCents } } }"
                assert totals(await lists.data(query, person.token)) == list(found)
        assert len([sql for sql in sent if "shop_orders" in sql]) <= 2
        query = "{ forAll { nodes { totalCents } } }"
        assert (await lists.data(query))["forAll"]["nodes"] == [
            {"totalCents": n} for n in (9, 10, 11)
        ]
        assert len((await lists.data(query, people[2].token))["forAll"]["nodes"]) == 12
        query = "{ forAdmins { nodes { totalCents } } }"
        assert (await lists.ask(query, people[0].token)).code("forAdmins") == "FORBIDDEN"
        assert len((await lists.data(query, people[2].token))["forAdmins"]["nodes"]) == 12
    assert None in asked


async def test_lists_are_a_standbys_also_for_whom_nobody_knows(
    postgres: Postgres, usual_settings: Settings
) -> None:
    @strawberry.type
    class Lists:
        orders = connection(Order, OrderRow, order_by=["created_at"])
        for_all = connection(
            Order, OrderRow, order_by=["created_at"], permissions=[], name="Anybodys"
        )

    with postgres.copied() as url:
        settings = usual_settings.model_copy(update={"database_url": url, "read_url": url})
        async with graph(settings, [Feature("lists", queries=[Lists])]) as lists:
            database, metrics = lists.resources.database, lists.resources.metrics
            await create_tables(database, Base)
            ada = await sign_in(lists.resources, await add_customer(database, "Ada"))
            for query, token, count in (
                ("{ forAll { totalCount } }", None, 1),
                ("{ orders { totalCount } }", ada.token, 1),  # who has just signed in
                ("{ forAll { totalCount } }", ada.token, 1),
                ("{ forAll { totalCount } }", None, 2),
            ):
                await lists.data(query, token)
                asked = (told(metrics).of(READS, result=each) for each in Reading)
                assert sum(asked) == count


def test_condition_is_the_same_one_for_the_same_sql() -> None:
    values = iter([UUID(int=1), UUID(int=2)])
    seen = Visibility(lambda _: OrderRow.customer_id == next(values), OrderRow.__table__)
    ([one], first), ([other], second) = seen.of(None), seen.of(None)
    assert one is other
    assert (first, second) == ({"visible_0": UUID(int=1)}, {"visible_0": UUID(int=2)})
    listed = Visibility(lambda _: OrderRow.status.in_(["placed", "shipped"]), OrderRow.__table__)
    ([one], _), ([other], _) = listed.of(None), listed.of(None)
    assert one is not other


@pytest.mark.parametrize(
    ("condition", "is_of_them"),
    [
        (CompanyRow.company == "open", False),
        (CompanyRow.company.in_(["open"]), False),
        (CompanyRow.customer_id == OrderRow.customer_id, True),
        (exists().where(CompanyRow.customer_id == OrderRow.customer_id), True),
        (false(), True),
    ],
)
def test_condition_of_other_tables_alone_shows_nothing(
    condition: ColumnElement[bool], *, is_of_them: bool
) -> None:
    seen = Visibility(lambda _: condition, OrderRow.__table__)
    for _ in range(2):
        if is_of_them:
            assert seen.of(None)[0]
            continue
        with pytest.raises(TypeError) as raised:
            seen.of(None)
        assert str(raised.value) == (
            "visible names shop_companies and no column of shop_orders: add a condition"
        )


def test_owner_is_a_function_of_the_caller_too() -> None:
    mine = owned_by(OrderRow.customer_id, unless="orders:read")
    caller = Caller(UUID(int=1), UUID(int=2), "", frozenset())
    reader = caller._replace(permissions=frozenset({"orders:read"}))
    assert str(mine(caller)) == "shop_orders.customer_id = :customer_id_1"
    assert mine(reader) is None
    assert str(mine(None)) == "false"
    assert str(owned_by(OrderRow.customer_id)(reader)).endswith("_1")


class ShiftRow(Base):
    """A table with dates."""

    __tablename__ = "shop_shifts"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    on: Mapped[date]


async def test_dates_are_shown_and_filtered_by_equality(settings: Settings) -> None:
    @strawberry.type
    class Shift:
        id: strawberry.ID
        on: date

    @strawberry.type
    class Shifts:
        shifts = connection(
            Shift, ShiftRow, order_by=["id"], filters=["on"], permissions=[], name="Shift"
        )

    query = "query ($on: Date) { shifts(filter: {on: $on}) { nodes { on } } }"
    async with graph(settings, [Feature("shifts", queries=[Shifts])]) as shifts:
        await create_tables(shifts.resources.database, Base)
        async with shifts.resources.database.transaction() as db:
            for day in (29, 28, 29):
                await db.execute(insert(ShiftRow), id=new_id(), on=date(2024, 2, day))
        found = await shifts.data(query, on="2024-02-29")
        assert found["shifts"]["nodes"] == [{"on": "2024-02-29"}] * 2
        assert len((await shifts.data(query))["shifts"]["nodes"]) == 3


class WeightRow(Base):
    """A table that few lists can be made of."""

    __tablename__ = "shop_weights"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    weight: Mapped[float]
    sent_at: Mapped[datetime | None]


def test_everything_that_a_table_does_not_allow_is_told_at_once() -> None:
    @strawberry.type
    class Weight:
        id: strawberry.ID
        unit: str

    with pytest.raises(TypeError) as raised:
        connection(
            Weight, WeightRow, order_by=["sent_at", "nothing"], filters=["weight", "missing"]
        )
    where = "connection(Weight, WeightRow): "
    assert str(raised.value) == (
        f"{where}Weight.unit is no column; give it a resolver. "
        f"{where}shop_weights can't be sorted by ('sent_at',): one may be null, or is of another "
        f"type. {where}order_by names nothing, which is no column. "
        f"{where}filters names weight, whose type can't be compared. "
        f"{where}filters names missing, which is no column."
    )
    with pytest.raises(TypeError, match="order_by names no column"):
        connection(Order, OrderRow, order_by=[])

    class Plain:
        pass

    with pytest.raises(TypeError, match="Plain is no Strawberry type"):
        connection(Plain, OrderRow, order_by=["created_at"])


class OddRow(Base):
    """A row with a column of each type that a field may not fit."""

    __tablename__ = "shop_odd"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    labels: Mapped[str]
    state: Mapped[str]
    rank: Mapped[float]
    day: Mapped[date]
    made_at: Mapped[datetime]
    count: Mapped[int | None]
    note: Mapped[str | None]


@strawberry.enum
class Rank(Enum):
    """An enum of numbers."""

    FIRST = 1


@strawberry.type
class Odd:
    """A type no field of which fits its column, but for those that something else resolves."""

    id: int
    name: int
    labels: list[str]
    state: Rank
    rank: int
    day: datetime
    made_at: bool
    count: float
    note: strawberry.ID = strawberry.field(extensions=[InputMutationExtension()])


@pytest.mark.parametrize(
    ("declare", "by"),
    [
        (partial(connection, order_by=["id"]), "connection"),
        (partial(nested, by=OddRow.id, order_by="id", limit=1), "nested"),
        (node, "node"),
    ],
)
def test_field_that_can_not_have_the_values_of_its_column_is_a_fault(
    declare: Callable[..., object], by: str
) -> None:
    with pytest.raises(TypeError) as raised:
        declare(Odd, OddRow)
    stored = {"id": "UUID", "name": "str", "labels": "str", "state": "str"}
    stored |= {"rank": "float", "day": "date", "made_at": "datetime"}
    said = [
        f"{each} can't have the values of its column, which are {stored[each]}" for each in stored
    ]
    said.append(
        "count is never null, but its column may be: add `| None` to the type, or make it Private "
        "and show it by a resolver"
    )
    assert str(raised.value) == " ".join(f"{by}(Odd, OddRow): Odd.{each}." for each in said)


def test_field_that_has_every_value_of_its_column_is_none() -> None:
    @strawberry.type
    class Fine:
        id: UUID
        name: Decimal
        labels: strawberry.ID
        state: OrderStatus | None
        rank: float
        day: str
        count: JSON | None

        @strawberry.field
        def note(self) -> int:
            return 1

    assert connection(Fine, OddRow, order_by=["id"])


@pytest.mark.parametrize("shown", [strawberry.ID, int])
def test_id_and_number_have_not_every_value_of_every_column(shown: Any) -> None:  # noqa: ANN401
    kind = strawberry.type(type("Kind", (), {"__annotations__": {"rank": shown, "day": shown}}))
    with pytest.raises(TypeError) as raised:
        connection(kind, OddRow, order_by=["id"])
    assert str(raised.value) == " ".join(
        f"connection(Kind, OddRow): Kind.{each} can't have the values of its column, which are "
        f"{stored}."
        for each, stored in (("rank", "float"), ("day", "date"))
    )


@pytest.mark.parametrize("shown", [int, int | None])
def test_number_of_64_bits_is_no_int(shown: Any) -> None:  # noqa: ANN401 — of any type
    class Large(DeclarativeBase): ...

    class LargeRow(Large):
        __tablename__ = "large"
        id: Mapped[UUID] = mapped_column(primary_key=True)
        size: Mapped[int] = mapped_column(BigInteger)

    kind = strawberry.type(type("Large", (), {"__annotations__": {"size": shown}}))
    with pytest.raises(TypeError) as raised:
        connection(kind, LargeRow, order_by=["id"])
    assert str(raised.value) == (
        "connection(Large, LargeRow): Large.size can't have each number of its column: GraphQL's "
        "Int has 32 bits. Show it as a float, a str or an ID."
    )
    for fine in (float, str, strawberry.ID):
        kind = strawberry.type(type("Large", (), {"__annotations__": {"size": fine}}))
        assert connection(kind, LargeRow, order_by=["id"])


class PaidRow(Base):
    """The orders that are paid, of which none has no date."""

    __table__ = (
        select(OrderRow.id, OrderRow.paid_at, OrderRow.total_cents)
        .where(OrderRow.paid_at.is_not(None))
        .subquery("paid")
    )
    __mapper_args__ = {"primary_key": [__table__.c.id]}  # noqa: RUF012 — as SQLAlchemy takes it


@strawberry.type
class Price:
    """An object that is made of a column's value, which its resolvers take as self."""

    @strawberry.field
    def cents(self) -> int:
        """Return the value itself."""
        return cast(int, self)


@strawberry.type
class Paid:
    """An order that is paid."""

    paid_at: datetime
    total_cents: Price


@strawberry.type
class Noted:
    """An order with a note."""

    note: strawberry.Private[str | None]
    total_cents: Price

    @strawberry.field(name="note")
    def shown(self) -> str:
        """Return the note, which is there."""
        assert self.note
        return self.note


@strawberry.type
class Bookkeeping:
    """Lists whose conditions leave out what is null."""

    paid = connection(Paid, PaidRow, order_by=["id"])
    noted = connection(
        Noted, OrderRow, order_by=["id"], visible=lambda _: OrderRow.note.is_not(None)
    )


async def test_rows_of_a_query_and_resolvers_show_what_is_never_null(
    settings: Settings, ada: Person
) -> None:
    async with graph(settings, [SHOP, Feature("books", queries=[Bookkeeping])]) as shop:
        await stock(shop, ada, count=3)
        async with shop.resources.database.transaction() as db:
            await db.execute(
                text("UPDATE shop_orders SET paid_at = created_at WHERE total_cents = 2")
            )
        data = await shop.data(
            "{ paid { nodes { paidAt totalCents { cents } } } noted { nodes { note } } }", ada.token
        )
        [paid] = data["paid"]["nodes"]
        assert (paid["totalCents"], paid["paidAt"][:3]) == ({"cents": 2}, "203")
        assert data["noted"]["nodes"] == [{"note": "fragile"}]
