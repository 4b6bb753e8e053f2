"""A small shop, as a builder would write it, with one example of each addition."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

import strawberry
from sqlalchemy import Text, bindparam, func, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gql_app.accounts.records import Person
from gql_app.db.tables import CustomerRow
from gql_app.errors import Refused
from gql_app.extending.connections import connection
from gql_app.extending.context import Info
from gql_app.extending.extend import extend
from gql_app.extending.feature import Feature
from gql_app.extending.hooks import CommittedEvent, Event
from gql_app.extending.letters import Letter
from gql_app.extending.loaders import loader
from gql_app.extending.mutations import mutation
from gql_app.extending.permissions import HasPermission
from gql_app.extending.transaction import Transaction
from gql_app.extending.visibility import owned_by
from gql_app.lib import clock
from gql_app.lib.batching import group
from gql_app.lib.clock import new_id, parse_id
from gql_app.lib.database import Moment, Query, Reader, any_of, insert_row, upsert
from gql_app.schema.administration import UpdateCustomerInput
from gql_app.schema.authentication import LoginPayload, RegisterInput
from gql_app.schema.customers import Customer
from gql_app.schema.payloads import Payload
from gql_app.schema.permissions import IsAuthenticated
from gql_app.schema.profile import UpdateMeInput
from gql_app.schema.sessions import Session

NEWEST = 5
"""The most orders shown of each customer."""


class Base(DeclarativeBase):
    """The base of the shop's tables."""

    type_annotation_map: ClassVar = {datetime: Moment, str: Text()}


class OrderRow(Base):
    """An order."""

    __tablename__ = "shop_orders"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(index=True)
    total_cents: Mapped[int]
    is_gift: Mapped[bool] = mapped_column(default=False)
    status: Mapped[str]
    note: Mapped[str | None]
    created_at: Mapped[datetime]
    paid_at: Mapped[datetime | None]


class CompanyRow(Base):
    """The company of a customer."""

    __tablename__ = "shop_companies"

    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    company: Mapped[str]


@strawberry.enum
class OrderStatus(StrEnum):
    """The state of an order."""

    PLACED = "placed"
    SHIPPED = "shipped"
    CANCELLED = "cancelled"


class OrderRecord(NamedTuple):
    """An order as a statement returns it."""

    id: UUID
    customer_id: UUID
    total_cents: int
    status: str
    created_at: datetime


@strawberry.type
class Order:
    """An order."""

    customer_id: strawberry.Private[UUID]
    id: strawberry.ID
    total_cents: int
    is_gift: bool = False
    status: OrderStatus
    note: str | None = None
    created_at: datetime
    paid_at: datetime | None = None

    @strawberry.field
    def label(self) -> str:
        """Return the parcel's label, made of columns that the query doesn't select."""
        return f"{self.status.value} {self.total_cents} {self.created_at:%Y} {self.customer_id}"

    @classmethod
    def of(cls, row: OrderRecord) -> "Order":
        """Return an order as a type of the schema."""
        return cls(**row._replace(id=str(row.id), status=OrderStatus(row.status))._asdict())  # type: ignore[arg-type]


COLUMNS = [OrderRow.__table__.c[name] for name in OrderRecord._fields]
PLACE = func.row_number().over(
    partition_by=OrderRow.customer_id, order_by=(OrderRow.created_at.desc(), OrderRow.id.desc())
)
RANKED = (
    select(*COLUMNS, PLACE.label("place")).where(any_of(OrderRow.customer_id, "ids")).subquery()
)
NEWEST_ORDERS = Query(
    select(*(RANKED.c[name] for name in OrderRecord._fields))
    .where(RANKED.c.place <= NEWEST)
    .order_by(RANKED.c.created_at.desc(), RANKED.c.id.desc()),
    OrderRecord._make,
)
COMPANIES = select(CompanyRow.customer_id, CompanyRow.company).where(
    any_of(CompanyRow.customer_id, "ids")
)
INSERT_ORDER = insert_row(OrderRow)
SAVE_COMPANY = upsert(CompanyRow)


@loader
async def orders_of(db: Reader, customer_ids: list[UUID]) -> list[list[OrderRecord]]:
    """Return the newest orders of each customer."""
    rows = await db.fetch_all(NEWEST_ORDERS, ids=customer_ids)
    return group(rows, customer_ids, by=lambda row: row.customer_id)


