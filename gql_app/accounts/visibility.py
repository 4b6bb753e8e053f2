"""Visibility: which customers and columns a caller may read, in SQL and in Python."""

from typing import Any, Final

from sqlalchemy import ColumnElement, FromClause, bindparam, case, or_

from gql_app.accounts.records import CustomerRecord, roles_of
from gql_app.db.tables import CustomerRow
from gql_app.lib.pagination import VisibleColumn

PRIVATE: Final = frozenset(
    {
        *("email", "email_key", "email_canonical", "phone", "password_hash", "is_active", "roles"),
        *("email_verified_at", "pending_email", "locale", "factors_version"),
    }
)
"""Columns that only the customer themself and callers with READ_PRIVATE may read."""
MASK: Final[dict[str, Any]] = {n: None for n in CustomerRecord._fields if n in PRIVATE}
"""The values of these columns in a record for other callers."""


def visible() -> ColumnElement[bool]:
    """Return the condition that every caller may see a customer: one who is active, or the caller.

    Most rows match, so that no index is to serve it, as PostgreSQL would use for a bare OR.
    """
    itself = CustomerRow.id == bindparam("caller_id")
    return or_(CustomerRow.is_active.is_(True), itself).is_(True)


def column(name: str, rows: FromClause = CustomerRow.__table__) -> ColumnElement[Any]:
    """Return a column of customers, as it is."""
    return roles_of(rows) if name == "roles" else rows.c[name]


def masked(
    name: str, rows: FromClause = CustomerRow.__table__, shown: VisibleColumn = column
) -> ColumnElement[Any]:
    """Return a column as it is shown, with null for private ones except in the caller's own row."""
    whole = shown(name, rows)
    return case((rows.c.id == bindparam("caller_id"), whole)) if name in PRIVATE else whole
