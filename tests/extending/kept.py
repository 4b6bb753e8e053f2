"""Tables of a feature whose rows may keep a customer from being deleted."""

from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from gql_app import Table


class NoteRow(Table):
    """A row that refers to customers in each way."""

    __tablename__ = "kept_notes"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    writer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"))
    editor_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id", ondelete="SET NULL"))
    printer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id", ondelete="RESTRICT"))
    reader_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"))
    critic_id: Mapped[UUID | None] = mapped_column(ForeignKey("customers.id", ondelete="SET NULL"))


class OrderRow(Table):
    """A row that is deleted with a customer."""

    __tablename__ = "kept_orders"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"))
    before_id: Mapped[UUID | None] = mapped_column(ForeignKey("kept_orders.id"))


class LineRow(Table):
    """A row that keeps such a row."""

    __tablename__ = "kept_lines"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    order_id: Mapped[UUID] = mapped_column(ForeignKey(OrderRow.id))


class ParcelRow(Table):
    """A row that goes with such a row."""

    __tablename__ = "kept_parcels"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("kept_orders.id", ondelete="cascade"))


class StampRow(Table):
    """A row that keeps a row which goes with such a row, unless that has none."""

    __tablename__ = "kept_stamps"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    parcel_id: Mapped[UUID | None] = mapped_column(ForeignKey("kept_parcels.id"))
    note_id: Mapped[UUID | None] = mapped_column(ForeignKey("kept_notes.id", ondelete="SET NULL"))
