"""The settings: their defaults, their faults, and what serving asks for besides."""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pydantic import ValidationError

from gql_app import settings
from gql_app.cli.accounts import admin_password
from gql_app.cli.application import unknown_variables
from gql_app.lib.faults import CannotStart
from gql_app.settings.model import LOOPBACK_ORIGINS

SECRET = "hunter2" * 5
SMTP = "smtp://ada:secret@mail.example.com:587"
POSTGRESQL = "postgresql://ada:hunter2@db.example:5432/customers"
BAD_URLS = [
    "hunter2",
    "sqlite://",
    "sqlite:///",
    "sqlite:///?mode=ro",
    "sqlite:///:memory:",
    "sqlite:///:memory:?cache=shared",
    "sqlite:///file.db?mode=ro",
    "sqlite:///file%00.db",
    "sqlite+aiosqlite:///file.db",
    "mysql://ada:hunter2@db/customers",
    "postgresql+asyncpg://ada:hunter2@db/customers",
    "postgresql://",
    "postgresql://ada:hunter2@db",
    "postgresql://ada:hunter2@db/",
    "postgresql://ada:hunter2@db:port/customers",
    "postgresql://ada:hunter2@db:70000/customers",
    "postgresql://ada:hunter2/@db/customers",
    "postgresql://ada:hunter2#@db/customers",
    "postgresql://ada:hunter2@[db/customers",
    "postgresql://ada:hunter2@[hunter2]/customers",
    "postgresql://ada:hunter2℀@db/customers",
    "postgresql://a,b/customers?target_session_attrs=hunter2",
    "postgresql://db/customers?sslmode=hunter2",
    "postgresql:///customers?service=hunter2",
    "postgresql://a,b/customers?target_session_attrs=primary&target_session_attrs=writable",
]


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what this machine has set."""
    for name in os.environ:
        if name.upper().startswith("GQL_APP_"):
            monkeypatch.delenv(name)


@pytest.fixture
def variable(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Set the variable that a test is given as NAME=value, and tell its name."""
    name, _, value = request.param.partition("=")
    monkeypatch.setenv(name, value)
    return str(name)


def faults(*, serving: bool = False) -> tuple[str, ...]:
    """Load settings that can't be, and tell why; nothing of a value is told with it."""
    with pytest.raises(CannotStart) as caught:
        settings.load(serving=serving)
    assert caught.value.__context__ is None
    assert "hunter2" not in str(caught.value)
    return caught.value.faults


def set_variables(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    """Set variables by their names without the prefix."""
    for name, value in variables.items():
        monkeypatch.setenv(f"GQL_APP_{name}", value)


def test_nothing_needs_to_be_set() -> None:
    loaded = settings.load(serving=True)
    assert loaded.on_sqlite
    assert loaded.secret_bytes is None
    assert loaded.access_token_ttl == 3600
    assert loaded.playground
    assert loaded.introspection
    assert loaded.compiled
    assert loaded.compression
    assert (loaded.origins, loaded.allowed_headers) == ((), ())
    assert (loaded.management_port, loaded.management_host) == (None, "127.0.0.1")
    assert not loaded.traces
    assert loaded.database_prepared_statements is None
    assert loaded.log_level == "INFO"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("secret_key", "hunter2"),
        ("smtp_url", "http://bob:hunter2@mail"),
        ("database_url", "mysql://bob:hunter2@host/data"),
        ("passwords", ["hunter2"]),
    ],
)
def test_error_of_settings_shows_no_value(name: str, value: object) -> None:
    given: dict[str, Any] = {name: value}
    with pytest.raises(ValidationError) as caught:
        settings.Settings(**given)
    assert name in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_every_variable_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    set_variables(
        monkeypatch,
        DATABASE_URL=POSTGRESQL,
        SECRET_KEY=SECRET,
        ACCESS_TOKEN_TTL="60",
        ISSUER="us",
        AUDIENCE="them",
        AUDIENCES=" orders, mail ",
        PLAYGROUND="off",
        INTROSPECTION="false",
        LOG_LEVEL="debug",
        PASSWORD_THREADS="2",
        PASSWORD_QUEUE="3",
        REFRESH_TOKEN_TTL="4",
        REFRESH_GRACE_SECONDS="0",
        REFRESH_RETRY_SECONDS="9",
        SESSION_MAX_AGE="5",
        REGISTRATION="no",
        AUDIT_ORIGIN_DAYS="1",
        LOGIN_ATTEMPTS="6",
        LOGIN_CLIENT_ATTEMPTS="7",
        LOGIN_WINDOW_SECONDS="8",
        LOGIN_LOCKOUT_ATTEMPTS="9",
        ACCOUNT_WRITES_PER_HOUR="10",
        TRUSTED_PROXIES="127.0.0.1, 10.0.0.0/8",
        SMTP_URL=SMTP,
        MAIL_FROM="us@example.com",
        LETTERS_PER_DAY="9",
        RESET_URL="https://example.com/reset",
        DEMO="1",
        COMPILED="0",
        COMPRESSION="no",
        ALLOWED_ORIGINS="https://*.example.com",
        ALLOWED_HEADERS="X-Tenant, b3",
        MANAGEMENT_PORT="9000",
        MANAGEMENT_HOST="::1",
        TRACES="true",
        DATABASE_PREPARED_STATEMENTS="no",
    )
    loaded = settings.load(serving=True)
    assert not loaded.on_sqlite
    assert loaded.origins == ("https://*.example.com", *LOOPBACK_ORIGINS)  # as it is the demo
    assert loaded.secret_bytes == SECRET.encode()
    assert loaded.smtp_url is not None
    assert loaded.smtp_url.get_secret_value() == SMTP
    assert (
        loaded.model_dump().items()
        >= {
            "database_url": POSTGRESQL,
            "access_token_ttl": 60,
            "issuer": "us",
            "audience": "them",
            "audiences": ("orders", "mail"),
            "allowed_headers": ("X-Tenant", "b3"),
            "playground": False,
            "introspection": False,
            "log_level": "DEBUG",
            "password_threads": 2,
            "password_queue": 3,
            "refresh_token_ttl": 4,
            "refresh_grace_seconds": 0,
            "refresh_retry_seconds": 9,
            "session_max_age": 5,
            "registration": False,
            "audit_origin_days": 1,
            "login_attempts": 6,
            "login_client_attempts": 7,
            "login_window_seconds": 8,
            "login_lockout_attempts": 9,
            "account_writes_per_hour": 10,
            "trusted_proxies": "127.0.0.1, 10.0.0.0/8",
            "mail_from": "us@example.com",
            "reset_url": "https://example.com/reset",
            "demo": True,
            "compiled": False,
            "compression": False,
            "management_port": 9000,
            "management_host": "::1",
            "traces": True,
            "database_prepared_statements": False,
        }.items()
    )


