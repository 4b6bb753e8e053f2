"""The key of an address's mailbox, and orders that know who is active; `migrate` fills the key.

On PostgreSQL customers are read and written meanwhile: each statement commits by itself, and
runs again if an earlier try was broken off.
"""

import time
from typing import Final

import sqlalchemy as sa
from alembic import op

from gql_app.lib.database import Busy

revision = "0005"
down_revision = "0004"

CANONICAL = "ix_customers_email_canonical"
ORDERS = {
    "ix_customers_created_at": ["created_at", "id", "name_key", "email_key", "is_admin"],
    "ix_customers_name_key": ["name_key", "id", "email_key", "created_at", "is_admin"],
}
ADD_COLUMN: Final = """
DO $$ BEGIN
  PERFORM set_config('lock_timeout', '1s', true);
  ALTER TABLE customers ADD COLUMN IF NOT EXISTS email_canonical TEXT COLLATE "C";
END $$
"""
KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the column and its index, and make the orders' indexes anew, one after the other."""
    if op.get_bind().dialect.name == "postgresql":
        with op.get_context().autocommit_block():
            _add_column()
            _make(CANONICAL, "UNIQUE INDEX", ["email_canonical"])
            for index, columns in ORDERS.items():
                _exchange(index, [*columns, "is_active"])
        return
    op.add_column("customers", sa.Column("email_canonical", KEY))
    op.create_index(CANONICAL, "customers", ["email_canonical"], unique=True)
    for index, columns in ORDERS.items():
        op.drop_index(index, "customers")
        op.create_index(index, "customers", [*columns, "is_active"])


def downgrade() -> None:
    """Drop the column, and leave the orders' indexes without who is active."""
    for index, columns in ORDERS.items():
        op.drop_index(index, "customers")
        op.create_index(index, "customers", columns)
    op.drop_index(CANONICAL, "customers")
    op.drop_column("customers", "email_canonical")


def _add_column() -> None:
    """Add it at a moment in which nobody holds a lock; nobody queues behind this for over 1 s."""
    while True:
        try:
            op.execute(ADD_COLUMN)
        except Busy:
            time.sleep(1)
        else:
            return


def _exchange(index: str, columns: list[str]) -> None:
    """Build an index beside the old one, without blocking writes, and give it the old one's name."""
    _make(f"{index}_new", "INDEX", columns)
    op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {index}")
    op.execute(f"ALTER INDEX {index}_new RENAME TO {index}")


def _make(index: str, kind: str, columns: list[str]) -> None:
    """Make an index; of one that was broken off, PostgreSQL keeps what is good for nothing."""
    op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {index}")
    op.execute(f"CREATE {kind} CONCURRENTLY {index} ON customers ({', '.join(columns)})")
