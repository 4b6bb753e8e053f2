"""The command line: what each command does, and its exit status."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from threading import Timer

import pytest
from sqlalchemy import text

from gql_app import __version__
from gql_app.commands import COMMANDS
from gql_app.db.migrations.revisions import revision
from gql_app.lib.database import Database
from gql_app.lib.database.probing import PROBE_TIMEOUT
from gql_app.settings import Settings
from tests.api import running
from tests.commands import output_here, run_here
from tests.conftest import SECRET
from tests.databases import Postgres, copied_sqlite
from tests.people import PASSWORD, add_customer
from tests.processes import MAIN, ROOT, free_port, output_of, run, typing
from tests.ranges import knowing, range_service
from tests.rows import value

LOGIN = """
mutation SignIn($email: String!, $password: String!) {
  login(email: $email, password: $password) {
    status customer { name email isAdmin emailVerifiedAt }
  }
}
"""
STOLEN = "This password is in a list of stolen passwords. Choose another."
ADA = ("create-admin", "--email", "Ada@Example.com", "--name", "Ada Admin")


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """Give a test a migrated SQLite file, for one engine is enough."""
    return copied_sqlite(sqlite_template, tmp_path)


def test_database_that_answers_late_is_asked_again(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "late.db", check_same_thread=False)) as other:
        other.execute("BEGIN EXCLUSIVE")
        unlocking = Timer(PROBE_TIMEOUT + 0.5, other.rollback)
        unlocking.start()
        told = output_here("migrate", folder=tmp_path, database_url="sqlite:///late.db")
        unlocking.join()
    assert "The database is up to date." in told


@pytest.mark.parametrize(
    "command", ["migrate", "purge", "export", "keys list", "letters preview", "check", "serve"]
)
def test_misspelt_setting_is_named_by_every_command(tmp_path: Path, command: str) -> None:
    misspelt = {"smpt_url": "smtp://hush", "secert_key": "hush", "log_level": "loud"}
    done = run_here(*command.split(), folder=tmp_path, **misspelt)
    assert done.stderr.splitlines()[:2] == [
        "GQL_APP_SECERT_KEY is no setting of this program; it is ignored.",
        "GQL_APP_SMPT_URL is no setting of this program; it is ignored.",
    ]
    assert "hush" not in done.stdout + done.stderr


async def sign_in(url: str, email: str, password: str) -> dict[str, object]:
    """Sign in to a database that the command line has worked on."""
    async with running(Settings(database_url=url, secret_key=SECRET)) as api:
        login: dict[str, object] = (await api.run(LOGIN, email=email, password=password)).data[
            "login"
        ]
        return login


async def count(url: str, what: str) -> int:
    """Count something about the customers of a database."""
    database = Database(url)
    try:
        found = await value(database, text(f"SELECT count({what}) FROM customers"))  # noqa: S608 — our own words
        assert isinstance(found, int)
        return found
    finally:
        await database.close()


def test_version_is_printed_by_a_program_that_keeps_what_it_imports(tmp_path: Path) -> None:
    told = "import atexit, gc; atexit.register(lambda: print(gc.get_freeze_count() > 0))"
    found = f"import runpy, sys; sys.path.insert(0, {str(ROOT)!r})"
    program = f"{found}; runpy.run_path({MAIN[1]!r}, run_name='__main__')"
    done = run([MAIN[0], "-c", f"{told}; {program}", "version"], tmp_path)
    assert done.stdout == f"{__version__}\nTrue\n"
    assert list(tmp_path.iterdir()) == []


def test_list_of_commands_says_of_each_what_it_says_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    listed = re.findall(
        r"^│ (\S+) +(.+?) +│$", output_here("--help", folder=tmp_path), re.MULTILINE
    )
    for name in COMMANDS:
        assert dict(listed)[name] in output_here(name, "--help", folder=tmp_path)
    assert [name for name, _ in listed] == ["--app", "--help", *COMMANDS]


def test_the_printed_schema_is_the_one_kept(tmp_path: Path) -> None:
    kept = (ROOT / "schema.graphql").read_text(encoding="utf-8")
    assert output_here("export-schema", folder=tmp_path) == kept


def test_a_schema_that_differs_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "schema.graphql"
    file.write_bytes((ROOT / "schema.graphql").read_bytes())
    assert output_of("export-schema", "--check", folder=tmp_path) == ""
    file.write_bytes(file.read_bytes() + b"\n")
    done = run_here("export-schema", "--check", folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    remedy = "Run: gql-app export-schema > schema.graphql"
    assert done.stderr == f"schema.graphql is not what the code says. {remedy}\n"


async def test_migrate_can_be_repeated(unmigrated_url: str, tmp_path: Path) -> None:
    for _ in range(2):
        output_here("migrate", folder=tmp_path, database_url=unmigrated_url)
    async with running(Settings(database_url=unmigrated_url, secret_key=SECRET)) as api:
        assert (await api.client.get("/readyz")).status_code == 200


async def test_older_version_leaves_and_serves_what_a_newer_one_migrated(
    sqlite_url: str, tmp_path: Path
) -> None:
    database = Database(sqlite_url)
    async with database.transaction() as db:
        await db.execute(text("UPDATE alembic_version SET version_num = :at"), at="9999")
    assert "newer" in output_here("migrate", folder=tmp_path, database_url=sqlite_url)
    output_here("purge", folder=tmp_path, database_url=sqlite_url)
    assert await revision(database) == "9999"
    await database.close()


async def test_an_admin_is_made_once(database_url: str, tmp_path: Path) -> None:
    settings = {"database_url": database_url, "admin_password": PASSWORD}
    assert "ada@example.com" in output_here(*ADA, folder=tmp_path, **settings).lower()
    again = run_here(*ADA, folder=tmp_path, **settings)
    assert (again.returncode, again.stdout) == (1, "")
    assert "email" in again.stderr
    assert PASSWORD not in again.stderr
    login = await sign_in(database_url, "ada@example.com", PASSWORD)
    assert login["status"] == "SUCCESS"
    customer = login["customer"]
    assert isinstance(customer, dict)
    assert customer.pop("emailVerifiedAt")
    assert customer == {
        "name": "Ada Admin",
        "email": "Ada@example.com",
        "isAdmin": True,
    }


async def test_a_weak_password_makes_no_admin(sqlite_url: str, tmp_path: Path) -> None:
    done = run_here(*ADA, folder=tmp_path, database_url=sqlite_url, admin_password="short")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("password: ")
    assert await count(sqlite_url, "*") == 0


async def test_a_stolen_password_makes_no_admin(sqlite_url: str, tmp_path: Path) -> None:
    password = "mountain giraffe 71"
    settings = {"database_url": sqlite_url, "admin_password": password}
    with range_service(knowing(password)) as service:
        done = run_here(*ADA, folder=tmp_path, **settings, breached_passwords_url=service.url)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"password: {STOLEN}\n"
        assert await count(sqlite_url, "*") == 0
        service.answer = lambda asked: asked.send(b"", 500)
        done = run_here(*ADA, folder=tmp_path, **settings, breached_passwords_url=service.url)
    assert (done.returncode, done.stdout) == (0, "Ada@example.com is now an admin.\n")
    assert done.stderr.startswith("The service of breached passwords can't be asked.")
    assert await count(sqlite_url, "*") == 1


async def test_a_password_that_is_known_nowhere_makes_an_admin(
    sqlite_url: str, tmp_path: Path
) -> None:
    settings = {"database_url": sqlite_url, "admin_password": PASSWORD}
    with range_service(knowing("another one")) as service:
        done = run_here(*ADA, folder=tmp_path, **settings, breached_passwords_url=service.url)
    assert (done.returncode, done.stderr, len(service.requests)) == (0, "", 1)


async def test_a_password_is_prompted_for_twice(sqlite_url: str, tmp_path: Path) -> None:
    with typing(*ADA, folder=tmp_path, database_url=sqlite_url, admin_password="") as terminal:
        for typed, repeated in ((PASSWORD, "a slip of the finger"), (PASSWORD, PASSWORD)):
            terminal.answer("Password: ", typed)
            terminal.answer("Repeat for confirmation: ", repeated)
        assert terminal.end() == 0
    assert PASSWORD not in terminal.seen
    assert (await sign_in(sqlite_url, "ada@example.com", PASSWORD))["status"] == "SUCCESS"


async def test_seed_adds_as_many_customers_as_asked_for(database_url: str, tmp_path: Path) -> None:
    printed = output_here("seed", "--count", "300", folder=tmp_path, database_url=database_url)
    assert await count(database_url, "*") == 300
    assert await count(database_url, "DISTINCT email_key") == 300
    assert await count(database_url, "DISTINCT password_hash") == 1
    active = await count(database_url, "CASE WHEN is_active THEN 1 END")
    assert 200 < active <= 300
    assert "300" in printed


@pytest.mark.parametrize("command", [["migrate"], ["unlock", "ada@example.com"]])
def test_an_unreachable_database_is_told_in_words(tmp_path: Path, command: list[str]) -> None:
    url = f"postgresql://nobody:hunter2@127.0.0.1:{free_port()}/nothing"
    done = run_here(*command, folder=tmp_path, database_url=url, secret_key=SECRET)
    assert (done.returncode, done.stdout) == (1, "")
    assert "GQL_APP_DATABASE_URL" in done.stderr
    assert "hunter2" not in done.stderr


def test_an_unmigrated_postgresql_is_told_how_to_migrate(
    postgres: Postgres, tmp_path: Path
) -> None:
    with postgres.copied("template1") as url:
        done = run_here("purge", folder=tmp_path, database_url=url, secret_key=SECRET)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Run: gql-app migrate" in done.stderr


def test_postgresql_is_not_served_without_a_secret(tmp_path: Path) -> None:
    url = f"postgresql://127.0.0.1:{free_port()}/nothing"
    done = run_here("serve", folder=tmp_path, database_url=url, log_level="LOUD")
    assert (done.returncode, done.stdout) == (2, "")
    named = [line.partition(":")[0] for line in done.stderr.splitlines()]
    assert named == ["GQL_APP_LOG_LEVEL", "GQL_APP_SECRET_KEY"]


def test_all_faulty_settings_are_told_at_once(tmp_path: Path) -> None:
    faulty = {
        "database_url": "mysql://localhost/x",
        "secret_key": "much too short",
        "access_token_ttl": "0",
        "issuer": "i" * 201,
        "audience": "a" * 201,
        "playground": "perhaps",
        "introspection": "sometimes",
        "log_level": "LOUD",
    }
    done = run_here("serve", folder=tmp_path, **faulty)
    assert (done.returncode, done.stdout) == (2, "")
    named = [line.partition(":")[0] for line in done.stderr.splitlines()]
    assert sorted(named) == sorted(f"GQL_APP_{name.upper()}" for name in faulty)
    assert faulty["secret_key"] not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("host", ["0.0.0.0", "demo.example.com"])  # noqa: S104 — refused
def test_the_demo_is_served_on_loopback_only(tmp_path: Path, host: str) -> None:
    done = run_here("serve", "--demo", "--host", host, folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert host in done.stderr
    assert list(tmp_path.iterdir()) == []


async def test_the_demo_keeps_off_customers_who_are_not_its_own(
    sqlite_url: str, tmp_path: Path
) -> None:
    database = Database(sqlite_url)
    await add_customer(database, "Ada Plain")
    await database.close()
    done = run_here("serve", "--demo", folder=tmp_path, database_url=sqlite_url)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--demo" in done.stderr
    assert await count(sqlite_url, "*") == 1