def test_settings_are_frozen() -> None:
    loaded = settings.load()
    with pytest.raises(ValidationError, match="frozen"):
        loaded.issuer = "another"  # type: ignore[misc]  # mypy refuses it as well


def test_every_fault_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    set_variables(
        monkeypatch,
        DATABASE_URL="postgresql://ada:hunter2@db.example",
        ACCESS_TOKEN_TTL="hunter2",
        ISSUER="hunter2" * 100,
        AUDIENCE="hunter2" * 100,
        AUDIENCES="hunter2,,hunter2",
        PLAYGROUND="hunter2",
        INTROSPECTION="hunter2",
        LOG_LEVEL="hunter2",
        PASSWORD_THREADS="0",
        PASSWORD_QUEUE="-1",
    )
    told = faults(serving=True)
    assert [fault.partition(": ")[0] for fault in told] == [
        "GQL_APP_DATABASE_URL",
        "GQL_APP_ACCESS_TOKEN_TTL",
        "GQL_APP_ISSUER",
        "GQL_APP_AUDIENCE",
        "GQL_APP_AUDIENCES",
        "GQL_APP_PLAYGROUND",
        "GQL_APP_INTROSPECTION",
        "GQL_APP_LOG_LEVEL",
        "GQL_APP_PASSWORD_THREADS",
        "GQL_APP_PASSWORD_QUEUE",
        "GQL_APP_SECRET_KEY",
    ]
    assert all(fault.partition(": ")[2] for fault in told)


