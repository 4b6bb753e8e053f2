"""When sessions wrote, so that they read their own writes where there is a standby."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the column. Locks sessions for the moment in which it is added."""
    op.add_column("sessions", sa.Column("wrote_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    """Forget when they wrote."""
    op.drop_column("sessions", "wrote_at")
