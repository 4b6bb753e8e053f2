"""Migrations: up and down on both databases, and ending at the very tables."""

import asyncio
import os
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, MetaData, inspect, select, text
from sqlalchemy import table as table_of
from sqlalchemy.sql.functions import count

from gql_app.db import readiness
from gql_app.db.migrations import engine
from gql_app.db.migrations.engine import run_on
from gql_app.db.migrations.revisions import REVISIONS
from gql_app.db.tables import Row
from gql_app.lib.clock import new_id
from gql_app.lib.database import Database
from tests.databases import REVISION, Postgres, alembic_config
from tests.processes import PATIENCE
from tests.rows import value

INSERT = """
INSERT INTO customers
  (id, name, name_key, email, email_key, password_hash, is_admin, is_active, created_at, updated_at)
VALUES (:id, :text, :text, :text, :text, :text, false, true, :at, :at)
"""
SESSION = """
INSERT INTO sessions (id, customer_id, created_at, last_used_at, expires_at)
VALUES (:id, :id, :at, :at, :at)
"""
BREAK_OFF = """
UPDATE pg_index SET indisvalid = false
WHERE indexrelid = 'ix_customers_name_key_trgm'::regclass
"""
BROKEN_OFF = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"
WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
PROGRAM = Path(__file__).parents[2] / "main.py"
CATALOGUES = {
    "sqlite": [  # not the text of its tables, for a column that was added stands at another place
        """SELECT type, name, tbl_name, CASE type WHEN 'table' THEN '' ELSE sql END
           FROM sqlite_master WHERE name NOT LIKE '%alembic_version%'""",
        """SELECT t.name, c.name, c.type, c."notnull", c.dflt_value, c.pk
           FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table'""",
        """SELECT t.name, f."from", f."table", f."to", f.on_delete, f.on_update
           FROM sqlite_master t, pragma_foreign_key_list(t.name) f WHERE t.type = 'table'""",
        """SELECT t.name, i."unique", i.origin, i.partial, c.seqno, c.name, c.coll, c."desc"
           FROM sqlite_master t, pragma_index_list(t.name) i, pragma_index_xinfo(i.name) c
           WHERE t.type = 'table'""",
    ],
    "postgresql": [
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'",
        """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
           FROM pg_constraint WHERE connamespace = 'public'::regnamespace""",
        """SELECT table_name, column_name, data_type, character_maximum_length, is_nullable,
                  collation_name, column_default
           FROM information_schema.columns WHERE table_schema = 'public'""",
    ],
}


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_urls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Give two databases that have seen no migration."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'one.db'}", f"sqlite:///{tmp_path / 'another.db'}"
    else:
        server: Postgres = request.getfixturevalue("postgres")
        with server.copied("template0") as one, server.copied("template0") as another:
            yield one, another


@pytest.fixture
def empty_url(empty_urls: tuple[str, str]) -> str:
    """Give one of them."""
    return empty_urls[0]


def revision(url: str) -> str | None:
    """Return which migration a database is at."""
    return run_on(
        url, lambda connection: MigrationContext.configure(connection).get_current_revision()
    )


def run_all(url: str, *statements: str) -> None:
    """Run statements, all of them or none."""
    run_on(url, lambda connection: [connection.execute(text(each)) for each in statements])


def catalogue(connection: Connection) -> list[str]:
    """Describe everything in a database, in the database's own words."""
    found = [
        str(tuple(" ".join(str(value).split()) for value in row))
        for statement in CATALOGUES[connection.dialect.name]
        for row in connection.execute(text(statement))
    ]
    return sorted(row for row in found if "alembic_version" not in row)


def scripts() -> ScriptDirectory:
    """Find the migrations."""
    return ScriptDirectory.from_config(alembic_config(""))


def test_the_tables_are_as_of_the_last_migration() -> None:
    assert scripts().get_heads() == [REVISION]
    assert [each.revision for each in scripts().walk_revisions()] == [*reversed(REVISIONS)]


