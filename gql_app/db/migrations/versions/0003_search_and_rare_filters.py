"""Indexes for what few customers match: a search, or being an admin."""

import logging

import sqlalchemy as sa
from alembic import op
from sqlalchemy.exc import DBAPIError

revision = "0003"
down_revision = "0002"

SEARCHED = ("name_key", "email_key")
GRAMS = (
    "(string_to_array({0}, NULL) || string_to_array("
    r"regexp_replace({0}, '(.)', '\1' || chr(1) || '\1', 'g'), chr(1)))"
)
ADMINS = sa.text("is_admin IS true")
WITHOUT = (
    "The extension pg_trgm can't be had here, so that a search for what few customers match reads "
    "all of them: %s docs/performance.md tells how to mend it."
)


def upgrade() -> None:
    """Make the indexes; without the extension search works as well, but slowly."""
    op.create_index(
        "ix_customers_is_admin",
        "customers",
        ["created_at", "id"],
        sqlite_where=sa.text("is_admin IS 1"),
        postgresql_where=ADMINS,
    )
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    for key in SEARCHED:
        op.create_index(
            f"ix_customers_{key}_grams",
            "customers",
            [sa.text(GRAMS.format(key))],
            postgresql_using="gin",
        )
    try:
        with connection.begin_nested():
            op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            for key in SEARCHED:
                op.create_index(
                    f"ix_customers_{key}_trgm",
                    "customers",
                    [key],
                    postgresql_using="gin",
                    postgresql_ops={key: "gin_trgm_ops"},
                )
    except DBAPIError as error:
        logging.getLogger(__name__).warning(WITHOUT, error.orig)


def downgrade() -> None:
    """Leave the extension, which others may use as well."""
    if op.get_bind().dialect.name == "postgresql":
        for key in SEARCHED:
            op.drop_index(f"ix_customers_{key}_trgm", "customers", if_exists=True)
            op.drop_index(f"ix_customers_{key}_grams", "customers")
    op.drop_index("ix_customers_is_admin", "customers")
