"""Make the table of orders."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the table, and the indexes by which it is listed."""
    op.create_table(
        "shop_orders",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("total_cents", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], ondelete="CASCADE"),
    )
    columns = ["customer_id", "created_at", "id"]
    op.create_index("ix_shop_orders_customer_id", "shop_orders", columns)
    op.create_index("ix_shop_orders_created_at", "shop_orders", columns[1:])


def downgrade() -> None:
    """Undo it."""
    op.drop_table("shop_orders")
