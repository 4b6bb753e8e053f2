"""Commands for an application: its own, and what ours do for it."""

import json
from pathlib import Path

import graphql
import pytest

from gql_app.lib.clock import new_id
from tests.commands import output_here, run_here
from tests.conftest import SECRET
from tests.databases import Postgres
from tests.db.test_migrations import run_all
from tests.processes import run_main

SIGNING = "tests.extending.signing:app"
MARKET = "tests.extending.market.api:app"


def test_command_of_a_feature_has_its_settings_and_the_database(
    database_url: str, tmp_path: Path
) -> None:
    chosen = {"database_url": database_url, "app": MARKET, "secret_key": SECRET}
    done = run_here("count-stalls", folder=tmp_path, **chosen)
    if database_url.startswith("postgresql"):  # which nobody migrates by the way
        assert (done.returncode, done.stderr) == (
            1,
            "The database is not migrated. Run: gql-app migrate\n",
        )
        output_here("migrate", folder=tmp_path, **chosen)
    told = output_here(
        "count-stalls", "--rent", "5", folder=tmp_path, **chosen, market_currency="CHF"
    )
    assert told == "0 stalls of 3, in CHF\n"


@pytest.mark.parametrize("command", ["migrate", "serve", "count-stalls", "purge", "export"])
def test_faults_of_all_settings_are_told_at_once(tmp_path: Path, command: str) -> None:
    done = run_here(command, folder=tmp_path, app=MARKET, log_level="x", market_max_stalls="none")
    assert (done.returncode, [line.partition(":")[0] for line in done.stderr.splitlines()]) == (
        2,
        ["GQL_APP_LOG_LEVEL", "GQL_APP_MARKET_MAX_STALLS"],
    )
    assert "none" not in done.stderr


def test_check_finds_what_is_wrong_with_a_feature_too(tmp_path: Path) -> None:
    found = run_here("check", folder=tmp_path, app=MARKET, market_max_stalls="0").stdout
    assert (
        "cannot-start: GQL_APP_MARKET_MAX_STALLS: should be greater than or equal to 1. Mend"
        in found
    )
    found = run_here("check", folder=tmp_path, app=MARKET, market_curency="CHF").stdout
    assert "unknown-variable: GQL_APP_MARKET_CURENCY is no setting of this program." in found
    assert "GQL_APP_APP" not in found
    output_here("migrate", folder=tmp_path)
    found = run_here("check", folder=tmp_path, app=MARKET, market_currency="CHF").stdout
    assert "pending-migrations" in found
    assert "unknown-variable" not in found
    output_here("migrate", folder=tmp_path, app=MARKET)
    assert "pending-migrations" not in run_here("check", folder=tmp_path, app=MARKET).stdout


MAKING = """
from sqlalchemy.orm import Mapped, mapped_column
from gql_app import Feature, Table, create_app


class Row(Table):
    __tablename__ = "unmade"
    id: Mapped[int] = mapped_column(primary_key=True)


app = create_app(features=[Feature("unmade", migrations="unmade:migrations")])
"""


def test_check_finds_a_table_that_no_migration_makes(tmp_path: Path) -> None:
    (tmp_path / "unmade/migrations").mkdir(parents=True)
    module = tmp_path / "unmade/__init__.py"
    module.write_text(MAKING, encoding="utf-8")

    def run(*command: str) -> str:
        done = run_main("--app", "unmade:app", *command, folder=tmp_path)
        return done.stdout + done.stderr

    missing = (
        "missing-migration: No migration of the feature unmade makes its table unmade as it is "
        "declared. Run: make-migration, then migrate\n"
    )
    run("migrate")
    assert missing in run("check")
    run("make-migration", "Make it")
    assert "pending-migrations" in run("check")
    run("migrate")
    assert "migration" not in run("check")
    column = "    id: Mapped[int] = mapped_column(primary_key=True)\n"
    changed = MAKING.replace(column, f"{column}    more: Mapped[str | None]\n")
    module.write_text(changed, encoding="utf-8")
    assert missing in run("check")


def test_check_tells_a_table_that_is_missing_from_one_that_is_refused(
    postgres: Postgres, tmp_path: Path
) -> None:
    with postgres.copied() as url:
        chosen = {"database_url": url, "app": MARKET, "secret_key": SECRET}
        output_here("migrate", folder=tmp_path, **chosen)
        role = f"serving_{new_id().hex}"
        run_all(
            url,
            f"CREATE ROLE {role} LOGIN",
            f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}",
            f"REVOKE ALL ON market_stalls FROM {role}",
        )
        narrow = chosen | {"database_url": url.replace("postgres:", f"{role}:", 1)}
        refused = run_here("check", folder=tmp_path, **narrow).stdout
        assert "permission denied for table market_stalls" in refused
        assert "missing-migration" not in refused
        run_all(url, "DROP TABLE market_stalls")
        missing = run_here("check", folder=tmp_path, **chosen).stdout
        assert "missing-migration: No migration of the feature market makes its table" in missing


def test_trusted_documents_are_held_against_what_features_add(tmp_path: Path) -> None:
    listed = tmp_path / "documents.json"
    listed.write_text('{"1": "query Currency { currency }"}', encoding="utf-8")
    output_here("migrate", folder=tmp_path, app=MARKET)
    for app, is_found in ({"app": MARKET}, False), ({}, True):
        done = run_here("check", folder=tmp_path, trusted_documents=str(listed), **app)
        assert ("invalid-documents" in done.stdout) == is_found


