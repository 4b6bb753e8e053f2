"""Trigram indexes, for searches by any part of a name or an address, on PostgreSQL."""

import logging
from typing import Final

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from gql_app.lib.database import Unavailable

SINCE: Final = "0003"
"""The migration from which on every `migrate` creates them if they are missing."""
SEARCHED: Final = ("name_key", "email_key")
"""The columns of customers that are searched."""
WITHOUT: Final = (
    "The extension pg_trgm can't be had here, so that a search for what few customers match reads "
    "all of them: %s docs/performance.md tells how to mend it."
)
MADE: Final = """
SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE indrelid = to_regclass(:table) AND indisvalid
"""
SCHEMA: Final = """
SELECT quote_ident(nspname) FROM pg_extension
JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE extname = :name
"""


def make_trigram_indexes(engine: Engine) -> None:
    """Create the missing indexes, while customers are read and written.

    The extension may be in any schema. If it is not available, the reason is logged: searches work
    without it, but slowly.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        made = set(connection.scalars(text(MADE), {"table": "customers"}))
        missing = {f"ix_customers_{key}_trgm": key for key in SEARCHED}
        missing = {name: key for name, key in missing.items() if name not in made}
        try:
            if missing:
                connection.execute(text("CREATE EXTENSION IF NOT EXISTS pg_trgm"))
            schema = connection.scalar(text(SCHEMA), {"name": "pg_trgm"})
            for name, key in missing.items():
                # An interrupted attempt leaves an invalid index.
                connection.execute(text(f"DROP INDEX CONCURRENTLY IF EXISTS {name}"))
                connection.execute(
                    text(
                        f"CREATE INDEX CONCURRENTLY {name} ON customers"
                        f" USING gin ({key} {schema}.gin_trgm_ops)"
                    )
                )
        except (DBAPIError, Unavailable) as error:
            why = error.orig if isinstance(error, DBAPIError) else error
            logging.getLogger(__name__).warning(WITHOUT, why)
