"""Clients from where sessions of a customer were opened or refreshed lately."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the table, which sessions that are refreshed fill. Locks nothing."""
    op.create_table(
        "known_clients",
        sa.Column("customer_id", sa.Uuid(), primary_key=True),
        sa.Column("client", sa.String(64), primary_key=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False, index=True),
    )


def downgrade() -> None:
    """Know no client."""
    op.drop_table("known_clients")