def test_no_id_is_a_sequences(postgres: Postgres) -> None:
    """Engines that spread over machines have none that is fast, or none at all."""
    with postgres.copied() as url:
        assert (
            run_on(url, lambda each: each.execute(text("SELECT * FROM pg_sequences")).all()) == []
        )


def test_every_migration_goes_up_and_down_and_up_again(empty_url: str) -> None:
    config = alembic_config(empty_url)
    below = ["base"]
    for script in reversed(list(scripts().walk_revisions())):
        before = run_on(empty_url, catalogue)
        command.upgrade(config, script.revision)
        after = run_on(empty_url, catalogue)
        assert after != before
        command.downgrade(config, below[-1])
        assert run_on(empty_url, catalogue) == before
        command.upgrade(config, script.revision)
        assert run_on(empty_url, catalogue) == after
        assert revision(empty_url) == script.revision
        below.append(script.revision)
    assert below[-1] == REVISION
    command.downgrade(config, "base")
    assert (run_on(empty_url, catalogue), revision(empty_url)) == ([], None)


def test_alembic_finds_no_difference_from_the_tables(empty_url: str) -> None:
    command.upgrade(alembic_config(empty_url), "head")

    def differences(connection: Connection) -> list[object]:
        mine = ("_trgm", "_grams") if connection.dialect.name == "sqlite" else ("_grams",)

        def is_told_apart(_: object, name: str | None, *__: object) -> bool:
            """Leave out PostgreSQL's own, and expressions, which Alembic can't compare."""
            return not str(name).endswith(mine)

        tables = MetaData()
        for table in Row.metadata.sorted_tables:
            copy = table.to_metadata(tables)
            copy.indexes = {index for index in copy.indexes if is_told_apart(index, index.name)}
        options = {"compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(
            connection, opts={**options, "include_object": is_told_apart}
        )
        return list(compare_metadata(context, tables))

    assert run_on(empty_url, differences) == []


