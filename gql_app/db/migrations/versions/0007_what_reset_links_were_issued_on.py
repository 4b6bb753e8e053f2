"""What a link to reset a password was issued on, so that it dies with any of it."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the column; links that lack it live for 30 minutes at most, and are void.

    Locks password resets for the moment in which it is added.
    """
    op.add_column("password_resets", sa.Column("issued_on", sa.String(64)))


def downgrade() -> None:
    """Leave links that are bound to nothing."""
    op.drop_column("password_resets", "issued_on")
