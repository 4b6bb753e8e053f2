"""A database that is missing or of an older version: which commands make or upgrade it."""

import asyncio
import re
from pathlib import Path
from uuid import uuid4

import pytest
from alembic import command
from sqlalchemy.engine import make_url

from gql_app.commands import COMMANDS, ONLY_WITH_FEATURES
from gql_app.db.migrations.branches import alembic_config
from gql_app.db.migrations.revisions import REVISIONS, revision
from gql_app.lib.database import Database
from tests.commands import run_here
from tests.conftest import SECRET
from tests.processes import ROOT

ADDRESS = "ada@example.com"
BEGIN = {
    "serve": [],  # tests/test_serving.py runs it
    "migrate": [],
    "create-admin": ["--email", ADDRESS, "--name", "Ada"],
    "import": ["customers.csv"],
    "seed": ["--count", "1"],
    "purge": [],
    "end-sessions": [],
}
"""Commands that make an SQLite file, or upgrade it."""
UPGRADE = {
    "change-email": [str(uuid4()), ADDRESS],
    "verify-email": [ADDRESS],
    "unlock": [ADDRESS],
    "remove-factors": [ADDRESS],
}
"""Commands that upgrade an SQLite file, and make none: they change an account that is there."""
READ = {"export": ["customers.jsonl"], "export-audit": [], "dry run": []}
"""Commands that need the tables as they are."""
LEAVE = {
    "backup": ["copy.db"],
    "check": [],
    "keys": ["list"],
    "letters": ["preview", "letters"],
    "export-schema": [],
    "version": [],
    "distribute": ["--yes"],
}
"""Commands that leave the tables as they are, of whatever version; distribute is of PostgreSQL."""
OLDER = REVISIONS[-2]
REMEDY = "Run: gql-app migrate\n"


def arguments(name: str) -> list[str]:
    """Return the name and arguments of a command."""
    if name == "dry run":
        return ["import", "customers.csv", "--dry-run"]
    return [name, *{**BEGIN, **UPGRADE, **READ, **LEAVE}[name]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder with a file of customers."""
    folder = tmp_path / "there"
    (folder / "keys").mkdir(parents=True)
    (folder / "customers.csv").write_text(f"name,email\nAda,{ADDRESS}\n")
    return folder


def older(url: str) -> None:
    """Migrate a database to the revision before the last."""
    command.upgrade(alembic_config(url), OLDER)


def at(url: str) -> str | None:
    """Return the revision of a database."""

    async def found() -> str | None:
        async with Database(url) as database:
            return await revision(database)

    return asyncio.run(found())


def test_each_command_is_of_one_kind() -> None:
    assert {*BEGIN, *UPGRADE, *READ, *LEAVE} == {*COMMANDS, "dry run"}


def test_documentation_has_each_command_in_one_row() -> None:
    page = (ROOT / "docs/operating.md").read_text(encoding="utf-8")
    table = page.partition("Commands that find a database missing")[2].partition("\nA wrong ")[0]
    cells = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    named = [each for cell in cells for each in re.findall(r"`([^`]+)`", cell)]
    assert sorted(named) == sorted([*COMMANDS, "import --dry-run", *ONLY_WITH_FEATURES])


@pytest.mark.parametrize("name", READ)
def test_command_that_reads_migrates_nothing(unmigrated_url: str, folder: Path, name: str) -> None:
    given = {"database_url": unmigrated_url, "secret_key": SECRET}
    there = {*folder.parent.rglob("*")}
    file = make_url(unmigrated_url).database
    done = run_here(*arguments(name), folder=folder, **given)
    missing = f"There is no database {file}. {REMEDY}"
    sqlite = unmigrated_url.startswith("sqlite")
    pending = f"The database is not migrated. {REMEDY}"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", missing if sqlite else pending)
    assert {*folder.parent.rglob("*")} == there
    older(unmigrated_url)
    done = run_here(*arguments(name), folder=folder, **given)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", pending)
    assert at(unmigrated_url) == OLDER
    run_here("migrate", folder=folder, **given)
    assert run_here(*arguments(name), folder=folder, **given).returncode == 0


@pytest.mark.parametrize("name", UPGRADE)
def test_command_for_an_account_makes_no_file(folder: Path, name: str) -> None:
    there = {*folder.iterdir()}
    done = run_here(*arguments(name), folder=folder, secret_key=SECRET)
    missing = f"There is no database gql_app.db. {REMEDY}"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", missing)
    assert {*folder.iterdir()} == there
    url = f"sqlite:///{folder / 'gql_app.db'}"
    older(url)
    run_here(*arguments(name), folder=folder, secret_key=SECRET)
    assert at(url) == REVISIONS[-1]


@pytest.mark.parametrize("name", [*BEGIN][1:])
def test_command_that_begins_makes_or_upgrades_the_file(folder: Path, name: str) -> None:
    given = {"secret_key": SECRET, "admin_password": "a rare and lengthy phrase"}
    done = run_here(*arguments(name), folder=folder, **given)
    assert (done.returncode, done.stderr) == (0, "")
    file = folder / "gql_app.db"
    assert at(f"sqlite:///{file}") == REVISIONS[-1]
    file.unlink()
    older(f"sqlite:///{file}")
    assert run_here(*arguments(name), folder=folder, **given).returncode == 0
    assert at(f"sqlite:///{file}") == REVISIONS[-1]


@pytest.mark.parametrize("name", LEAVE)
def test_command_of_another_matter_leaves_the_file(folder: Path, name: str) -> None:
    given = {"secret_key": SECRET, "keys_dir": str(folder / "keys")}
    run_here(*arguments(name), folder=folder, **given)
    file = folder / "gql_app.db"
    assert not file.exists()
    older(f"sqlite:///{file}")
    run_here(*arguments(name), folder=folder, **given)
    assert at(f"sqlite:///{file}") == OLDER


@pytest.mark.parametrize(
    "wrong",
    [
        ["create-admin", "--email", "ada", "--name", "Ada"],
        ["change-email", "ada", ADDRESS],
        ["change-email", str(uuid4()), "ada"],
        ["verify-email", "ada"],
        ["unlock", "ada"],
        ["remove-factors", "ada"],
        ["import", "customers.txt"],
        ["import", "missing.csv"],
    ],
)
def test_wrong_argument_is_told_before_the_file_is_upgraded(folder: Path, wrong: list[str]) -> None:
    url = f"sqlite:///{folder / 'gql_app.db'}"
    older(url)
    given = {"secret_key": SECRET, "admin_password": "a rare and lengthy phrase"}
    assert run_here(*wrong, folder=folder, **given).returncode == 1
    assert at(url) == OLDER


def test_export_of_a_file_without_tables_is_refused(folder: Path) -> None:
    file = folder / "gql_app.db"
    file.touch()
    done = run_here("export", "customers.jsonl", folder=folder, secret_key=SECRET)
    assert (done.returncode, done.stderr) == (1, f"The database is not migrated. {REMEDY}")
    assert at(f"sqlite:///{file}") is None
