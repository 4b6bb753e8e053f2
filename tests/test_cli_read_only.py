"""A database that takes no changes, or fails midway: each command says so, and what mends it."""

import asyncio
import errno
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from sqlalchemy import text

from gql_app.db.readiness import condition
from gql_app.lib.clock import new_id
from gql_app.lib.database import Database
from tests.commands import run_here
from tests.conftest import SECRET
from tests.databases import Postgres, copied_sqlite, sent
from tests.people import add_customer
from tests.web.test_health import read_only

FINDING = "no-database"
GRANT = "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}"


def found(folder: Path, url: str) -> dict[str, str]:
    """Run `check`, and return the messages of its findings by their codes."""
    done = run_here("check", "--json", folder=folder, database_url=url, secret_key=SECRET)
    return {each["code"]: each["message"] for each in json.loads(done.stdout)["findings"]}


@contextmanager
def unwritable(place: Path) -> Iterator[None]:
    """Deny this account to write a file or folder, which root may whatever its mode is."""
    may = os.access

    def access(file: Path, mode: int) -> bool:
        return may(file, mode) and not (mode == os.W_OK and Path(file).samefile(place))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "access", access)
        yield


async def test_database_that_takes_no_changes_is_found(database_url: str, tmp_path: Path) -> None:
    assert FINDING not in await asyncio.to_thread(found, tmp_path, database_url)
    async with read_only(database_url):
        told = await asyncio.to_thread(found, tmp_path, database_url)
        assert {"no-mail", FINDING} <= told.keys()
        sqlite = database_url.startswith("sqlite")
        words = "can't be opened for writing" if sqlite else "default_transaction_read_only is on"
        assert words in told[FINDING]
        given = {"database_url": database_url, "secret_key": SECRET}
        for command in (["migrate"], ["end-sessions"], *([["serve"]] if sqlite else [])):
            done = await asyncio.to_thread(run_here, *command, folder=tmp_path, **given)
            assert (done.returncode, done.stdout) == (1, "")
            assert f"The database of GQL_APP_DATABASE_URL can't be used. {told[FINDING]}" in (
                done.stderr
            )


async def test_audit_of_a_postgresql_that_takes_no_changes_is_exported(
    postgres: Postgres, tmp_path: Path
) -> None:
    with postgres.copied() as url:
        async with Database(url) as database:
            await add_customer(database, "Ada Plain")
        async with read_only(url):
            given = {"database_url": url, "secret_key": SECRET}
            done = await asyncio.to_thread(run_here, "export-audit", folder=tmp_path, **given)
    assert (done.returncode, done.stderr) == (0, "")


async def test_unmigrated_database_that_takes_no_changes_can_not_be_migrated(
    unmigrated_url: str, tmp_path: Path
) -> None:
    async with read_only(unmigrated_url):
        assert FINDING in await asyncio.to_thread(found, tmp_path, unmigrated_url)
        async with Database(unmigrated_url) as database:
            assert not (await condition(database)).ready
    assert not (tmp_path / "empty.db").exists()


@pytest.mark.parametrize("place", ["test.db", "test.db-wal", "test.db-shm", "."])
def test_what_cannot_be_written_of_a_file_is_named_and_nothing_is_made(
    sqlite_template: Path, tmp_path: Path, place: str
) -> None:
    url = copied_sqlite(sqlite_template, tmp_path)
    if place != ".":
        (tmp_path / place).touch()
    there = {each.name for each in tmp_path.iterdir()}
    with unwritable(tmp_path / place):
        assert found(tmp_path, url)[FINDING] == (
            f"{(tmp_path / place).resolve()} can't be opened for writing."
        )
        done = run_here("serve", folder=tmp_path, database_url=url, secret_key=SECRET)
    assert (done.returncode, done.stdout) == (1, "")
    assert "its -wal and -shm, and their folder" in done.stderr
    assert {each.name for each in tmp_path.iterdir()} == there


def test_folder_that_is_missing_is_found_and_not_made(tmp_path: Path) -> None:
    folder = tmp_path / "nothere"
    told = found(tmp_path, f"sqlite:///{folder}/x.db")
    assert told[FINDING] == f"There is no folder {folder}."
    assert "pending-migrations" not in told
    assert not folder.exists()


TOO_LONG = f"/{'x' * 300}"
"""A place that can't be looked up, for root either: as one below a folder of another account."""


@pytest.mark.parametrize("name", ["keys_dir", "letters_dir"])
def test_folder_that_cannot_be_looked_up_is_a_faulty_setting(
    sqlite_template: Path, tmp_path: Path, name: str
) -> None:
    given = {"database_url": copied_sqlite(sqlite_template, tmp_path), name: TOO_LONG}
    for command in ("check", "serve"):
        done = run_here(command, folder=tmp_path, **given)
        assert "must be a folder that this account can find" in done.stdout + done.stderr
        assert done.returncode == (1 if command == "check" else 2)


