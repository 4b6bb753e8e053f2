"""The key of an address's mailbox, and orders that know who is active; `migrate` fills the key."""

import sqlalchemy as sa
from alembic import op

from gql_app.db.migrations.online import create_index, on_postgresql, replace_index

revision = "0005"
down_revision = "0004"

CANONICAL = "ix_customers_email_canonical"
ORDERS = {
    "ix_customers_created_at": ["created_at", "id", "name_key", "email_key", "is_admin"],
    "ix_customers_name_key": ["name_key", "id", "email_key", "created_at", "is_admin"],
}
KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the column and its index, and make the orders' indexes anew, one after the other.

    Locks customers for the moment in which the column is added; indexes are made beside what goes
    on.
    """
    op.add_column(
        "customers", sa.Column("email_canonical", KEY), if_not_exists=on_postgresql() or None
    )
    create_index(CANONICAL, "customers", ["email_canonical"], unique=True)
    for index, columns in ORDERS.items():
        replace_index(index, "customers", [*columns, "is_active"])


def downgrade() -> None:
    """Drop the column, and leave the orders' indexes without who is active."""
    for index, columns in ORDERS.items():
        op.drop_index(index, "customers")
        op.create_index(index, "customers", columns)
    op.drop_index(CANONICAL, "customers")
    op.drop_column("customers", "email_canonical")