def test_schema_of_the_whole_is_exported_and_compared(tmp_path: Path) -> None:
    printed = output_here("--app", MARKET, "export-schema", folder=tmp_path)
    query = graphql.build_schema(printed).query_type
    assert query
    assert {"currency", "customers"} <= query.fields.keys()
    (tmp_path / "schema.graphql").write_text(printed, encoding="utf-8")
    output_here("--app", MARKET, "export-schema", "--check", folder=tmp_path)
    assert run_here("export-schema", "--check", folder=tmp_path).returncode == 1
    checked = ("export-schema", "--check", "--file", "none.graphql")
    remedy = f"Run: gql-app --app {MARKET} export-schema > none.graphql\n"
    assert run_here("--app", MARKET, *checked, folder=tmp_path).stderr.endswith(remedy)


@pytest.mark.parametrize(
    "command",
    [
        ["keys", "list"],
        ["backup", "copy.db"],
        ["export", "--format", "csv"],
        ["purge"],
        ["end-sessions"],
        ["version"],
    ],
)
def test_every_command_takes_an_application(tmp_path: Path, command: list[str]) -> None:
    output_here("migrate", folder=tmp_path)
    output_here("--app", MARKET, "migrate", folder=tmp_path)
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    output_here("--app", MARKET, *command, folder=tmp_path, keys_dir=str(keys))


def test_commands_know_a_signer(tmp_path: Path) -> None:
    output_here("migrate", folder=tmp_path)
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    settings = {"audiences": "orders", "keys_dir": str(keys), "secret_key": SECRET}
    ours, theirs = (
        json.loads(run_here(*app, "check", "--json", folder=tmp_path, **settings).stdout)
        for app in ((), ("--app", SIGNING))
    )
    found = [{each["code"] for each in told["findings"]} for told in (ours, theirs)]
    assert found[0] - found[1] == {"no-public-key"}
    made = output_here("--app", SIGNING, "keys", "new", folder=tmp_path, **settings).split()[0]
    promoted = output_here("--app", SIGNING, "keys", "promote", made, folder=tmp_path, **settings)
    assert promoted == f"{made} signs from now on, once no signer does.\n"
    listed = output_here("--app", SIGNING, "keys", "list", folder=tmp_path, **settings)
    states = {line.split()[0]: line.split()[2] for line in listed.splitlines()}
    assert states.pop("key-of-the-service") == "signing"
    assert {*states.values()} == {"verifying"}
    assert made in states


def test_admin_has_no_password_that_a_feature_refuses(tmp_path: Path) -> None:
    def create(password: str) -> str:
        admin = ("create-admin", "--email", "grace@example.com", "--name", "Grace")
        return run_here(*admin, folder=tmp_path, app=MARKET, admin_password=password).stderr

    assert create("I haggle all day long") == "password: Don't haggle in your password.\n"
    assert create("I walk all day long") == ""


FAILING = """
from datetime import UTC, datetime

from sqlalchemy import insert, select

import gql_app
from gql_app import Feature, FeatureSettings, Letter, Refused, Transaction, create_app, new_id
from tests.extending.market.api import market
from tests.extending.market.tables import StallRow

LETTER = Letter("undeclared", lambda data, customer: ("", ""))


async def fails(tx: Transaction, what: str) -> None:
    match what:
        case "refused":
            raise Refused("INVALID", "There are no stalls today.", "day")
        case "me":
            tx.me
        case "audit":
            await tx.audit("stall:undeclared")
        case "post":
            await tx.post(LETTER, new_id())
        case "settings":
            tx.settings_of(FeatureSettings)
        case "row":
            stall = insert(StallRow).values(name="A stall", opened_at=datetime.now(UTC))
            await tx.execute(stall.values(id=new_id(), customer_id=new_id()))
        case _:
            raise LookupError(what)


def fail(what: str) -> None:
    try:
        gql_app.run(fails, what)
    finally:
        print("It has failed.")


app = create_app(features=[market, Feature("failing", commands=[fail])])
"""
NO_FEATURE = "is no feature's"


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("refused", "day: There are no stalls today."),
        ("me", "You are not signed in."),
        ("audit", f"stall:undeclared {NO_FEATURE} action: name it in Feature.actions"),
        ("post", f"undeclared {NO_FEATURE} letter: name it in Feature.letters"),
        ("settings", "FeatureSettings are the settings of no feature of this application"),
        ("row", "foreign key constraint"),
    ],
)
def test_error_that_is_meant_for_people_ends_a_command_in_words(
    database_url: str, tmp_path: Path, what: str, words: str
) -> None:
    (tmp_path / "mistaken.py").write_text(FAILING, encoding="utf-8")
    chosen = {"database_url": database_url, "app": "mistaken:app", "secret_key": SECRET}
    output_here("migrate", folder=tmp_path, **chosen)
    done = run_here("fail", what, folder=tmp_path, **chosen)
    assert (done.returncode, done.stdout) == (1, "It has failed.\n")
    [line] = done.stderr.splitlines()
    assert words.lower() in line.lower()


def test_unforeseen_error_ends_a_command_with_its_traceback(tmp_path: Path) -> None:
    (tmp_path / "mistaken.py").write_text(FAILING, encoding="utf-8")
    with pytest.raises(LookupError, match="other"):
        run_here("fail", "other", folder=tmp_path, app="mistaken:app", secret_key=SECRET)
