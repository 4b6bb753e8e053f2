"""The shop's API: orders of customers."""

from datetime import datetime

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
    nested,
    node_of,
    owned_by,
)
from shop import rules
from shop.tables import OrderRow, OrderStatus

ORDER_DESK = Role("order_desk", {"customers:read_private", "orders:read", "orders:refund"})


@strawberry.type
class Order:
    """An order."""

    id: strawberry.ID
    total_cents: int
    status: OrderStatus
    created_at: datetime


@extend(Customer, private=True)
class CustomerOrders(Customer):
    """What the shop knows of a customer."""

    orders = nested(Order, OrderRow, by=OrderRow.customer_id, order_by="created_at", limit=5)


@strawberry.type
class Orders:
    """Reading orders."""

    orders = connection(
        Order,
        OrderRow,
        order_by=["created_at"],
        filters=["status", "created_at"],
        visible=owned_by(OrderRow.customer_id, unless="orders:read"),
    )


@strawberry.type
class OrderPayload(Payload):
    """The order concerned."""

    order: Order | None = None


@strawberry.type
class Ordering:
    """Placing orders, and what becomes of them."""

    @mutation(OrderPayload, "Places an order.", IsAuthenticated)
    async def place_order(self, info: Info, total_cents: int) -> OrderPayload | None:
        """Place an order of the caller's."""
        row = await info.context.write(rules.place, total_cents)
        return OrderPayload.success("The order is placed.", order=node_of(Order, row))

    @mutation(OrderPayload, "Cancels an order that has not been shipped.", IsAuthenticated)
    async def cancel_order(self, info: Info, id: strawberry.ID) -> OrderPayload | None:
        """Cancel an order."""
        row = await info.context.write(rules.cancel, id)
        return OrderPayload.success("The order is cancelled.", order=node_of(Order, row))

    @mutation(OrderPayload, "Refunds an order that was shipped.", HasPermission("orders:refund"))
    async def refund_order(self, info: Info, id: strawberry.ID) -> OrderPayload | None:
        """Refund an order."""
        row = await info.context.write(rules.refund, id)
        return OrderPayload.success("The order is refunded.", order=node_of(Order, row))


shop = Feature(
    "shop",
    queries=[Orders],
    mutations=[Ordering],
    extensions=[CustomerOrders],
    roles=[ORDER_DESK],
    error_codes=["NOT_CANCELLABLE", "NOT_REFUNDABLE"],
    actions=["order:place", "order:cancel", "order:refund", "order:ship"],
    on={"customer:registered": rules.welcome},
    claims=rules.claims,
    password_rules=[rules.not_about_the_shop],
    letters=[rules.GREETING],
    migrations="shop:migrations",
    settings=rules.ShopSettings,
    commands=[rules.ship],
)
app = create_app(features=[shop])