def test_a_migrated_database_is_what_the_tables_would_make(empty_urls: tuple[str, str]) -> None:
    migrated, made = empty_urls
    command.upgrade(alembic_config(migrated), "head")

    def make(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(text("CREATE EXTENSION pg_trgm"))
        Row.metadata.create_all(connection)

    run_on(made, make)
    assert run_on(migrated, catalogue) == run_on(made, catalogue)


def trigram_warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the levels of what was said about trigrams since the last time."""
    said = [each.levelname for each in caplog.records if "pg_trgm" in each.message]
    caplog.clear()
    return said


def test_trigrams_that_are_not_permitted_are_made_by_a_later_migrate(
    postgres: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    """And the extension is used in whichever schema somebody has made it."""
    with postgres.copied("template0") as url, postgres.copied() as whole:
        role = f"owner_{new_id().hex}"
        run_all(url, f"CREATE ROLE {role} LOGIN", f"GRANT ALL ON SCHEMA public TO {role}")
        config = alembic_config(url.replace("postgres:", f"{role}:", 1))
        command.upgrade(config, "head")
        assert (trigram_warnings(caplog), revision(url)) == (["WARNING"], REVISION)
        assert not any("trgm" in row for row in run_on(url, catalogue))
        run_all(url, 'CREATE SCHEMA "Else where"', 'CREATE EXTENSION pg_trgm SCHEMA "Else where"')
        command.upgrade(config, "head")
        assert trigram_warnings(caplog) == ["WARNING"]  # the schema is not theirs to use
        run_all(url, f'GRANT USAGE ON SCHEMA "Else where" TO {role}')
        command.upgrade(config, "head")
        assert trigram_warnings(caplog) == []
        run_all(url, BREAK_OFF)
        command.upgrade(config, "head")
        assert run_on(url, lambda each: each.scalar(text(BROKEN_OFF))) == 0
        made = [row.replace('"Else where".', "") for row in run_on(url, catalogue)]
        assert made == run_on(whole, catalogue)
        command.downgrade(config, "base")
        assert run_on(url, catalogue) == []


def test_migrating_what_is_up_to_date_changes_nothing(database_url: str) -> None:
    before = run_on(database_url, catalogue)
    command.upgrade(alembic_config(database_url), "head")
    assert (run_on(database_url, catalogue), revision(database_url)) == (before, REVISION)


def test_a_migration_that_fails_leaves_nothing(empty_url: str) -> None:
    run_on(empty_url, lambda connection: connection.execute(text("CREATE TABLE sessions (id INT)")))
    before = run_on(empty_url, catalogue)
    with pytest.raises(Exception, match="already exists"):
        command.upgrade(alembic_config(empty_url), "head")
    assert (run_on(empty_url, catalogue), revision(empty_url)) == (before, None)


@pytest.mark.parametrize("script", [*reversed(list(scripts().walk_revisions()))][1:])
async def test_tables_are_read_and_written_while_a_migration_waits_for_them(
    postgres: Postgres, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody holds locks for long, as pg_dump does: nobody queues behind what waits for them."""
    monkeypatch.setattr(engine, "LOCK_TIMEOUT", "50ms")
    assert re.search(r"\bLocks\b", script.module.upgrade.__doc__ or ""), "say what it locks"
    with postgres.copied("template0") as url:
        config = alembic_config(url)
        await asyncio.to_thread(command.upgrade, config, f"{script.down_revision}")
        database = Database(url)
        tables = await asyncio.to_thread(run_on, url, lambda each: inspect(each).get_table_names())
        async with database.transaction() as reader:
            for table in tables:
                await value(reader, select(count()).select_from(table_of(table)))
            migration = asyncio.create_task(
                asyncio.to_thread(command.upgrade, config, script.revision)
            )
            while not (migration.done() or await value(database, WAITING)):
                pass
            values = {"id": new_id(), "text": "ada@example.com", "at": datetime.now(UTC)}
            async with asyncio.timeout(PATIENCE):
                for statement in (INSERT, SESSION, "DELETE FROM sessions", "DELETE FROM customers"):
                    async with database.transaction() as db:
                        await db.execute(text(statement), **values)
        await migration
        await database.close()
        assert await asyncio.to_thread(revision, url) == script.revision


def test_a_migration_that_was_broken_off_is_done_again(postgres: Postgres) -> None:
    """PostgreSQL keeps what an index that was not finished has left."""
    left = [
        'ALTER TABLE customers ADD COLUMN email_canonical TEXT COLLATE "C"',
        "CREATE INDEX ix_customers_email_canonical ON customers (email_canonical)",
        "CREATE INDEX ix_customers_created_at_new ON customers (created_at)",
        "DROP INDEX ix_customers_name_key",
        "CREATE INDEX ix_customers_name_key_new ON customers (name_key)",
    ]
    with postgres.copied("template0") as broken, postgres.copied() as whole:
        command.upgrade(alembic_config(broken), "0004")
        run_on(broken, lambda connection: [connection.execute(text(each)) for each in left])
        command.upgrade(alembic_config(broken), "head")
        assert run_on(broken, catalogue) == run_on(whole, catalogue)


async def test_two_processes_that_migrate_postgresql_at_once_both_succeed(
    postgres: Postgres,
) -> None:
    with postgres.copied("template0") as url:
        processes = [
            await asyncio.create_subprocess_exec(
                sys.executable,
                PROGRAM,
                "migrate",
                env={**os.environ, "GQL_APP_DATABASE_URL": url},
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            for _ in range(2)
        ]
        told = await asyncio.gather(*(process.communicate() for process in processes))
        assert [process.returncode for process in processes] == [0, 0], told
        database = Database(url)
        assert (await readiness.condition(database)).ready
        await database.close()
