"""The market's tables."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from gql_app import Table


class StallRow(Table):
    """A stall, which belongs to a customer."""

    __tablename__ = "market_stalls"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(
        ForeignKey("customers.id", ondelete="CASCADE"), index=True
    )
    name: Mapped[str]
    rent_cents: Mapped[int] = mapped_column(server_default="0")
    opened_at: Mapped[datetime]
