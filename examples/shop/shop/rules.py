"""The shop's rules and their SQL."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4

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
    any_of,
    group,
    loader,
)
from shop.tables import OrderRow, OrderStatus

NEWEST = 5
"""Orders that are shown of each customer."""


class ShopSettings(FeatureSettings):
    """What an operator says about the shop: GQL_APP_SHOP_MAX_ORDER_CENTS."""

    max_order_cents: int = Field(default=1_000_000, ge=1)


class OrderRecord(NamedTuple):
    """An order as it is read."""

    id: UUID
    customer_id: UUID
    total_cents: int
    status: str
    created_at: datetime


COLUMNS = [getattr(OrderRow, name) for name in OrderRecord._fields]
_rank = (
    func.row_number()
    .over(
        partition_by=OrderRow.customer_id,
        order_by=(OrderRow.created_at.desc(), OrderRow.id.desc()),
    )
    .label("rank")
)
_ranked = select(*COLUMNS, _rank).where(any_of(OrderRow.customer_id, "ids")).subquery()
NEWEST_ORDERS = Query(
    select(*(_ranked.c[name] for name in OrderRecord._fields))
    .where(_ranked.c.rank <= NEWEST)
    .order_by(_ranked.c.created_at.desc(), _ranked.c.id.desc()),
    OrderRecord._make,
)
COUNT = select(func.count()).where(OrderRow.customer_id == bindparam("customer_id"))
HELD = Query(
    select(*COLUMNS).where(OrderRow.id == bindparam("id")).with_for_update(), OrderRecord._make
)


@loader
async def orders_of(db: Reader, ids: list[UUID]) -> Sequence[list[OrderRecord]]:
    """Return the newest orders of each customer, read by one statement for a whole page."""
    return group(await db.fetch_all(NEWEST_ORDERS, ids=ids), ids, by=lambda row: row.customer_id)


async def place(tx: Transaction, total_cents: int, most: int) -> OrderRecord:
    """Place an order of the caller's. Raises Refused."""
    assert tx.caller is not None
    if not 0 < total_cents <= most:
        raise Refused("INVALID", f"An order is of 1 to {most} cents.", "totalCents")
    order = OrderRecord(
        uuid4(), tx.caller.customer_id, total_cents, OrderStatus.PLACED, datetime.now(UTC)
    )
    await tx.execute(insert(OrderRow).values(order._asdict()))
    await tx.audit("order:place", customer_id=order.customer_id)
    await tx.post(RECEIPT, order.customer_id, order=str(order.id), total_cents=total_cents)
    return order


async def cancel(tx: Transaction, order_id: UUID) -> OrderRecord:
    """Cancel an order of the caller's, or anybody's with orders:cancel. Raises Refused."""
    assert tx.caller is not None
    order = await _held(tx, order_id)
    if order.customer_id != tx.caller.customer_id and "orders:cancel" not in tx.caller.permissions:
        raise Refused("NOT_FOUND", "There is no such order.", "id")
    if order.status != OrderStatus.PLACED:
        raise Refused("NOT_CANCELLABLE", "It has been shipped, or is cancelled already.", "id")
    return await _set(tx, order, OrderStatus.CANCELLED, "order:cancel")


async def refund(tx: Transaction, order_id: UUID) -> OrderRecord:
    """Refund an order that was shipped. Raises Refused."""
    order = await _held(tx, order_id)
    if order.status != OrderStatus.SHIPPED:
        raise Refused("NOT_REFUNDABLE", "Only what was shipped is refunded.", "id")
    return await _set(tx, order, OrderStatus.REFUNDED, "order:refund")


async def _held(tx: Transaction, order_id: UUID) -> OrderRecord:
    order = await tx.fetch_one(HELD, id=order_id)
    if order is None:
        raise Refused("NOT_FOUND", "There is no such order.", "id")
    return order


async def _set(
    tx: Transaction, order: OrderRecord, status: OrderStatus, action: str
) -> OrderRecord:
    await tx.execute(update(OrderRow).where(OrderRow.id == order.id).values(status=status))
    await tx.audit(action, customer_id=order.customer_id, fields=["status"])
    return order._replace(status=status)


def _receipt(data: Mapping[str, Any], person: Person) -> tuple[str, str]:
    euros = data["total_cents"] / 100
    return "Your order", f"Thank you. Your order {data['order']} is placed: {euros:.2f} EUR.\n"


def _greeting(data: Mapping[str, Any], person: Person) -> tuple[str, str]:
    return "Welcome to the shop", "Hello,\n\nyour account is ready. Have a look around.\n"


RECEIPT = Letter("shop_receipt", _receipt)
GREETING = Letter("shop_greeting", _greeting)


async def _greet(tx: Transaction, customer_id: UUID) -> None:
    await tx.post(GREETING, customer_id)


async def welcome(event: CommittedEvent) -> None:
    """Greet who has registered."""
    assert event.customer_id is not None
    await event.write(_greet, event.customer_id)


async def claims(db: Reader, customer: CustomerRecord) -> dict[str, object]:
    """Return what other services are told of a customer in their tokens."""
    [[orders]] = await db.fetch_all(COUNT, customer_id=customer.id)
    return {"shop_orders": orders}


def no_cash(password: str, person: Person) -> None:
    """Refuse passwords about money. Raises Refused."""
    if "money" in password.lower():
        raise Refused("WEAK_PASSWORD", "Leave money out of your password.")


async def _revenue(tx: Transaction) -> int:
    sold = OrderRow.status.in_([OrderStatus.PLACED, OrderStatus.SHIPPED])
    [[cents]] = await tx.fetch_all(select(func.sum(OrderRow.total_cents)).where(sold))
    return int(cents or 0)


def revenue() -> None:
    """Print what was sold."""
    print(f"{gql_app.run(_revenue) / 100:.2f} EUR")
