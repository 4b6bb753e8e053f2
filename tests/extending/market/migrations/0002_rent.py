"""Take rent."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the rent of stalls; existing ones cost nothing."""
    op.add_column(
        "market_stalls", sa.Column("rent_cents", sa.Integer(), server_default="0", nullable=False)
    )


def downgrade() -> None:
    """Take no rent."""
    op.drop_column("market_stalls", "rent_cents")
