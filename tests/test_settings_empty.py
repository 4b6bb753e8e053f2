"""What is empty is not set, and blanks at the ends are no part of a value, whatever it is."""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from gql_app import settings
from gql_app.cli.accounts import admin_password
from gql_app.cli.application import unknown_variables
from gql_app.lib.environment import tidy_environment
from gql_app.lib.faults import CannotStart
from gql_app.security.key_store import key_store
from gql_app.settings import PREFIX, Settings
from gql_app.web.pages.playground import BUILT
from tests.commands import run_here
from tests.conftest import SECRET
from tests.databases import copied_sqlite
from tests.processes import run, serving
from tests.security.foundry import pair, private_pem

EMPTY = ["", " ", "\r", "\t", "\n", " \r\n", "\u00a0"]
AROUND = [("", "\r"), (" ", ""), ("", " "), ("\t", "\n"), (" ", "\r\n")]
KEYS = ("SECRET_KEY", "SECRET_KEY_FALLBACK", "FACTOR_KEY", "FACTOR_KEY_FALLBACK")
BLANKS = "begins or ends with a blank or a line break, which would be part of it; set it without"
POSTGRESQL = "postgresql://ada:hunter2@db.example:5432/customers"
GIVEN: Mapping[str, str] = {
    "DATABASE_URL": "sqlite:///x.db",
    "ISSUER": "us",
    "SECOND_FACTOR": "admins",
    "AUDIENCE": "them",
    "LOG_LEVEL": "debug",
    "TRUSTED_PROXIES": "10.0.0.1, 10.0.0.2",
    "SMTP_URL": "smtp://ada:secret@mail.example.com",
    "MAIL_FROM": "us@example.com",
    "REPLY_TO": "help@example.com",
    "PRODUCT_NAME": "Shop",
    "LETTERS_DIR": str(Path(__file__).parent),
    "RESET_URL": "https://example.com/reset",
    "VERIFY_URL": "https://example.com/verify",
    "UNDO_URL": "https://example.com/undo",
    "INVITATION_URL": "https://example.com/accept",
    "SIGN_IN_URL": "https://example.com/sign-in",
    "HOME_URL": "https://example.com/",
    "EMAIL_VERIFICATION": "ask",
    "BREACHED_PASSWORDS_URL": "https://breached.example.com",
    "PASSKEY_RP_ID": "example.com",
    "PASSKEY_ORIGINS": "https://example.com",
    "READ_URL": "postgresql://standby.example.com/app",
    "KEYS_DIR": str(Path(__file__).parent),
    "ALLOWED_HOSTS": "api.example.com",
    "ALLOWED_ORIGINS": "https://app.example.com",
    "ALLOWED_HEADERS": "X-Tenant",
    "MANAGEMENT_HOST": "::1",
    "TRUSTED_DOCUMENTS": str(BUILT / "operations.json"),
    "TRUSTED_DOCUMENTS_ALLOW": "playground,introspection",
}
"""A value of each variable that is no number and no switch."""


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what this machine has set."""
    for name in os.environ:
        if name.upper().startswith(PREFIX):
            monkeypatch.delenv(name)


def values() -> dict[str, object]:
    """Load all settings, and tell their values."""
    loaded = settings.load()
    return {name: getattr(loaded, name) for name in Settings.model_fields}


def other_values() -> dict[str, str]:
    """Make up a value that each variable takes, which is not its default."""
    defaults = settings.load().model_dump()
    return {
        name: GIVEN.get(name) or ("false" if defaults[name.lower()] is True else "1")
        for name in VARIABLES
    }


VARIABLES = sorted(name.upper() for name in Settings.model_fields if name.upper() not in KEYS)


@pytest.mark.parametrize("empty", EMPTY, ids=repr)
def test_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch, empty: str) -> None:
    unset = values()
    for name in VARIABLES:
        monkeypatch.setenv(PREFIX + name, empty)
    assert values() == unset


@pytest.mark.parametrize("around", AROUND, ids=repr)
@pytest.mark.parametrize("url", [GIVEN["DATABASE_URL"], POSTGRESQL])
def test_blanks_around_a_value_are_no_part_of_it(
    monkeypatch: pytest.MonkeyPatch, url: str, around: tuple[str, str]
) -> None:
    given = {**other_values(), "DATABASE_URL": url}
    if url != POSTGRESQL:
        del given["READ_URL"]  # which SQLite has not
    unset = values()
    for name, value in given.items():
        monkeypatch.setenv(PREFIX + name, value)
    meant = values()
    assert {name for name in meant if meant[name] != unset[name]} == {*map(str.lower, given)}
    for name, value in given.items():
        monkeypatch.setenv(PREFIX + name, value.join(around))
    assert values() == meant


@pytest.mark.parametrize("name", KEYS)
def test_empty_secret_is_not_set(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    unset = values()
    monkeypatch.setenv(PREFIX + name, "")
    assert values() == unset


@pytest.mark.parametrize(
    "secret", [*EMPTY[1:], " " * 40, *(SECRET.join(a) for a in AROUND)], ids=repr
)
@pytest.mark.parametrize("name", KEYS)
def test_secret_with_blanks_at_its_ends_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, secret: str
) -> None:
    monkeypatch.setenv(PREFIX + name, secret)
    with pytest.raises(CannotStart) as stopped:
        settings.load(serving=True)
    assert stopped.value.faults == (f"{PREFIX}{name}: {BLANKS}",)


@pytest.mark.parametrize(
    "password", [*EMPTY[1:], "a good password ", "\ta good password"], ids=repr
)
def test_password_with_blanks_at_its_ends_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sqlite_template: Path, password: str
) -> None:
    monkeypatch.setenv(f"{PREFIX}ADMIN_PASSWORD", password)
    with pytest.raises(CannotStart, match=f"GQL_APP_ADMIN_PASSWORD: {BLANKS}"):
        admin_password()
    done = run_here(
        *("create-admin", "--email", "ada@example.com", "--name", "Ada"),
        folder=tmp_path,
        database_url=copied_sqlite(sqlite_template, tmp_path),
        admin_password=password,
    )
    assert (done.returncode, done.stderr) == (2, f"GQL_APP_ADMIN_PASSWORD: {BLANKS}\n")


def test_empty_password_of_the_first_admin_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}ADMIN_PASSWORD", "")
    assert admin_password() is None


@pytest.mark.parametrize("secret", [None, ""], ids=repr)
@pytest.mark.parametrize("url", [POSTGRESQL, f" {POSTGRESQL}\r"], ids=repr)
def test_empty_secret_is_none_where_postgresql_requires_one(
    monkeypatch: pytest.MonkeyPatch, url: str, secret: str | None
) -> None:
    monkeypatch.setenv(f"{PREFIX}DATABASE_URL", url)
    if secret is not None:
        monkeypatch.setenv(f"{PREFIX}SECRET_KEY", secret)
    with pytest.raises(CannotStart) as stopped:
        settings.load(serving=True)
    assert stopped.value.faults == (settings.SECRET_REQUIRED,)


def test_secret_of_blanks_is_told_once_where_postgresql_requires_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(f"{PREFIX}DATABASE_URL", POSTGRESQL)
    monkeypatch.setenv(f"{PREFIX}SECRET_KEY", " " * 40)
    with pytest.raises(CannotStart) as stopped:
        settings.load(serving=True)
    assert stopped.value.faults == (f"{PREFIX}SECRET_KEY: {BLANKS}",)


def test_misspelt_variable_that_is_empty_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}AUDIENC", " \r")
    monkeypatch.setenv(f"{PREFIX}ISSUERR", "us")
    assert unknown_variables() == [f"{PREFIX}ISSUERR"]


def test_no_key_of_the_working_folder_is_taken(tmp_path: Path, sqlite_template: Path) -> None:
    (tmp_path / "server-tls.pem").write_bytes(private_pem(pair("EdDSA")))
    kept = {"database_url": copied_sqlite(sqlite_template, tmp_path), "secret_key": SECRET}
    for empty in ("", " "):
        done = run_here("keys", "list", folder=tmp_path, **kept, keys_dir=empty)
        assert done.stderr.startswith("GQL_APP_KEYS_DIR: is not set")
        store = key_store(Settings.model_validate(kept | {"keys_dir": empty}))
        assert list(store.scan().stored) == ["GQL_APP_SECRET_KEY"]
    with serving(folder=tmp_path, **kept, keys_dir=" ") as server, server.client() as client:
        assert client.get("/.well-known/jwks.json").json() == {"keys": []}


def test_file_of_a_url_with_a_line_break_is_the_one_that_is_meant(tmp_path: Path) -> None:
    done = run_here("migrate", folder=tmp_path, database_url="sqlite:///x.db\r")
    assert done.returncode == 0
    assert [file.name for file in tmp_path.iterdir()] == ["x.db"]


def test_demo_keeps_to_its_own_database_where_the_url_is_empty(tmp_path: Path) -> None:
    ports = ("--port", "9000")  # which is taken by itself, so that it ends before it listens
    given = {"database_url": "", "management_port": "9000"}
    done = run_here("serve", "--demo", *ports, folder=tmp_path, **given)
    assert "GQL_APP_MANAGEMENT_PORT: is the port that is served already" in done.stderr
    assert {file.name for file in tmp_path.iterdir()} >= {"demo.db"}
    assert not (tmp_path / "gql_app.db").exists()


def test_libraries_read_their_variables_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "PGSSLMODE": "",
        "PGHOST": "/run/postgresql\r",
        "PGPASSWORD": " hunter2 ",
        "OTEL_EXPORTER_OTLP_ENDPOINT": " ",
        "OTEL_SERVICE_NAME": " us ",
        "PROMETHEUS_MULTIPROC_DIR": "",
        "PGX": "",
        "ANOTHER_PROGRAMS": " ",
    }.items():
        monkeypatch.setenv(name, value)
    tidy_environment()
    assert {
        n: v for n, v in os.environ.items() if n.startswith(("PG", "OTEL_", "PROM", "ANO"))
    } == {
        "PGHOST": "/run/postgresql",
        "PGPASSWORD": " hunter2 ",
        "OTEL_SERVICE_NAME": "us",
        "ANOTHER_PROGRAMS": " ",
    }


@pytest.mark.parametrize("module", ["gql_app.app", "gql_app.cli.serve"])
def test_numbers_are_not_kept_in_the_working_folder(tmp_path: Path, module: str) -> None:
    count = f"import {module}; from gql_app.metrics import new_metrics; new_metrics()"
    named = {
        **os.environ,
        "PROMETHEUS_MULTIPROC_DIR": "",
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", named)
        done = run([sys.executable, "-c", count], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []


def test_empty_host_is_loopback_and_not_the_world(tmp_path: Path) -> None:
    with serving("--host", " ", folder=tmp_path) as server:
        listening = Path("/proc/net/tcp").read_text(encoding="ascii")
        assert re.search(rf" 0100007F:{server.port:04X} 00000000:0000 0A", listening)
    for empty in ("", " "):
        done = run_here("check", "--host", empty, "--accept", "no-mail", folder=tmp_path)
        assert "open-playground" not in done.stdout
        demo = run_here("serve", "--demo", "--host", empty, folder=tmp_path, log_level="LOUD")
        assert "loopback" not in demo.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("import", ""),
        ("import", "", "--format", "csv"),
        ("import", "a.csv", "--report", ""),
        ("export", ""),
        ("export", "", "--format", "csv"),
        ("backup", ""),
        ("backup", "/"),
        ("keys", "promote", ""),
        ("keys", "retire", ""),
        ("create-admin", "--email", "", "--name", "Ada"),
        ("create-admin", "--email", "ada@example.com", "--name", " "),
    ],
    ids=" ".join,
)
def test_empty_argument_is_told_in_words_and_nothing_is_done(
    tmp_path: Path, sqlite_template: Path, arguments: tuple[str, ...]
) -> None:
    url = copied_sqlite(sqlite_template, tmp_path)
    (tmp_path / "a.csv").write_text("name,email\n")
    (tmp_path / "keys").mkdir()
    before = sorted(tmp_path.rglob("*"))
    given = {"secret_key": SECRET, "keys_dir": "keys", "admin_password": "a good long password"}
    done = run_here(*arguments, folder=tmp_path, database_url=url, **given)
    assert done.returncode in {1, 2}
    assert done.stderr
    assert sorted(tmp_path.rglob("*")) == before
