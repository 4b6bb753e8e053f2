"""Second factors, how sessions were proven, and sign-ins that wait for their second factor."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from gql_app.db.migrations.online import on_postgresql

revision = "0012"
down_revision = "0011"

_MOMENT = sa.DateTime(timezone=True)
_COLUMNS: dict[str, tuple[tuple[str, Any], ...]] = {
    "customers": (("factors_version", sa.Uuid()),),
    "sessions": (("authenticated_at", _MOMENT), ("methods", sa.Text())),
}
_TABLES = (
    "used_challenges",
    "sign_in_challenges",
    "passkey_users",
    "recovery_codes",
    "code_enrolments",
    "second_factors",
)


def upgrade() -> None:
    """Add columns and tables.

    Servers of the version before know none of these, and sign in by the password alone. Locks
    customers and sessions for the moment in which columns and references are added.
    """
    exists = on_postgresql() or None
    for table, columns in _COLUMNS.items():
        for name, kind in columns:
            op.add_column(table, sa.Column(name, kind), if_not_exists=exists)
    op.create_table(
        "second_factors",
        sa.Column("id", sa.Uuid(), primary_key=True),
        _of_customer(index=True, nullable=False),
        sa.Column("method", sa.String(20), nullable=False),
        sa.Column("name", sa.Text()),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("last_used_at", _MOMENT),
        sa.Column("secret", sa.Text()),
        sa.Column("key_id", sa.String(40), index=True),
        sa.Column("last_step", sa.BigInteger()),
        sa.Column("credential_id", sa.Text(), unique=True),
        sa.Column("public_key", sa.Text()),
        sa.Column("sign_count", sa.BigInteger()),
        sa.Column("transports", sa.JSON()),
        sa.Column("undo_digest", sa.String(64), unique=True),
    )
    op.create_table(
        "code_enrolments",
        _of_customer(primary_key=True),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("key_id", sa.String(40), nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False, index=True),
    )
    op.create_table(
        "recovery_codes",
        _of_customer(primary_key=True),
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("created_at", _MOMENT, nullable=False),
    )
    op.create_table(
        "passkey_users",
        _of_customer(primary_key=True),
        sa.Column("handle", sa.String(86), nullable=False, unique=True),
    )
    op.create_table(
        "sign_in_challenges",
        sa.Column("digest", sa.String(64), primary_key=True),
        _of_customer(index=True, nullable=False),
        sa.Column("methods", sa.Text(), nullable=False),
        sa.Column("audience", sa.Text()),
        sa.Column("issued_on", sa.String(64), nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False, index=True),
    )
    op.create_table(
        "used_challenges",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("expires_at", _MOMENT, nullable=False, index=True),
    )


def downgrade() -> None:
    """Forget all second factors: a password is enough to sign in again."""
    for table in _TABLES:
        op.drop_table(table)
    for table, columns in reversed(_COLUMNS.items()):
        for name, _ in reversed(columns):
            op.drop_column(table, name)


def _of_customer(**options: bool) -> "sa.Column[object]":
    """Return the column that names a customer, whose rows go with them."""
    owner = sa.ForeignKey("customers.id", ondelete="CASCADE")
    return sa.Column("customer_id", sa.Uuid(), owner, **options)  # type: ignore[arg-type]
