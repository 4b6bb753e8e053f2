"""What customers may do, which service a token is for, and what a letter is written with."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Make a table and add columns; servers of the version before know none of them.

    Locks customers, sessions and letters for the moment in which the table and columns are added.
    """
    op.create_table(
        "customer_roles",
        sa.Column(
            "customer_id",
            sa.Uuid(),
            sa.ForeignKey("customers.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("role", sa.String(40), primary_key=True),
    )
    op.add_column("sessions", sa.Column("audience", sa.Text()))
    op.add_column("letters", sa.Column("data", sa.JSON()))


def downgrade() -> None:
    """Forget roles; every token is for this API."""
    op.drop_column("letters", "data")
    op.drop_column("sessions", "audience")
    op.drop_table("customer_roles")
