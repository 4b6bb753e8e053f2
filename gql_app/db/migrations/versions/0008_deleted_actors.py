"""Who is gone, while the audit knows where from they did something to others."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make a table. Locks nothing."""
    op.create_table(
        "deleted_actors",
        sa.Column("actor_id", sa.Uuid(), primary_key=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=False, index=True),
    )


def downgrade() -> None:
    """Forget who is gone."""
    op.drop_table("deleted_actors")
