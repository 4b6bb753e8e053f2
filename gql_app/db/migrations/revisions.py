"""Revisions: the migrations that there are, and the one that a database is at."""

from collections.abc import Sequence
from functools import cache
from typing import Final

from sqlalchemy import String, column, literal_column, select, table

from gql_app.db.migrations.branches import VERSION_TABLE, Branch
from gql_app.lib.database import Database, EitherDialect, Query

REVISIONS: Final = (
    "0001",
    "0002",
    "0003",
    "0004",
    "0005",
    "0006",
    "0007",
    "0008",
    "0009",
    "0010",
    "0011",
    "0012",
)
"""Every migration, the oldest first."""


async def states(database: Database, branches: Sequence[Branch]) -> list[str]:
    """Return the state of the core's migrations and each branch's: ok, newer or pending."""
    ours = _state(await revision(database), REVISIONS)
    theirs = [_state(await revision(database, b.version_table), b.revisions) for b in branches]
    return [ours, *theirs]


async def revision(database: Database, version_table: str = VERSION_TABLE) -> str | None:
    """Return the migration that a database is at, None if at none. Raises Unavailable."""
    is_migrated, at = _queries(version_table)
    [migrated] = await database.probe(is_migrated)
    rows = await database.probe(at) if migrated else []
    return rows[0] if rows else None


def _state(at: str | None, revisions: Sequence[str]) -> str:
    """Return the state of migrations, given the one a database is at and all known ones."""
    if revisions and (at is None or at in revisions[:-1]):
        return "pending"
    return "ok" if at in revisions[-1:] or at is None else "newer"


@cache
def _queries(version_table: str) -> tuple[Query[bool], Query[str]]:
    """Return the queries for whether a version table exists, and for its migration."""
    listed = f"SELECT 1 FROM sqlite_master WHERE name = '{version_table}'"  # noqa: S608 — a feature's name has letters and digits only
    exists = EitherDialect(
        literal_column(f"EXISTS ({listed})"),
        literal_column(f"to_regclass('{version_table}') IS NOT NULL"),
    )
    at = table(version_table, column("version_num", String())).c.version_num
    return (
        Query(select(exists), lambda row: bool(row[0])),
        Query(select(at), lambda row: str(row[0])),
    )