@loader
async def company_of(db: Reader, customer_ids: list[UUID]) -> Mapping[UUID, str]:
    """Return the companies of those customers who have one."""
    return {row.customer_id: row.company for row in await db.fetch_all(COMPANIES, ids=customer_ids)}


@extend(Customer, private=True)
class CustomerOrders(Customer):
    """The shop's private fields of a customer."""

    @strawberry.field(description="The newest first.")
    async def orders(self, info: Info) -> list[Order] | None:
        """Return their newest orders."""
        rows = await info.context.load(orders_of, self.id)
        return [Order.of(row) for row in rows]

    @strawberry.field
    def initials(self) -> str | None:
        """Return the initials of the name."""
        return "".join(word[0] for word in self.name.split())


@extend(Customer)
class CustomerCompany(Customer):
    """The shop's public fields of a customer."""

    @strawberry.field
    async def company(self, info: Info) -> str | None:
        """Return the customer's company."""
        return await info.context.load(company_of, self.id)

    @strawberry.field
    def age(self) -> str:
        """Return the account's age, by a column that the query doesn't select."""
        return f"since {self.created_at:%Y}, seen by {self.caller.customer_id}"


@extend(Session)
class SessionLabel(Session):
    """The shop's field of a session."""

    @strawberry.field
    def label(self) -> str:
        """Return a label."""
        return f"session of {self.created_at:%Y}"


@extend(LoginPayload)
class LoginHint(LoginPayload):
    """The shop's field of a sign-in's payload."""

    @strawberry.field
    def hint(self) -> str | None:
        """Return a greeting."""
        return f"Hello, {self.who[1].name}" if self.who else None


@extend(RegisterInput, UpdateMeInput, UpdateCustomerInput)
class CompanyInput:
    """The company that a customer works for, as an input."""

    company: str | None = strawberry.UNSET

    @staticmethod
    async def check_company(value: str | None) -> str | None:
        """Return the company's name. Raises Refused."""
        if value == "Evil Ltd":
            code, message = "NOT_SERVED", "We don't serve this company."
            raise Refused(code, message)
        return value and value.strip()

    @staticmethod
    async def save(tx: Transaction, customer_id: UUID, values: Mapping[str, Any]) -> None:
        """Save the company, and write an audit record."""
        if values["company"] == "Broken":
            raise Refused("NOT_SERVED", "It broke.", "company")
        await tx.execute(SAVE_COMPANY, customer_id=customer_id, company=values["company"])
        await tx.audit("company:change", customer_id=customer_id, fields=["company"])


@strawberry.type
class Orders:
    """The queries of orders."""

    orders = connection(
        Order,
        OrderRow,
        order_by=["created_at", "total_cents"],
        filters=["status", "created_at", "is_gift", "total_cents", "id", "note"],
        visible=owned_by(OrderRow.customer_id, unless="orders:read"),
    )

    @strawberry.field
    async def shop_name(self) -> str:
        """Return the shop's name."""
        return "The shop"


@strawberry.type
class OrderPayload(Payload):
    """An order that was placed."""

    order: Order | None = None


async def place(tx: Transaction, total_cents: int) -> OrderRecord:
    """Place an order for the caller. Raises Refused."""
    assert tx.caller is not None
    if total_cents < 0:
        raise Refused("NOT_PAYABLE", "It costs less than nothing.", "total_cents")
    if total_cents == 0:
        raise Refused("UNKNOWN_HERE", "Nobody has declared this.")
    order = OrderRecord(new_id(), tx.caller.customer_id, total_cents, "placed", clock.now())
    await tx.execute(INSERT_ORDER, **order._asdict())
    await tx.audit("order:place", customer_id=order.customer_id)
    await tx.post(RECEIPT, order.customer_id, total=total_cents)
    return order


async def cancel(tx: Transaction, id: str) -> Order:
    """Cancel an order of the caller. Raises Refused."""
    assert tx.caller is not None
    row = await tx.fetch_one(
        select(*COLUMNS).where(OrderRow.id == bindparam("id")).with_for_update(), id=parse_id(id)
    )
    if row is None or row.customer_id != tx.caller.customer_id:
        raise Refused("NOT_FOUND", "There is no such order.", "id")
    if row.status != "placed":
        raise Refused("NOT_CANCELLABLE", "It has been shipped.")
    cancelled = update(OrderRow).where(OrderRow.id == bindparam("order_id"))
    await tx.execute(cancelled.values(status="cancelled"), order_id=row.id)
    await tx.audit("order:cancel", customer_id=row.customer_id, fields=["status"])
    return Order.of(OrderRecord(*row)._replace(status="cancelled"))


