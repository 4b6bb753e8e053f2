"""A copy of an SQLite file: of one moment, whole, for its owner only, and in nobody's place."""

import sqlite3
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import pytest

from gql_app.cli.database import copy
from gql_app.db import readiness
from gql_app.db.tables import CustomerRow
from gql_app.lib.database import Database, sqlite_file
from tests.accounts.rows import customer
from tests.databases import contents, copied_sqlite
from tests.people import add_customer
from tests.rows import add_all


@pytest.fixture
def url(sqlite_template: Path, tmp_path: Path) -> str:
    """Give a test a migrated SQLite file."""
    return copied_sqlite(sqlite_template, tmp_path)


async def test_copy_has_what_is_committed_while_others_write(url: str, tmp_path: Path) -> None:
    database = Database(url)
    await add_customer(database, "Ada")
    before = await contents(database)
    async with database.transaction() as db:
        await add_all(db, CustomerRow, [asdict(customer("Bob"))])
        copy(sqlite_file(url), tmp_path / "a copy#1.db")
    assert await contents(database) != before
    restored = Database(f"sqlite:///{tmp_path}/a copy#1.db")
    assert await contents(restored) == before
    assert (await readiness.condition(restored)).ready
    await restored.close()
    await database.close()


async def test_copy_is_one_file_for_its_owner_only(url: str, tmp_path: Path) -> None:
    database = Database(url)
    await add_customer(database, "Ada")  # is in the log beside the file
    (tmp_path / "there").mkdir()
    copy(sqlite_file(url), tmp_path / "there/copy.db")
    await database.close()
    (file,) = (tmp_path / "there").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(f"{file.as_uri()}?immutable=1", uri=True)) as found:
        assert found.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert found.execute("SELECT name FROM customers").fetchall() == [("Ada",)]


def test_what_is_there_already_stays(url: str, tmp_path: Path) -> None:
    there = tmp_path / "there.db"
    there.write_text("the one before")
    with pytest.raises(FileExistsError):
        copy(sqlite_file(url), there)
    assert there.read_text() == "the one before"
    assert [file.name for file in tmp_path.glob("*there*")] == ["there.db"]


@pytest.mark.parametrize("content", [None, b"no database, but long enough to be one" * 100])
def test_what_is_no_database_is_not_copied(tmp_path: Path, content: bytes | None) -> None:
    source = tmp_path / "source.db"
    if content is not None:
        source.write_bytes(content)
    with pytest.raises(sqlite3.Error):
        copy(source, tmp_path / "copy.db")
    assert {file.name for file in tmp_path.iterdir()} <= {"source.db"}
