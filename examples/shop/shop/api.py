"""The shop's API: orders beside customers."""

from datetime import datetime
from typing import Self
from uuid import UUID

import strawberry

from gql_app import (
    Customer,
    Feature,
    HasPermission,
    Info,
    IsAuthenticated,
    Payload,
    Role,
    connection,
    create_app,
    extend,
    mutation,
    owned_by,
)
from shop import rules
from shop.tables import OrderRow, OrderStatus

strawberry.enum(OrderStatus)
ORDER_DESK = Role(
    "order_desk", {"customers:read_private", "orders:read", "orders:cancel", "orders:refund"}
)


@strawberry.type
class Order:
    """An order."""

    id: strawberry.ID
    total_cents: int
    status: OrderStatus
    created_at: datetime

    @classmethod
    def of(cls, row: rules.OrderRecord) -> Self:
        """Return an order of what was read."""
        return cls(
            id=strawberry.ID(str(row.id)),
            total_cents=row.total_cents,
            status=OrderStatus(row.status),
            created_at=row.created_at,
        )


@strawberry.type
class OrderPayload(Payload):
    """The order that it was about."""

    order: Order | None = None


@extend(Customer, private=True)
class CustomerOrders(Customer):
    """What the shop knows of a customer."""

    @strawberry.field(description="The newest orders.")
    async def orders(self, info: Info) -> list[Order] | None:
        """Return them, read by one statement for a whole page of customers."""
        return [Order.of(row) for row in await info.context.load(rules.orders_of, UUID(self.id))]


@strawberry.type
class Orders:
    """Reading orders."""

    orders = connection(
        Order,
        OrderRow,
        order_by=["created_at"],
        filters=["status", "created_at"],
        visible=owned_by(OrderRow.customer_id, unless="orders:read"),
        permissions=[IsAuthenticated],
        description="One's own orders; everybody's for the order desk.",
    )


@strawberry.type
class Ordering:
    """Placing orders, and what becomes of them."""

    @mutation(OrderPayload, "Places an order.", IsAuthenticated)
    async def place_order(self, info: Info, total_cents: int) -> OrderPayload | None:
        """Place an order of the caller's."""
        most = info.context.settings_of(rules.ShopSettings).max_order_cents
        row = await info.context.write(rules.place, total_cents, most)
        return OrderPayload.success("Your order is placed.", order=Order.of(row))

    @mutation(OrderPayload, "Cancels an order that has not been shipped.", IsAuthenticated)
    async def cancel_order(self, info: Info, id: UUID) -> OrderPayload | None:
        """Cancel an order."""
        row = await info.context.write(rules.cancel, id)
        return OrderPayload.success("The order is cancelled.", order=Order.of(row))

    @mutation(OrderPayload, "Gives back the money.", HasPermission("orders:refund"))
    async def refund_order(self, info: Info, id: UUID) -> OrderPayload | None:
        """Refund an order."""
        row = await info.context.write(rules.refund, id)
        return OrderPayload.success("The order is refunded.", order=Order.of(row))


shop = Feature(
    "shop",
    queries=[Orders],
    mutations=[Ordering],
    extensions=[CustomerOrders],
    roles=[ORDER_DESK],
    error_codes=["NOT_CANCELLABLE", "NOT_REFUNDABLE"],
    actions=["order:place", "order:cancel", "order:refund"],
    on={"customer:registered": rules.welcome},
    claims=rules.claims,
    password_rules=[rules.no_cash],
    letters=[rules.RECEIPT, rules.GREETING],
    migrations="shop:migrations",
    settings=rules.ShopSettings,
    commands=[rules.revenue],
)
app = create_app(features=[shop])
