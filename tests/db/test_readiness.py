"""Readiness: whether a database is reached, and which migration it is at."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Column, Interval, Table, text
from structlog.testing import capture_logs

from gql_app.db.migrations.revisions import REVISIONS, revision
from gql_app.db.readiness import (
    LOG_INTERVAL,
    NOT_MIGRATED,
    Watch,
    condition,
    open_database,
)
from gql_app.db.tables import Row
from gql_app.lib.clock import new_id
from gql_app.lib.database import Database, Unavailable
from gql_app.settings import Settings
from tests.databases import REVISION, Postgres, alembic_config

CONNECTED = "FROM pg_stat_activity WHERE datname ="


@pytest.fixture(params=["sqlite", "postgresql"])
def unmigrated_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give a database that has seen no migration."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
    else:
        server: Postgres = request.getfixturevalue("postgres")
        with server.copied("template0") as url:
            yield url


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    """Open a database, and close it when the block ends."""
    database = Database(url)
    yield database
    await database.close()


async def test_a_migrated_database_is_ready(database: Database) -> None:
    assert await condition(database) == ("ok", "ok", None, None)
    assert (await condition(database)).ready
    assert await revision(database) == REVISION


async def test_an_unmigrated_database_says_so(unmigrated_url: str) -> None:
    async with opened(unmigrated_url) as database:
        assert await condition(database) == ("ok", "pending", NOT_MIGRATED, None)
        assert not (await condition(database)).ready
        assert await revision(database) is None


@pytest.mark.parametrize(
    ("statement", "at", "migrations"),
    [
        *(
            ("UPDATE alembic_version SET version_num = :at", old, "pending")
            for old in REVISIONS[:-1]
        ),
        ("UPDATE alembic_version SET version_num = :at", "9999", "newer"),
        ("DELETE FROM alembic_version WHERE version_num <> :at", "", "pending"),
    ],
)
async def test_a_database_of_another_version_says_so(
    database: Database, statement: str, at: str, migrations: str
) -> None:
    async with database.transaction() as db:
        await db.execute(text(statement), at=at)
    found = await condition(database)
    assert found[:2] == ("ok", migrations)
    assert found.ready == (migrations == "newer")


async def test_a_database_that_is_not_there_is_unreachable(
    tmp_path: Path, postgres: Postgres
) -> None:
    garbage = tmp_path / "garbage.db"
    garbage.write_bytes(b"this is no database" * 100)
    for url in (
        f"sqlite:///{tmp_path}/no/folder.db",
        f"sqlite:///{tmp_path}",
        f"sqlite:///{garbage}",
        f"postgresql:///postgres?host={tmp_path}",
        "postgresql://nobody:secret@127.0.0.1:1/postgres",
        postgres.url("no_such_database"),
    ):
        async with opened(url) as database:
            found = await condition(database)
            assert found[:2] == ("unreachable", "unknown")
            assert found.cause


async def test_why_a_database_cant_be_used_is_logged_at_once_and_then_once_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000.0
    monkeypatch.setattr("gql_app.db.readiness.monotonic", lambda: now)
    file = tmp_path / "kept" / "gql_app.db"
    async with opened(f"sqlite:///{file}") as database:
        with capture_logs() as log:
            watch = Watch(database)
            for _ in range(3):
                await watch.condition()
            assert len(log) == 1
            assert log[0]["problem"] == f"There is no folder {file.parent}."
            now += LOG_INTERVAL
            await watch.condition()
            assert len(log) == 2
            file.mkdir(parents=True)
            await watch.condition()
            assert len(log) == 3
            file.rmdir()
            file.touch()
            assert (await watch.condition()).cause == NOT_MIGRATED
            assert len(log) == 4
            with pytest.raises(Unavailable) as refused:
                await database.fetch_all(text("SELECT 1"))
            assert refused.value.cause == "Unusable: The database is not migrated."
            config = alembic_config(f"sqlite:///{file}")
            await asyncio.to_thread(command.upgrade, config, "head")
            assert (await watch.condition()).cause is None
            assert await database.fetch_all(text("SELECT 1"))


async def test_requests_are_refused_until_a_check_has_found_migrations(postgres: Postgres) -> None:
    name, away = f"late_{new_id().hex}", f"away_{new_id().hex}"

    def rename(old: str, new: str) -> None:
        postgres.run(f"ALTER DATABASE {old} WITH ALLOW_CONNECTIONS false")
        postgres.run(f"SELECT pg_terminate_backend(pid, 5000) {CONNECTED} '{old}'")
        postgres.run(f"ALTER DATABASE {old} RENAME TO {new}")
        postgres.run(f"ALTER DATABASE {new} WITH ALLOW_CONNECTIONS true")

    async def refused() -> str:
        with pytest.raises(Unavailable) as found:
            await database.fetch_all(text("SELECT 1"))
        return found.value.cause

    async with opened(postgres.url(name)) as database:
        watch = Watch(database)
        assert (await watch.condition()).migrations == "unknown"
        postgres.run(f"CREATE DATABASE {name} TEMPLATE template0")
        assert "not checked" in await refused()
        assert (await watch.condition()).migrations == "pending"
        rename(name, away)
        assert (await watch.condition()).migrations == "unknown"
        rename(away, name)
        assert "not migrated" in await refused()
        await asyncio.to_thread(command.upgrade, alembic_config(postgres.url(name)), "head")
        assert (await watch.condition()).ready
        rename(name, away)
        assert (await watch.condition()).migrations == "unknown"
        rename(away, name)
        assert await database.fetch_all(text("SELECT 1"))
    postgres.run(f"DROP DATABASE {name}")


async def test_busy_pool_is_no_unreachable_database(database_url: str) -> None:
    database = Database(database_url, connections=1)
    async with database.transaction() as db:
        await db.fetch_all(text("SELECT 1"))
        assert (await condition(database)).ready
    await database.close()


async def test_column_of_a_type_without_a_codec_is_told_when_the_database_is_opened(
    settings: Settings,
) -> None:
    odd = Table("odd", Row.metadata, Column("lasts", Interval(), primary_key=True))
    try:
        with pytest.raises(TypeError, match="Interval"):
            open_database(settings)
    finally:
        Row.metadata.remove(odd)
    await open_database(settings).close()
