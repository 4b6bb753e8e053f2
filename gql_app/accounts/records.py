"""Records: rows as they are read, as immutable tuples, and which of them a caller may read.

The tables are in db/tables.py.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Text,
    bindparam,
    case,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy.orm import InstrumentedAttribute

from gql_app.accounts.permissions import ADMIN
from gql_app.db.tables import CustomerRoleRow, CustomerRow, Row, SessionRow
from gql_app.lib.database import EitherDialect
from gql_app.lib.pagination import VisibleColumn

PRIVATE: Final = frozenset(
    {
        *("email", "email_key", "email_canonical", "phone", "password_hash", "is_active", "roles"),
        *("email_verified_at", "pending_email", "locale", "factors_version"),
    }
)
"""Columns that only the customer themself and callers with READ_PRIVATE may read."""


class Person(NamedTuple):
    """A customer, registered or about to be, as features get to know them."""

    name: str
    email: str
    id: UUID | None = None
    """None before they are registered."""


class CustomerRecord(NamedTuple):
    """A customer."""

    id: UUID
    name: str
    email: str
    phone: str | None
    password_hash: str
    is_admin: bool
    is_active: bool
    created_at: datetime
    updated_at: datetime
    email_verified_at: datetime | None = None
    pending_email: str | None = None
    locale: str | None = None
    factors_version: UUID | None = None
    """Changes with the second factors; None without any, so that signing in takes none."""
    roles: str = ""
    """The names of the roles, that of an admin first, with blanks between them."""

    @property
    def has_password(self) -> bool:
        """Whether there is a password to sign in with."""
        return bool(self.password_hash)

    @property
    def person(self) -> Person:
        """The customer, as features get to know them."""
        return Person(self.name, self.email, self.id)

    def __repr__(self) -> str:
        """Return the id alone: logs hold no hash."""
        return f"CustomerRecord({self.id})"


class SessionRecord(NamedTuple):
    """A session."""

    id: UUID
    customer_id: UUID
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    ip_address: str | None
    user_agent: str | None
    audience: str | None
    wrote_at: datetime | None
    authenticated_at: datetime
    """The time of the customer's last proof of identity."""
    methods: str | None = None
    """The methods of its proof, as in proofs.py; None if the version before opened it."""


class AuditRecord(NamedTuple):
    """An event of the audit."""

    id: UUID
    at: datetime
    action: str
    actor_id: UUID | None
    customer_id: UUID | None
    fields: list[str]
    ip_address: str | None
    user_agent: str | None


def columns(table: type[Row], names: Iterable[str]) -> list[InstrumentedAttribute[Any]]:
    """Return a table's columns of these names, in this order."""
    return [getattr(table, name) for name in names]


def roles_of(customers: FromClause = CustomerRow.__table__) -> ColumnElement[str]:
    """Return the column of a customer's roles, in the format of CustomerRecord.roles."""
    theirs = select(CustomerRoleRow.role).where(CustomerRoleRow.customer_id == customers.c.id)
    ordered = theirs.order_by(CustomerRoleRow.role).correlate(customers)
    others = EitherDialect(
        select(func.group_concat(ordered.subquery().c.role, _BLANK)).scalar_subquery(),
        # string_agg would sort even rows that an index has in order, or no rows at all
        func.array_to_string(func.array(ordered.scalar_subquery()), _BLANK),
    )
    admin = case((customers.c.is_admin, literal_column(f"'{ADMIN} '", Text())), else_=_BLANK)
    return func.trim(admin + func.coalesce(others, _BLANK), type_=Text()).label("roles")


def has_address(customers: FromClause = CustomerRow.__table__) -> ColumnElement[bool]:
    """Return the condition that either key is that of an address; the address itself decides."""
    return or_(
        customers.c.email_canonical == bindparam("key", type_=Text()),
        customers.c.email_key == bindparam("former_key", type_=Text()),
    )


def visible() -> ColumnElement[bool]:
    """Return the condition that every caller may see a customer: one who is active, or the caller.

    Most rows match, so that no index is to serve it, as PostgreSQL would use for a bare OR.
    """
    itself = CustomerRow.id == bindparam("caller_id")
    return or_(CustomerRow.is_active.is_(True), itself).is_(True)


def customer_column(name: str, rows: FromClause = CustomerRow.__table__) -> ColumnElement[Any]:
    """Return a column of customers, as it is."""
    return roles_of(rows) if name == "roles" else rows.c[name]


def masked(
    name: str, rows: FromClause = CustomerRow.__table__, shown: VisibleColumn = customer_column
) -> ColumnElement[Any]:
    """Return a column as it is shown, with null for private ones except in the caller's own row."""
    whole = shown(name, rows)
    return case((rows.c.id == bindparam("caller_id"), whole)) if name in PRIVATE else whole


_BLANK: Final[ColumnElement[str]] = literal_column("' '", Text())
CUSTOMER: Final = [
    *columns(CustomerRow, [name for name in CustomerRecord._fields if name != "roles"]),
    roles_of(),
]
"""The columns of a CustomerRecord."""
MASK: Final[dict[str, Any]] = {n: None for n in CustomerRecord._fields if n in PRIVATE}
"""The values of private columns in a record for other callers."""
_PROVEN_AT: Final = func.coalesce(SessionRow.authenticated_at, SessionRow.created_at)
SESSION: Final[Sequence[Any]] = [
    _PROVEN_AT if column.key == "authenticated_at" else column
    for column in columns(SessionRow, SessionRecord._fields)
]
"""The columns of a SessionRecord; the version before wrote no time of the first proof."""