def test_database_that_cannot_be_looked_up_is_a_finding_beside_the_others(tmp_path: Path) -> None:
    told = found(tmp_path, f"sqlite://{TOO_LONG}/x.db")
    assert {"no-mail", FINDING} <= told.keys()
    done = run_here("check", folder=tmp_path, database_url=f"sqlite://{TOO_LONG}/x.db")
    assert "no-database: " in done.stdout


@pytest.mark.parametrize("name", ["keys_dir", "letters_dir"])
def test_folder_that_cannot_be_read_is_a_finding_beside_the_others(
    sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder = tmp_path / "ours"
    folder.mkdir()
    listed = Path.iterdir

    def iterdir(path: Path) -> Iterator[Path]:
        if path == folder:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    given = {"database_url": copied_sqlite(sqlite_template, tmp_path), "secret_key": SECRET}
    done = run_here("check", "--json", folder=tmp_path, **given, **{name: str(folder)})
    told = {each["code"]: each["message"] for each in json.loads(done.stdout)["findings"]}
    assert {"no-mail", "cannot-start"} <= told.keys()
    assert told["cannot-start"].startswith(f"{folder}: ")
    assert "Permission denied" in told["cannot-start"]


async def test_database_that_fails_midway_is_a_finding_beside_the_others(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    async with database.transaction() as db:
        await db.execute(text("ALTER TABLE customers RENAME TO gone"))
    told = await asyncio.to_thread(found, tmp_path, database_url)
    assert {"no-mail", FINDING} <= told.keys()
    assert "refuses a statement" in told[FINDING]
    assert "customers" in told[FINDING]


async def test_server_that_takes_too_few_connections_is_a_finding(
    postgres: Postgres, tmp_path: Path
) -> None:
    with postgres.copied() as url:
        server = await asyncpg.connect(url)
        try:
            await server.execute("CREATE ROLE narrow LOGIN CONNECTION LIMIT 1 IN ROLE postgres")
            host = urlsplit(url).netloc.rpartition("@")[2]
            narrow = urlsplit(url)._replace(netloc=f"narrow@{host}").geturl()
            told = await asyncio.to_thread(found, tmp_path, narrow)
        finally:
            await server.execute("DROP ROLE narrow")
            await server.close()
    assert "too many connections" in told[FINDING]
    assert "no-mail" in told


@asynccontextmanager
async def reader(url: str) -> AsyncIterator[str]:
    """Yield the URL of a role that may read all tables, and change none."""
    role = f"reader_{new_id().hex}"
    parts = urlsplit(url)
    await sent(url, f"CREATE ROLE {role} LOGIN", GRANT.format(role))
    try:
        place = parts.netloc.rpartition("@")[2]
        yield parts._replace(netloc=f"{role}@{place}").geturl()
    finally:
        await sent(url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


async def test_role_that_may_change_no_table_is_told_what_to_grant(
    postgres: Postgres, tmp_path: Path
) -> None:
    with postgres.copied() as url:
        async with reader(url) as theirs, Database(theirs) as database:
            state = await condition(database)
            assert (state.ready, state.database, state.migrations) == (False, "read-only", "ok")
            told = await asyncio.to_thread(found, tmp_path, theirs)
            assert told[FINDING].startswith("The URL's role may not read and write the table ")
            given = {"database_url": theirs, "secret_key": SECRET}
            for command in (
                ["migrate"],
                ["unlock", "ada@example.com"],
                ["export", "-", "--format", "csv"],
            ):
                done = await asyncio.to_thread(run_here, *command, folder=tmp_path, **given)
                assert (done.returncode, done.stdout) == (1, ""), command
                assert done.stderr.startswith("The database of GQL_APP_DATABASE_URL can't be used.")
                assert "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES" in done.stderr
                assert done.stderr.count("\n") == 1
        async with Database(url) as database:
            assert (await condition(database)).ready


@pytest.mark.parametrize(
    "command", [["migrate"], ["unlock", "ada@example.com"], ["export", "-", "--format", "csv"]]
)
def test_damaged_file_is_told_in_a_sentence(
    sqlite_template: Path, tmp_path: Path, command: list[str]
) -> None:
    url = copied_sqlite(sqlite_template, tmp_path)
    file = tmp_path / "test.db"
    size = int.from_bytes(file.read_bytes()[16:18])  # of a page
    file.write_bytes(file.read_bytes()[:size].ljust(file.stat().st_size, b"\xff"))
    done = run_here(*command, folder=tmp_path, database_url=url, secret_key=SECRET)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("malformed. Restore a backup.\n")
    assert done.stderr.count("\n") == 1
