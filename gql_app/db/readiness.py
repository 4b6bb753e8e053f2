"""Readiness: whether the database is reached, and which migration it is at."""

from typing import Final, NamedTuple

from sqlalchemy import String, column, literal_column, select, table

from gql_app.db.tables import REVISION, REVISIONS, Row
from gql_app.lib.database import (
    Database,
    EitherDialect,
    Query,
    StatementError,
    Unavailable,
    check_metadata,
)
from gql_app.settings import Settings

_IS_MIGRATED: Final = Query(
    select(
        EitherDialect(
            literal_column("EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'alembic_version')"),
            literal_column("to_regclass('alembic_version') IS NOT NULL"),
        )
    ),
    lambda row: bool(row[0]),
)
"""Whether the database has seen a migration."""
_REVISION: Final = Query(
    select(table("alembic_version", column("version_num", String())).c.version_num),
    lambda row: str(row[0]),
)


class Condition(NamedTuple):
    """The state of a database, part by part."""

    database: str
    """`ok`, or `unreachable`."""
    migrations: str
    """`ok`; `newer`, which a later version of this program has made; `pending` or `unknown`."""

    @property
    def ready(self) -> bool:
        """Whether this program can work with it: each version does with what the next one makes."""
        return self.migrations in {"ok", "newer"}


def open_database(settings: Settings) -> Database:
    """Open the database that is set. Raise TypeError for a column of a type without a codec."""
    check_metadata(Row.metadata)
    return Database(
        settings.database_url,
        connections=settings.database_connections,
        pool_timeout=settings.database_pool_timeout,
        prepared=settings.database_prepared_statements,
    )


async def condition(database: Database) -> Condition:
    """Return the state that a database is in.

    It is asked by a connection of its own, which tells a hung database from a busy pool.
    """
    try:
        at = await revision(database)
    except (Unavailable, StatementError):
        return Condition("unreachable", "unknown")
    if at is None or at in REVISIONS[:-1]:
        return Condition("ok", "pending")
    return Condition("ok", "ok" if at == REVISION else "newer")


async def revision(database: Database) -> str | None:
    """Return the migration that a database is at, None if it has seen none. Raises Unavailable."""
    [migrated] = await database.probe(_IS_MIGRATED)
    rows = await database.probe(_REVISION) if migrated else []
    return rows[0] if rows else None
