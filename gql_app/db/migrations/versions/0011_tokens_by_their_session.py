"""Refresh tokens by their digest and session, so that a table of them can be distributed."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_TABLE = "refresh_tokens"
_KEY = "refresh_tokens_pkey"
_MOMENT = sa.DateTime(timezone=True)
_DIGEST, _BOTH = ["digest"], ["digest", "session_id"]


def upgrade() -> None:
    """Extend the primary key by the session.

    Servers of the version before read and write as they did: they find by the digest, with which
    the key begins.
    """
    _exchange(_BOTH)


def downgrade() -> None:
    """Have the digest alone as key."""
    _exchange(_DIGEST)


def _exchange(columns: list[str]) -> None:
    """Give the table another primary key.

    PostgreSQL builds the index beside the old one, and blocks nobody; the exchange itself reads no
    row. SQLite copies the table, as with any change of a key.
    """
    if op.get_bind().dialect.name == "sqlite":
        with op.batch_alter_table(_TABLE, copy_from=_table(columns), recreate="always"):
            return
    with op.get_context().autocommit_block():
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {_KEY}_new")
        op.execute(
            f"CREATE UNIQUE INDEX CONCURRENTLY {_KEY}_new ON {_TABLE} ({', '.join(columns)})"
        )
    op.execute(
        f"ALTER TABLE {_TABLE} DROP CONSTRAINT {_KEY}, "
        f"ADD CONSTRAINT {_KEY} PRIMARY KEY USING INDEX {_KEY}_new"
    )


def _table(key: list[str]) -> sa.Table:
    """Return the table as it is to be on SQLite."""
    return sa.Table(
        _TABLE,
        sa.MetaData(),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column(
            "session_id",
            sa.Uuid(),
            sa.ForeignKey("sessions.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("salt", sa.String(64), nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.Column("spent_at", _MOMENT),
        sa.PrimaryKeyConstraint(*key),
        sa.Index("ix_refresh_tokens_session_id", "session_id"),
    )
