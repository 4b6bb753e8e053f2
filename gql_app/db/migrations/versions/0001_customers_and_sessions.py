"""Customers, and the sessions they sign in to."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)
SORTABLE = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
ADMINS = sa.text("is_admin AND is_active")


def upgrade() -> None:
    """Make the tables and every index that an order of customers walks. Locks nothing."""
    op.create_table(
        "customers",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", SORTABLE, nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("email_key", SORTABLE, nullable=False, unique=True),
        sa.Column("phone", sa.Text()),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("is_admin", sa.Boolean(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
    )
    op.create_index("ix_customers_created_at", "customers", ["created_at", "id"])
    op.create_index("ix_customers_name_key", "customers", ["name_key", "id"])
    op.create_index(
        "ix_customers_admins", "customers", ["id"], sqlite_where=ADMINS, postgresql_where=ADMINS
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("last_used_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT),
        sa.Column("ip_address", sa.String(45)),
        sa.Column("user_agent", sa.String(300)),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], ondelete="CASCADE"),
    )
    op.create_index("ix_sessions_customer_id", "sessions", ["customer_id", "created_at"])


def downgrade() -> None:
    """Leave an empty database."""
    op.drop_table("sessions")
    op.drop_table("customers")
