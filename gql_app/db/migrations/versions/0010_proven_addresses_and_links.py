"""Addresses that are proven or pending, what links are good for, and who waits to be registered."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from gql_app.db.migrations.online import create_index, on_postgresql

revision = "0010"
down_revision = "0009"

_MOMENT = sa.DateTime(timezone=True)
_SORTABLE = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_COLUMNS: dict[str, Any] = {
    "email_verified_at": _MOMENT,
    "pending_email": sa.Text(),
    "locale": sa.String(35),
    "pending_since": _MOMENT,
    "password_changed_at": _MOMENT,
    "invited_at": _MOMENT,
}


def upgrade() -> None:
    """Add columns and tables, and prove the addresses of admins.

    Servers of the version before know none of these, and drop letters of the new kinds. Locks
    customers for the moment in which columns and references are added, and the admins among them
    while they are proven; the index is made beside what goes on.
    """
    for name, kind in _COLUMNS.items():
        op.add_column("customers", sa.Column(name, kind), if_not_exists=on_postgresql() or None)
    create_index(
        "ix_customers_invited",
        "customers",
        ["created_at", "id"],
        sqlite_where=sa.text("invited_at IS NOT NULL"),
        postgresql_where=sa.text("invited_at IS NOT NULL"),
    )
    op.execute("UPDATE customers SET email_verified_at = created_at WHERE is_admin")
    op.create_table(
        "links",
        _of_customer(primary_key=True),
        sa.Column("kind", sa.String(40), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.Column("issued_on", sa.String(64), nullable=False),
    )
    op.create_table(
        "registrations",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("email_canonical", _SORTABLE, nullable=False, index=True),
        sa.Column("phone", sa.Text()),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("locale", sa.String(35)),
        sa.Column("data", sa.JSON()),
        sa.Column("digest", sa.String(64), unique=True),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False, index=True),
    )
    op.create_table(
        "former_emails",
        sa.Column("email_canonical", _SORTABLE, primary_key=True),
        _of_customer(index=True, nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("changed_since", _MOMENT, nullable=False),
        sa.Column("digest", sa.String(64), unique=True),
        sa.Column("held_until", _MOMENT, nullable=False, index=True),
    )


def downgrade() -> None:
    """Forget who has proven an address; changes that are pending never happen."""
    for table in ("former_emails", "registrations", "links"):
        op.drop_table(table)
    op.drop_index("ix_customers_invited", "customers")
    for name in reversed(_COLUMNS):
        op.drop_column("customers", name)


def _of_customer(**options: bool) -> "sa.Column[object]":
    """Return the column that names a customer, whose rows go with them."""
    owner = sa.ForeignKey("customers.id", ondelete="CASCADE")
    return sa.Column("customer_id", sa.Uuid(), owner, **options)  # type: ignore[arg-type]
