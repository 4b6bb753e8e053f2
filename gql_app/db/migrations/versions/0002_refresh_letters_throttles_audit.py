"""Refresh tokens, password resets, letters, throttles and the audit."""

import sqlalchemy as sa
from alembic import op

from gql_app.db.migrations.online import create_index

revision = "0002"
down_revision = "0001"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables around a session.

    Locks customers and sessions for the moment in which references to them are made; the index of
    sessions is made beside what goes on.
    """
    create_index("ix_sessions_expires_at", "sessions", ["expires_at"])
    op.create_table(
        "refresh_tokens",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("session_id", sa.Uuid(), nullable=False, index=True),
        sa.Column("salt", sa.String(64), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("spent_at", MOMENT),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], ondelete="CASCADE"),
    )
    op.create_table(
        "password_resets",
        sa.Column("customer_id", sa.Uuid(), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], ondelete="CASCADE"),
    )
    op.create_table(
        "letters",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("customer_id", sa.Uuid(), index=True),
        sa.Column("recipient", sa.Text()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", MOMENT, nullable=False, index=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], ondelete="SET NULL"),
    )
    op.create_table(
        "throttles",
        sa.Column("subject", sa.String(64), primary_key=True),
        sa.Column("times", sa.JSON(), nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False, index=True),
    )
    op.create_table(
        "audit_events",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("actor_id", sa.Uuid()),
        sa.Column("customer_id", sa.Uuid()),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("ip_address", sa.String(45)),
        sa.Column("user_agent", sa.String(300)),
    )
    op.create_index("ix_audit_events_at", "audit_events", ["at", "id"])
    op.create_index("ix_audit_events_customer_id", "audit_events", ["customer_id", "at", "id"])
    op.create_index("ix_audit_events_action", "audit_events", ["action", "at", "id"])
    op.create_index("ix_audit_events_actor_id", "audit_events", ["actor_id"])


def downgrade() -> None:
    """Leave customers and sessions."""
    for table in ("audit_events", "throttles", "letters", "password_resets", "refresh_tokens"):
        op.drop_table(table)
    op.drop_index("ix_sessions_expires_at", "sessions")
