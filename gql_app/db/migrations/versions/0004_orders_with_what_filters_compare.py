"""Indexes of the orders that hold what filters compare, so that searching walks them alone."""

from alembic import op

from gql_app.db.migrations.online import create_index, on_postgresql, replace_index

revision = "0004"
down_revision = "0003"

CREATED_AT, NAME_KEY = ["created_at", "id"], ["name_key", "id"]
NARROW = "customers_email_key_key"
WIDE = "customers_email_key_id_name_key_created_at_is_admin_key"
"""PostgreSQL's own names for what makes the addresses unique."""
HELD = ("id", "name_key", "created_at", "is_admin")


def upgrade() -> None:
    """Make the indexes anew; SQLite's of the addresses is part of its table, and stays.

    Locks customers for the moment in which one unique index takes the place of another; both are
    made beside what goes on.
    """
    replace_index("ix_customers_created_at", "customers", [*CREATED_AT, *_others(CREATED_AT)])
    replace_index("ix_customers_name_key", "customers", [*NAME_KEY, *_others(NAME_KEY)])
    _exchange(NARROW, WIDE, HELD)


def downgrade() -> None:
    """Leave the indexes with their keys alone."""
    replace_index("ix_customers_created_at", "customers", CREATED_AT)
    replace_index("ix_customers_name_key", "customers", NAME_KEY)
    _exchange(WIDE, NARROW, ())


def _others(order: list[str]) -> list[str]:
    """Return what filters compare and an order does not hold."""
    return [
        each for each in ("name_key", "email_key", "created_at", "is_admin") if each not in order
    ]


def _exchange(old: str, new: str, held: tuple[str, ...]) -> None:
    if not on_postgresql():
        return
    create_index(f"{new}_new", "customers", ["email_key"], unique=True, postgresql_include=held)
    op.execute(f"ALTER TABLE customers DROP CONSTRAINT IF EXISTS {new}")
    op.execute(
        f"ALTER TABLE customers DROP CONSTRAINT IF EXISTS {old},"
        f" ADD CONSTRAINT {new} UNIQUE USING INDEX {new}_new"
    )
