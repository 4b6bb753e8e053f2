"""`export`, and its way back through `import`."""

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from gql_app.cli.records import FIELDS
from gql_app.db.tables import AuditRow
from gql_app.lib.database import Database
from tests.accounts.rows import customer, store
from tests.commands import output_here
from tests.databases import Postgres, copied_sqlite
from tests.people import password_hash
from tests.processes import MAIN, PATIENCE, environment, running_main
from tests.transfer import HASHES, ONE_ENGINE, rows


async def fill(url: str) -> None:
    """Add customers of every kind."""
    database = Database(url)
    made = [customer(f"C {number}", seconds=number / 7) for number in range(1_100)]
    for row, hashed in zip(made, [*HASHES, password_hash()], strict=False):
        row.password_hash = hashed
    made[1].name, made[1].name_key = '=1+1, "Zoë" 🦊', '=1+1, "zoë" 🦊'
    made[2].phone, made[3].phone = "+1 555 0100", "-1"
    made[4].is_admin, made[5].is_active = True, False
    made[6].created_at = datetime.min.replace(tzinfo=UTC)
    made[7].updated_at = datetime.max.replace(tzinfo=UTC)
    made[8].email_verified_at = datetime(2030, 1, 31, tzinfo=UTC)
    await store(database, made)
    await database.close()


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
async def test_what_was_exported_imports_into_the_same_rows(
    database_url: str, tmp_path: Path, sqlite_template: Path, postgres: Postgres, ending: str
) -> None:
    await fill(database_url)
    said = output_here(
        *("export", f"all.{ending}", "--with-password-hashes"),
        folder=tmp_path,
        database_url=database_url,
    )
    assert said == f"1100 customers are exported to all.{ending}.\n"
    told = await last_event(database_url)
    assert told == ("customer:export", list(FIELDS), None, None)
    assert (tmp_path / f"all.{ending}").stat().st_mode & 0o777 == 0o600
    (tmp_path / "there").mkdir()
    with postgres.copied() as postgresql:
        for url in (copied_sqlite(sqlite_template, tmp_path / "there"), postgresql):
            output_here("import", f"all.{ending}", folder=tmp_path, database_url=url)
            assert await rows(url) == await rows(database_url)


async def last_event(url: str) -> tuple[str, list[str], object, object]:
    """Read what was recorded last: the action and its fields, by whom and of whom."""
    database = Database(url)
    (*_, last) = await database.fetch_all(select(AuditRow).order_by(AuditRow.at, AuditRow.id))
    await database.close()
    return last.action, last.fields, last.actor_id, last.customer_id


async def test_export_has_no_hashes_unless_they_are_asked_for(
    database_url: str, tmp_path: Path
) -> None:
    await fill(database_url)
    for named in ("csv", "jsonl"):
        said = output_here("export", "--format", named, folder=tmp_path, database_url=database_url)
        assert "password" not in said
        assert not [each for each in [*HASHES, password_hash()] if each in said]
        assert said.count("\n") == 1_100 + (named == "csv")
    told = await last_event(database_url)
    assert told == ("customer:export", list(FIELDS[:-1]), None, None)


@ONE_ENGINE
async def test_export_is_written_as_the_standards_have_it(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    row = customer('Ada "=1+1", of Zürich', "ada@example.com")
    await store(database, [row])
    told = subprocess.check_output(  # noqa: S603, ASYNC221 — our own program, with nothing beside it
        [*MAIN, "export", "-", "--format", "csv"],
        cwd=tmp_path,
        env=environment(database_url=database_url) | {"LC_ALL": "C", "PYTHONUTF8": "0"},
    ).decode()
    moment = "2030-01-31T12:00:00.123456Z"
    assert told == (
        "id,name,email,phone,is_admin,is_active,created_at,updated_at,roles,locale,"
        "email_verified_at\r\n"
        f'{row.id},"Ada ""=1+1"", of Zürich",ada@example.com,,false,true,{moment},{moment},,,\r\n'
    )
    lines = ("export", "-", "--format", "jsonl")
    assert json.loads(output_here(*lines, folder=tmp_path, database_url=database_url)) == {
        "id": str(row.id),
        "name": 'Ada "=1+1", of Zürich',
        "email": "ada@example.com",
        "phone": None,
        "is_admin": False,
        "is_active": True,
        "created_at": moment,
        "updated_at": moment,
        "roles": "",
        "locale": None,
        "email_verified_at": None,
    }


@ONE_ENGINE
def test_export_takes_the_place_of_the_one_before_for_its_owner_only(
    database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "all.csv").write_text("the one before")
    (tmp_path / "all.csv").chmod(0o644)
    output_here("export", "all.csv", folder=tmp_path, database_url=database_url)
    assert (tmp_path / "all.csv").read_text().startswith("id,name")
    assert (tmp_path / "all.csv").stat().st_mode & 0o777 == 0o600
    assert sorted(file.name for file in tmp_path.glob("*all.csv*")) == ["all.csv"]


@ONE_ENGINE
async def test_export_to_a_reader_that_has_seen_enough_ends_quietly(
    database_url: str, tmp_path: Path
) -> None:
    await fill(database_url)
    export = ("export", "--format", "csv")
    with running_main(*export, folder=tmp_path, database_url=database_url) as command:
        assert command.stdout.read(8) == b"id,name,"
        command.stdout.close()
        assert command.process.wait(PATIENCE) == 1
        command.stderr.seek(0)
        assert command.stderr.read() == b""
