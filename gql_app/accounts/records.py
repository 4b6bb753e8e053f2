"""Records: rows as they are read, light and unchangeable; those of tables.py are to write."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

from sqlalchemy.orm import InstrumentedAttribute

from gql_app.db.tables import CustomerRow, Row, SessionRow


class CustomerRecord(NamedTuple):
    """A customer, as read."""

    id: UUID
    name: str
    email: str
    phone: str | None
    password_hash: str
    is_admin: bool
    is_active: bool
    created_at: datetime
    updated_at: datetime

    def __repr__(self) -> str:
        """Keep the hash out of logs."""
        return f"CustomerRecord({self.id})"


class SessionRecord(NamedTuple):
    """A session, as read."""

    id: UUID
    customer_id: UUID
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    ip_address: str | None
    user_agent: str | None


class AuditRecord(NamedTuple):
    """Something that happened, as read."""

    id: UUID
    at: datetime
    action: str
    actor_id: UUID | None
    customer_id: UUID | None
    fields: list[str]
    ip_address: str | None
    user_agent: str | None


AnyCustomer: TypeAlias = CustomerRow | CustomerRecord
AnySession: TypeAlias = SessionRow | SessionRecord


def columns(entity: type[Row], names: Iterable[str]) -> list[InstrumentedAttribute[Any]]:
    """Name a table's columns, in this order."""
    return [getattr(entity, name) for name in names]