async def count_customers(tx: Transaction) -> str:
    """Return the number of customers, and the caller."""
    count = await tx.fetch_one(select(func.count()).select_from(CustomerRow))
    return f"{count[0]} {tx.caller and tx.caller.customer_id}"


@strawberry.type
class Ordering:
    """The mutations of orders."""

    @mutation(OrderPayload, "Places an order.", IsAuthenticated)
    async def place_order(self, info: Info, total_cents: int) -> OrderPayload | None:
        """Place an order."""
        placed = await info.context.write(place, total_cents)
        return OrderPayload.success("It is placed.", order=Order.of(placed))

    @strawberry.mutation(permission_classes=[IsAuthenticated])
    async def cancel_order(self, info: Info, id: strawberry.ID) -> Order | None:
        """Cancel an order."""
        return await info.context.write(cancel, id)

    @strawberry.mutation(permission_classes=[HasPermission("orders:ship")])
    async def place_as_admin(self, info: Info) -> str | None:
        """Place an order, for admins only."""
        return str((await info.context.write(place, 5)).total_cents)

    @strawberry.mutation
    async def count(self, info: Info) -> str:
        """Count customers, without permissions."""
        return await info.context.write(count_customers)

    @strawberry.mutation
    async def misspell(self, info: Info) -> str | None:
        """Raise Refused with an undeclared code."""
        code, message = "MISSPELT", "Not known."
        raise Refused(code, message)


def write_receipt(data: Mapping[str, Any], customer: Person) -> tuple[str, str]:
    """Return a receipt. Raises ValueError for a total of 13, CancelledError for one of 17."""
    if data["total"] == 17:
        raise asyncio.CancelledError
    if data["total"] == 13:
        message = "unlucky"
        raise ValueError(message)
    return "Your order", f"Dear {customer.name}, it costs {data['total']}."


RECEIPT = Letter("shop_receipt", write_receipt)
happened: list[CommittedEvent] = []
"""The events that hooks have received; tests empty it."""


async def note(event: CommittedEvent) -> None:
    """Record an event."""
    happened.append(event)


async def welcome(event: CommittedEvent) -> None:
    """Place a free order for a registered customer. Raises RuntimeError for the name Faulty."""
    happened.append(event)
    [row] = await event.fetch_all(
        select(CustomerRow.name).where(CustomerRow.id == bindparam("id")), id=event.customer_id
    )
    if row.name == "Faulty":
        message = "this hook fails"
        raise RuntimeError(message)

    async def give(tx: Transaction) -> None:
        assert tx.caller is None
        await tx.execute(
            INSERT_ORDER,
            id=new_id(),
            customer_id=event.customer_id,
            total_cents=0,
            status="placed",
            created_at=clock.now(),
        )
        await tx.audit("order:place", customer_id=event.customer_id)

    await event.write(give)


async def keep_name(tx: Transaction, event: Event) -> None:
    """Refuse a name, in the transaction that has stored it."""
    query = select(CustomerRow.name).where(CustomerRow.id == bindparam("id"))
    row = await tx.fetch_one(query, id=event.customer_id)
    if row.name == "Forbidden":
        raise Refused("NOT_SERVED", "Not by this name.", "name")


async def not_pwned(password: str, customer: Person) -> None:
    """Refuse a password, as a rule with a list of breached ones would."""
    if "correct horse" in password or customer.email.startswith("strict"):
        raise Refused("PWNED", "This password has been seen elsewhere.")


def not_the_shop(password: str, _customer: Person) -> None:
    """Refuse a password about shopping, with an error of a field that isn't the password's."""
    if "shopping" in password:
        raise Refused("PWNED", "Not about shops.", "elsewhere")


SHOP = Feature(
    "shop",
    queries=[Orders],
    mutations=[Ordering],
    extensions=[CustomerOrders, CustomerCompany, SessionLabel, LoginHint, CompanyInput],
    error_codes=["NOT_CANCELLABLE", "NOT_PAYABLE", "NOT_SERVED", "PWNED"],
    actions=["order:place", "order:cancel", "company:change"],
    on={
        "customer:registered": welcome,
        "customer:updated": note,
        "order:place": note,
        "order:cancel": note,
    },
    within={"customer:registered": keep_name, "customer:updated": keep_name},
    password_rules=[not_pwned, not_the_shop],
    letters=[RECEIPT],
)
