"""Indexes for what few customers match: a search, or being an admin."""

import sqlalchemy as sa
from alembic import op

from gql_app.db.migrations.online import create_index, on_postgresql

revision = "0003"
down_revision = "0002"

SEARCHED = ("name_key", "email_key")
GRAMS = (
    "(string_to_array({0}, NULL) || string_to_array("
    r"regexp_replace({0}, '(.)', '\1' || chr(1) || '\1', 'g'), chr(1)))"
)
ADMINS = sa.text("is_admin IS true")


def upgrade() -> None:
    """Make the indexes, but those that want an extension: every `migrate` makes what it can.

    Locks nothing: customers are read and written meanwhile.
    """
    create_index(
        "ix_customers_is_admin",
        "customers",
        ["created_at", "id"],
        sqlite_where=sa.text("is_admin IS 1"),
        postgresql_where=ADMINS,
    )
    if not on_postgresql():
        return
    for key in SEARCHED:
        create_index(
            f"ix_customers_{key}_grams",
            "customers",
            [sa.text(GRAMS.format(key))],
            postgresql_using="gin",
        )


def downgrade() -> None:
    """Leave the extension, which others may use as well."""
    if on_postgresql():
        for key in SEARCHED:
            op.drop_index(f"ix_customers_{key}_trgm", "customers", if_exists=True)
            op.drop_index(f"ix_customers_{key}_grams", "customers")
    op.drop_index("ix_customers_is_admin", "customers")
