"""The tables, the same on SQLite and PostgreSQL."""

from datetime import UTC, datetime
from typing import ClassVar, Final
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, Index, String, Text, text
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, mapped_column
from sqlalchemy.types import TypeDecorator

REVISION: Final = "0001"
"""The migration that these tables are as of."""

SORTABLE: Final = Text().with_variant(Text(collation="C"), "postgresql")
"""Text that both databases sort by code point, whatever their locale."""


class Moment(TypeDecorator[datetime]):
    """A moment to the microsecond; SQLite knows no time zones, so it is kept in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    @property
    def python_type(self) -> type[datetime]:
        """Say what cursors restore; a decorator doesn't pass on what it decorates says."""
        return datetime

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store in UTC."""
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Answer in UTC."""
        if value is None or dialect.name != "sqlite":
            return value
        return value.replace(tzinfo=UTC)


class Row(MappedAsDataclass, DeclarativeBase):
    """What every table's row is: a dataclass that SQLAlchemy maps."""

    type_annotation_map: ClassVar = {datetime: Moment, str: Text()}


class CustomerRow(Row, kw_only=True):
    """A person with an account."""

    __tablename__ = "customers"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    name_key: Mapped[str] = mapped_column(SORTABLE)
    """The name folded for search and order: casefold of the NFC form."""
    email: Mapped[str]
    email_key: Mapped[str] = mapped_column(SORTABLE, unique=True)
    """The address folded for sign-in, search, order and uniqueness."""
    phone: Mapped[str | None] = mapped_column(default=None)
    password_hash: Mapped[str] = mapped_column(repr=False)
    is_admin: Mapped[bool] = mapped_column(default=False)
    is_active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (
        Index("ix_customers_created_at", "created_at", "id"),
        Index("ix_customers_name_key", "name_key", "id"),
        Index(
            "ix_customers_admins",
            "id",
            sqlite_where=text("is_admin AND is_active"),
            postgresql_where=text("is_admin AND is_active"),
        ),
    )


class SessionRow(Row, kw_only=True):
    """A sign-in, which lives until it ends or expires."""

    __tablename__ = "sessions"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"))
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None] = mapped_column(default=None)
    ip_address: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str | None] = mapped_column(String(300))

    __table_args__ = (Index("ix_sessions_customer_id", "customer_id", "created_at"),)
