"""Visibility: what of a customer is for whose eyes, in SQL and in Python alike."""

from typing import Any, Final

from sqlalchemy import ColumnElement, FromClause, bindparam, case, or_

from gql_app.accounts.records import CustomerRecord, roles_of
from gql_app.db.tables import CustomerRow

PRIVATE: Final = frozenset(
    {
        *("email", "email_key", "email_canonical", "phone", "password_hash", "is_active", "roles"),
        *("email_verified_at", "pending_email", "locale", "factors_version"),
    }
)
"""Columns that are for the customer themself, and for who may read what is private."""
MASK: Final[dict[str, Any]] = {n: None for n in CustomerRecord._fields if n in PRIVATE}
"""What a record has instead for others."""


def visible() -> ColumnElement[bool]:
    """Return the condition that anybody may see a customer: active ones, and the caller.

    Most are, so that no index is to find them: of a bare OR, PostgreSQL would look each side up.
    """
    itself = CustomerRow.id == bindparam("caller_id")
    return or_(CustomerRow.is_active.is_(True), itself).is_(True)


def column(name: str, rows: FromClause = CustomerRow.__table__) -> ColumnElement[Any]:
    """Return a column of customers, as it is."""
    return roles_of(rows) if name == "roles" else rows.c[name]


def masked(name: str, rows: FromClause = CustomerRow.__table__) -> ColumnElement[Any]:
    """Return a column, with null for what is private but in the caller's own row."""
    whole = column(name, rows)
    return case((rows.c.id == bindparam("caller_id"), whole)) if name in PRIVATE else whole
