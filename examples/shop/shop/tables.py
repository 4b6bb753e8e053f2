"""The shop's table."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import strawberry
from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from gql_app import Table


@strawberry.enum
class OrderStatus(StrEnum):
    """The state of an order."""

    PLACED = "PLACED"
    SHIPPED = "SHIPPED"
    CANCELLED = "CANCELLED"
    REFUNDED = "REFUNDED"


class OrderRow(Table):
    """An order, which is deleted with its customer."""

    __tablename__ = "shop_orders"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"))
    total_cents: Mapped[int]
    status: Mapped[str]
    created_at: Mapped[datetime]

    __table_args__ = (
        Index("ix_shop_orders_customer_id", "customer_id", "created_at", "id"),
        Index("ix_shop_orders_created_at", "created_at", "id"),
    )
