"""Indexes of the orders that hold what filters compare, so that searching walks them alone."""

from alembic import op

revision = "0004"
down_revision = "0003"

CREATED_AT, NAME_KEY = ["created_at", "id"], ["name_key", "id"]
NARROW = "customers_email_key_key"
WIDE = "customers_email_key_id_name_key_created_at_is_admin_key"
"""PostgreSQL's own names for what makes the addresses unique."""


def upgrade() -> None:
    """Make the indexes anew; SQLite's of the addresses is part of its table, and stays."""
    _replace("ix_customers_created_at", [*CREATED_AT, "name_key", "email_key", "is_admin"])
    _replace("ix_customers_name_key", [*NAME_KEY, "email_key", "created_at", "is_admin"])
    _exchange(NARROW, WIDE, "UNIQUE (email_key) INCLUDE (id, name_key, created_at, is_admin)")


def downgrade() -> None:
    """Leave the indexes with their keys alone."""
    _replace("ix_customers_created_at", CREATED_AT)
    _replace("ix_customers_name_key", NAME_KEY)
    _exchange(WIDE, NARROW, "UNIQUE (email_key)")


def _replace(index: str, columns: list[str]) -> None:
    op.drop_index(index, "customers")
    op.create_index(index, "customers", columns)


def _exchange(old: str, new: str, unique: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE customers DROP CONSTRAINT {old}, ADD CONSTRAINT {new} {unique}")
