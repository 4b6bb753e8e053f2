"""The operator's handbook: every command in it is run, as it stands there."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from packaging.requirements import Requirement

from gql_app.settings import ADMIN_PASSWORD, APP, PREFIX, Settings
from tests.containers import composition
from tests.databases import Postgres
from tests.processes import ROOT, signed_in
from tests.shell import PASSWORD, Operator

PAGES = ("operating", "systemd", "containers", "kubernetes", "proxies")
HANDBOOK = "\n".join((ROOT / f"docs/{page}.md").read_text(encoding="utf-8") for page in PAGES)
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EMAIL = "you@example.com"
MOVING = "Moving from SQLite to PostgreSQL"


def blocks(chapter: str, label: str = "sh") -> list[str]:
    """Read the blocks of a chapter."""
    text = re.split(rf"^##+ {chapter}$", HANDBOOK, flags=re.MULTILINE)[1]
    text = re.split(r"^##+ ", text, flags=re.MULTILINE)[0]
    return [content for found, content in BLOCK.findall(text) if found == label]


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def operator(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, Operator]]:
    """Sit an operator down before an empty folder, or a server of PostgreSQL's."""
    if request.param == "SQLite":
        yield request.param, Operator(tmp_path)
        return
    server: Postgres = request.getfixturevalue("postgres")
    monkeypatch.setenv("PGHOST", httpx.URL(server.url("postgres")).params["host"])
    monkeypatch.setenv("PGUSER", "postgres")
    yield request.param, Operator(tmp_path)
    for name in ("gql_app", "restored"):
        server.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    server.run("DROP ROLE IF EXISTS gql_app")


def test_what_was_backed_up_is_restored_elsewhere_and_signs_in(
    operator: tuple[str, Operator],
) -> None:
    chapter, them = operator
    begin, backup, restore = blocks(chapter)
    assert "Nothing to mend." in them.type(begin)
    with them.serving() as client:
        token = signed_in(client, EMAIL, PASSWORD)
        assert '{"status":"ready",' in them.type(backup)
    (copy,) = them.folder.glob("gql_app-2*")
    assert copy.stat().st_mode & 0o777 == 0o600
    told = them.type(restore)
    assert "1 session is ended." in told
    assert "Nothing to mend." in told
    with them.serving() as client:
        ask = {"query": "{ me { email } }"}
        old = client.post("/graphql", json=ask, headers={"Authorization": f"Bearer {token}"}).json()
        assert old["errors"][0]["extensions"]["reason"] == "TOKEN_REVOKED"
        new = signed_in(client, EMAIL, PASSWORD)
        headers = {"Authorization": f"Bearer {new}"}
        found = client.post("/graphql", json=ask, headers=headers).json()
        assert found == {"data": {"me": {"email": EMAIL}}}


@pytest.mark.parametrize("operator", ["PostgreSQL"], indirect=True)
def test_customers_move_to_postgresql_with_their_ids_and_passwords(
    operator: tuple[str, Operator],
) -> None:
    _, them = operator
    leave, arrive = blocks(MOVING)
    them.type(blocks("SQLite")[0])
    before = account(them)
    them.type(leave)
    left = [them.folder / name for name in ("before.db", "audit.jsonl", "customers.jsonl")]
    assert {each.stat().st_mode & 0o777 for each in left} == {0o600}
    told = them.type(arrive)
    assert "1 customer is imported.\nNothing to mend." in told
    assert account(them) == before
    assert not left[-1].exists()
    assert '"customer:create"' in left[1].read_text(encoding="utf-8")
    assert '"customer:create"' not in them.type("gql-app export-audit")


def account(them: Operator) -> object:
    """Sign the admin in, and return who they are."""
    with them.serving() as client:
        headers = {"Authorization": f"Bearer {signed_in(client, EMAIL, PASSWORD)}"}
        ask = {"query": "{ me { id email isAdmin roles createdAt emailVerifiedAt } }"}
        found = client.post("/graphql", json=ask, headers=headers).json()
    assert found["data"]["me"]["isAdmin"]
    return found


def test_every_block_is_run_or_named_here() -> None:
    chapters = ("SQLite", "PostgreSQL", MOVING, "Compose")
    run = [each for chapter in chapters for each in blocks(chapter)]
    (engine,) = blocks("Compose", "text")
    # test_commands.py has those at a prompt
    others = [content for label, content in BLOCK.findall(HANDBOOK) if label != "console"]
    assert others == [*run, engine]


def test_secrets_of_the_containers_are_made(tmp_path: Path) -> None:
    (block,) = blocks("Compose")
    Operator(tmp_path).type(block)
    file = tmp_path / ".env"
    assert file.stat().st_mode & 0o777 == 0o600
    made = dict(line.split("=", 1) for line in file.read_text().splitlines())
    services = composition(made)["services"]
    assert isinstance(services, dict)
    said = services["serve"]["environment"]
    settings = {name.removeprefix(PREFIX).lower(): value for name, value in said.items()}
    assert Settings.model_validate(settings).secret_bytes == made["GQL_APP_SECRET_KEY"].encode()


def test_engine_is_told_of_services_and_commands_that_there_are() -> None:
    (block,) = blocks("Compose", "text")
    services = composition({"POSTGRES_PASSWORD": "0a", "GQL_APP_SECRET_KEY": "x" * 40})["services"]
    assert isinstance(services, dict)
    called = re.findall(r"(?:run --rm|exec) (\w+) ([\w-]+)", block)
    assert called == [("serve", "create-admin"), ("database", "pg_dump")]
    assert {service for service, _ in called} <= services.keys()


def test_constraints_for_pipx_are_the_tested_versions_without_hashes(tmp_path: Path) -> None:
    (command,) = re.findall(r"^\$ (grep == .*)$", HANDBOOK, re.MULTILINE)
    shutil.copy(ROOT / "requirements.txt", tmp_path)
    Operator(tmp_path).type(command)
    lines = (tmp_path / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert all(str(Requirement(line).specifier).startswith("==") for line in lines)
    lock = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert len(lines) == len(re.findall(r"^\w", lock, re.MULTILINE))


def test_settings_that_are_named_are_settings() -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | {ADMIN_PASSWORD, APP}
    assert set(re.findall(rf"\b{PREFIX}[A-Z_]+", HANDBOOK)) <= known


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#]+)", HANDBOOK))
def test_what_is_linked_to_is_there(target: str) -> None:
    assert (ROOT / "docs" / target).exists()