@pytest.mark.parametrize("secret", ["hunter2", "hunter2" + "x" * 24, "é" * 15 + "x", "\udcff" * 31])
def test_secret_under_32_bytes_is_refused(monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    monkeypatch.setenv("GQL_APP_SECRET_KEY", secret)
    told = faults(serving=True)
    size = len(os.fsencode(secret))
    assert told == (f"GQL_APP_SECRET_KEY: must be at least 32 bytes long, not {size}",)


@pytest.mark.parametrize(
    "secret", [b"x" * 32, "é".encode() * 16, bytes(range(224, 256)), b"x" + b" " * 30 + b"x"]
)
def test_secret_is_the_very_bytes_of_its_variable(
    monkeypatch: pytest.MonkeyPatch, secret: bytes
) -> None:
    monkeypatch.setenv("GQL_APP_SECRET_KEY", os.fsdecode(secret))
    assert settings.load(serving=True).secret_bytes == secret


def test_secret_is_in_no_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GQL_APP_SECRET_KEY", SECRET)
    loaded = settings.load()
    assert "hunter2" not in f"{loaded!r} {loaded} {loaded.model_dump_json()}"


def test_postgresql_needs_a_secret_to_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GQL_APP_DATABASE_URL", POSTGRESQL)
    assert settings.load().secret_bytes is None
    (told,) = faults(serving=True)
    assert told.startswith("GQL_APP_SECRET_KEY: is required with PostgreSQL")


def test_postgresql_with_a_secret_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    set_variables(monkeypatch, DATABASE_URL=POSTGRESQL, SECRET_KEY=SECRET)
    assert settings.load(serving=True).secret_bytes == SECRET.encode()


def test_as_many_passwords_are_hashed_at_once_as_there_are_cores_that_may_be_used() -> None:
    def on_one_core() -> int:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
        return settings.load().password_threads

    assert settings.load().password_threads == min(4, len(os.sched_getaffinity(0)))
    with ThreadPoolExecutor(1) as thread:  # which alone is kept to it
        assert thread.submit(on_one_core).result() == 1


@pytest.mark.parametrize("seconds", [1, 2, 3600, 10**12])
def test_token_may_live_any_whole_number_of_seconds(
    monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    monkeypatch.setenv("GQL_APP_ACCESS_TOKEN_TTL", str(seconds))
    assert settings.load().access_token_ttl == seconds


@pytest.mark.parametrize(
    "variable",
    [
        *(f"GQL_APP_ACCESS_TOKEN_TTL={ttl}" for ttl in ("0", "-1", "1.5", "x", "9" * 5000)),
        *(f"GQL_APP_DATABASE_URL={url}" for url in BAD_URLS),
        "GQL_APP_LOG_LEVEL=LOUD",
        "GQL_APP_PASSWORD_THREADS=65",
        "GQL_APP_AUDIENCE=" + "x" * 201,
    ],
    indirect=True,
    ids=lambda text: str(text)[:60],
)
def test_fault_names_its_variable_and_not_its_value(variable: str) -> None:
    (told,) = faults()
    assert told.startswith(f"{variable}: ")


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///file.db",
        "sqlite:////absolute/file.db",
        POSTGRESQL,
        "postgresql://db/customers",
        "postgresql://ada:hunter%2F2@[::1]:5432/customers",
        "postgresql://ada@one:5432,two:5433/customers",
        "postgresql://one,two/customers?target_session_attrs=read-write",
        "postgresql://one,two/customers?target_session_attrs=primary&sslmode=require",
        "postgresql:///customers?host=/run/postgresql",
    ],
)
def test_url_of_a_database_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("GQL_APP_DATABASE_URL", url)
    assert settings.load().database_url == url
    assert settings.load().on_sqlite == url.startswith("sqlite")


@pytest.mark.parametrize("name", ["DATABASE_URL", "READ_URL"])
@pytest.mark.parametrize(
    "user",
    ["ada:hunter@2", "ada@shop:hunter2", "ada:1/hunter2", "ada:1#hunter2", "ada:hunter2#"],
)
def test_unescaped_password_is_told_as_such(
    monkeypatch: pytest.MonkeyPatch, name: str, user: str
) -> None:
    set_variables(monkeypatch, DATABASE_URL=POSTGRESQL)
    set_variables(monkeypatch, **{name: f"postgresql://{user}@db.example:5432/customers"})
    (told,) = faults()
    assert told == (
        f"GQL_APP_{name}: must read postgresql://user:password@host:port/database, "
        "with every special character of the password written as %XX"
    )


def test_standby_is_one_of_postgresql(monkeypatch: pytest.MonkeyPatch) -> None:
    told = (
        "GQL_APP_READ_URL: is of a standby of PostgreSQL, and a file of SQLite has none; "
        "leave it out, or set GQL_APP_DATABASE_URL to a PostgreSQL"
    )
    monkeypatch.setenv("GQL_APP_READ_URL", POSTGRESQL)
    assert faults() == (told,)
    monkeypatch.setenv("GQL_APP_DATABASE_URL", POSTGRESQL)
    assert settings.load().read_url == POSTGRESQL
    assert POSTGRESQL not in repr(settings.load())
    monkeypatch.setenv("GQL_APP_READ_URL", "sqlite:///copy.db")
    assert faults() == (told,)
    monkeypatch.setenv("GQL_APP_READ_URL", f"{POSTGRESQL}?ssl=1")
    assert faults() == (
        "GQL_APP_READ_URL: ssl is not known here: say sslmode=require, or verify-full",
    )
    set_variables(monkeypatch, READ_URL=POSTGRESQL, DATABASE_URL="hunter2")
    [fault] = faults()
    assert fault.startswith("GQL_APP_DATABASE_URL: ")


def test_misspelt_variables_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    set_variables(monkeypatch, SECRET="hunter2", ISSUER="us", ADMIN_PASSWORD="hunter2", AUDIENC="x")
    monkeypatch.setenv("gql_app_log_level", "INFO")
    monkeypatch.setenv("GQL_APPLICATION", "another program's")
    assert unknown_variables() == ["GQL_APP_AUDIENC", "GQL_APP_SECRET"]


def test_password_of_the_first_admin_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert admin_password() is None
    monkeypatch.setenv("GQL_APP_ADMIN_PASSWORD", "a password for an admin")
    assert admin_password() == "a password for an admin"
