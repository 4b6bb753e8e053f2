"""Databases that are made slow by views and triggers, instead of stand-ins."""

from uuid import UUID

from sqlalchemy import text

from gql_app.lib.database import Database
from tests.rows import value

ENDLESS = (
    "(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 10000000000) "
    "SELECT count(*) FROM c) > 0"
)
"""A condition that takes SQLite minutes."""


async def slow_down(database: Database, table: str, row_id: UUID | None = None) -> None:
    """Make a table, or one row of it, take minutes to read."""
    asleep = "pg_sleep(100)::text = ''" if _on_postgresql(database) else ENDLESS
    other_row = f"id <> '{row_id.hex}' OR " if row_id else ""
    await _run(
        database,
        f"ALTER TABLE {table} RENAME TO fast_{table}",
        f"CREATE VIEW {table} AS SELECT * FROM fast_{table} WHERE {other_row}{asleep}",  # noqa: S608 — the tests' own names
    )


async def speed_up(database: Database, table: str) -> None:
    """Make a table as fast as it was."""
    await _run(database, f"DROP VIEW {table}", f"ALTER TABLE fast_{table} RENAME TO {table}")


async def slow_down_inserts(database: Database, table: str) -> None:
    """Make every insert into a table take minutes."""
    if _on_postgresql(database):
        await _run(
            database,
            "CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN PERFORM pg_sleep(100); RETURN NEW; END'",
            f"CREATE TRIGGER slow BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION pause()",
        )
    else:
        await _run(
            database,
            f"CREATE VIEW slow AS SELECT 1 AS one WHERE {ENDLESS}",
            f"CREATE TRIGGER pause BEFORE INSERT ON {table} BEGIN SELECT * FROM slow; END",  # noqa: S608 — the tests' own names
        )


async def hurry_inserts(database: Database) -> None:
    """Make inserts of audit events as fast as they were."""
    trigger = "slow ON audit_events" if _on_postgresql(database) else "pause"
    await _run(database, f"DROP TRIGGER {trigger}")


async def statements_at_work(database: Database) -> int:
    """Return the number of statements that sleep or wait on the server; SQLite has none."""
    if not _on_postgresql(database):
        return 0
    sleeping = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid() AND state <> 'idle'"
    )
    return int(await value(database, sleeping))


def _on_postgresql(database: Database) -> bool:
    return database.dialect == "postgresql"


async def _run(database: Database, *statements: str) -> None:
    async with database.transaction() as db:
        if not _on_postgresql(database):  # pooled connections may have cached the schema
            await db.fetch_all(text("SELECT count(*) FROM sqlite_schema"))
        for statement in statements:
            await db.execute(text(statement))
