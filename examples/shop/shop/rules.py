"""The shop's rules and their SQL."""

from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from pydantic import Field
from sqlalchemy import bindparam, func, insert, select, update

import gql_app
from gql_app import (
    CommittedEvent,
    CustomerRecord,
    FeatureSettings,
    Letter,
    Person,
    Query,
    Reader,
    Refused,
    Transaction,
    new_id,
    parse_id,
)
from shop.tables import OrderRow, OrderStatus


class ShopSettings(FeatureSettings):
    """The shop's settings: GQL_APP_SHOP_MAX_ORDER_CENTS."""

    max_order_cents: int = Field(default=1_000_000, ge=1)


class OrderRecord(NamedTuple):
    """An order, as read from the database."""

    id: UUID
    customer_id: UUID
    total_cents: int
    status: str
    created_at: datetime


COLUMNS = [getattr(OrderRow, name) for name in OrderRecord._fields]
BY_ID = select(*COLUMNS).where(OrderRow.id == bindparam("order_id")).with_for_update()
COUNT = select(func.count()).where(OrderRow.customer_id == bindparam("customer_id"))


async def place(tx: Transaction, total_cents: int) -> OrderRecord:
    """Place an order for the caller. Raises Refused."""
    most, me = tx.settings_of(ShopSettings).max_order_cents, tx.me.customer_id
    if not 0 < total_cents <= most:
        raise Refused("INVALID", f"An order is of 1 to {most} cents.", "total_cents")
    order = OrderRecord(new_id(), me, total_cents, OrderStatus.PLACED, datetime.now(UTC))
    await tx.execute(insert(OrderRow), **order._asdict())
    await tx.audit("order:place", customer_id=me)
    return order


async def cancel(tx: Transaction, order_id: str) -> OrderRecord:
    """Cancel the caller's order, or with orders:cancel any order. Raises Refused."""
    order = await _locked(tx, order_id)
    if order.customer_id != tx.me.customer_id and "orders:cancel" not in tx.me.permissions:
        raise Refused("NOT_FOUND", "There is no such order.", "id")
    if order.status != OrderStatus.PLACED:
        raise Refused("NOT_CANCELLABLE", "It has been shipped, or is cancelled already.", "id")
    return await _set(tx, order, OrderStatus.CANCELLED, "order:cancel")


async def refund(tx: Transaction, order_id: str) -> OrderRecord:
    """Refund a shipped order. Raises Refused."""
    order = await _locked(tx, order_id)
    if order.status != OrderStatus.SHIPPED:
        raise Refused("NOT_REFUNDABLE", "Only what was shipped can be refunded.", "id")
    return await _set(tx, order, OrderStatus.REFUNDED, "order:refund")


async def _locked(tx: Transaction, order_id: str) -> OrderRecord:
    order = await tx.fetch_one(Query(BY_ID, OrderRecord._make), order_id=parse_id(order_id))
    if order is None:
        raise Refused("NOT_FOUND", "There is no such order.", "id")
    return order


async def _set(tx: Transaction, order: OrderRecord, status: OrderStatus, what: str) -> OrderRecord:
    await tx.execute(update(OrderRow).where(OrderRow.id == order.id).values(status=status))
    await tx.audit(what, customer_id=order.customer_id, fields=["status"])
    return order._replace(status=status)


async def _ship(tx: Transaction, order_id: str) -> OrderRecord:
    return await _set(tx, await _locked(tx, order_id), OrderStatus.SHIPPED, "order:ship")


def ship(order: str) -> None:
    """Mark an order as shipped."""
    print(f"Order {gql_app.run(_ship, order).id} is on its way.")


async def welcome(event: CommittedEvent) -> None:
    """Greet a customer who has registered."""
    if event.customer_id:
        await event.write(Transaction.post, GREETING, event.customer_id)


async def claims(db: Reader, customer: CustomerRecord) -> dict[str, object]:
    """Return the claims of a customer's access tokens."""
    [count] = await db.fetch_one(COUNT, customer_id=customer.id)
    return {"shop_orders": count}


def not_about_the_shop(password: str, _customer: Person) -> None:
    """Raise Refused if a password has the shop's name in it."""
    if "shop" in password.lower():
        raise Refused("WEAK_PASSWORD", "Leave the shop's name out of it.")


def _greeting(_data: object, _customer: Person) -> tuple[str, str]:
    return "Welcome to the shop", "Hello,\n\nyour account is ready.\n"


GREETING = Letter("shop_greeting", _greeting)
