"""What the operator decides: the environment's `GQL_APP_` variables, read here only."""

import os
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Final, get_args

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from gql_app.errors import CannotStart
from gql_app.settings.environment import PREFIX, given, tidy, variable
from gql_app.settings.values import (
    BLANKS,
    MIN_SECRET_BYTES,
    POSTGRESQL,
    SQLITE,
    DatabaseUrl,
    Days,
    Domains,
    Folder,
    Hosts,
    Level,
    MailUrl,
    Natural,
    Origins,
    Page,
    Port,
    Positive,
    Proxies,
    SecretKey,
    Sender,
    Traces,
    Words,
    very_bytes,
)

__all__ = [
    "MIN_SECRET_BYTES",
    "NO_CLIENT_LIMIT",
    "PREFIX",
    "SECRET_REQUIRED",
    "SHARED_NUMBERS",
    "SQLITE",
    "Settings",
    "admin_password",
    "given",
    "load",
    "shared_numbers",
    "unknown_variables",
    "variable",
]

ADMIN_PASSWORD: Final = PREFIX + "ADMIN_PASSWORD"
SHARED_NUMBERS: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The library that counts reads this variable, too, once it is imported."""
SECRET_REQUIRED: Final = (
    f"{PREFIX}SECRET_KEY: is required with PostgreSQL, so that every process signs alike; "
    "make one with: openssl rand -base64 48"
)


NO_CLIENT_LIMIT: Final = "anybody may be any client, so that no limit of one client holds"
"""What it means to believe X-Forwarded-For of every peer."""


def _some_cores() -> int:
    """Tell how many cores this process may use, up to four: more threads would only wait."""
    if hasattr(os, "sched_getaffinity"):  # where there is none, nobody is kept from a core
        return min(4, len(os.sched_getaffinity(0)))
    return min(4, os.cpu_count() or 1)


class Settings(BaseSettings):
    """Every setting with its default; frozen once read."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    database_url: DatabaseUrl = Field(default="sqlite:///gql_app.db", repr=False)
    """`sqlite:///file.db` or `postgresql://user:password@host/database`; of hosts several."""
    database_connections: Positive = 10
    """Connections that one process reads with; as many again write, and one more looks on."""
    database_pool_timeout: Positive = 5
    """Seconds that anybody waits for one of them."""
    database_prepared_statements: bool = True
    """Whether PostgreSQL keeps statements; not behind a pooler that lends it by transactions."""
    secret_key: SecretKey | None = None
    """Signs the tokens (HS256); 32 bytes or more. Made and kept beside an SQLite file."""
    access_token_ttl: Positive = 3600
    """Seconds that a token lives."""
    issuer: Words = "gql_app"
    """The tokens' `iss` (RFC 7519 section 4.1.1)."""
    audience: Words = "gql_app"
    """The tokens' `aud` (RFC 7519 section 4.1.3)."""
    playground: bool = True
    """Whether GET /graphql shows the playground to a browser."""
    introspection: bool = True
    """Whether clients may ask for the schema."""
    log_level: Level = "INFO"
    """The least severe log line that is written."""
    refresh_token_ttl: Positive = 30 * 24 * 3600
    """Seconds that a session goes on after each refresh."""
    refresh_grace_seconds: Natural = 10
    """Seconds in which a spent refresh token is answered again, for callers that race."""
    refresh_retry_seconds: Natural = 15 * 60
    """The same while its successor was never used, for callers whose answer was lost."""
    session_max_age: Positive = 90 * 24 * 3600
    """Seconds from signing in after which no refresh carries a session on."""
    registration: bool = True
    """Whether anybody may register."""
    audit_origin_days: Days = 90
    """Days that the audit keeps where from somebody did something to others once they are gone."""
    login_attempts: Positive = 5
    """Failed sign-ins of one address from one client within the window before it has to wait."""
    login_client_attempts: Positive = 50
    """The same of one client, whatever addresses it tries."""
    login_window_seconds: Positive = 15 * 60
    """Seconds until a failed sign-in is forgotten."""
    login_lockout_attempts: Positive = 100
    """Failed sign-ins of one address in a row after which only known clients are judged."""
    account_writes_per_hour: Positive = 300
    """Sign-ins of one account in an hour, and as many refreshes and changes of one's own."""
    trusted_proxies: Proxies | None = None
    """Whose X-Forwarded-For is believed: addresses or networks, comma-separated, or *."""
    smtp_url: MailUrl | None = None
    """`smtp://user:password@host:port`; smtps:// for TLS at once, smtp+starttls:// to insist, as
    smtp:// does beyond loopback, and smtp+cleartext:// to go without."""
    mail_from: Sender = "no-reply@localhost"
    """Who letters are from: an address, or a name and one."""
    letters_per_day: Positive = 5
    """Letters of one kind that one mailbox is sent in 24 hours."""
    reset_url: Page = "http://127.0.0.1:8000/graphql"
    """The page where a password is reset; its link gets #token= and the token."""
    demo: bool = False
    """Whether letters may go to the log; `serve --demo` sets it."""
    password_threads: Annotated[int, Field(ge=1, le=64)] = Field(default_factory=_some_cores)
    """Passwords hashed at once, each of which takes 19 MiB."""
    password_queue: Natural = 256
    """Passwords that may wait for a thread; any more are told to come back."""

    secret_key_fallback: SecretKey | None = None
    """Verifies tokens (HS256) and signs none: the secret that was, or the one that will be."""
    keys_dir: Folder | None = None
    """The folder of the key files, which `keys new` makes; without it HS256 is all there is."""
    special_domains: Domains | None = None
    """Special-use domains whose e-mail addresses are taken, with those below them."""
    allowed_hosts: Hosts | None = None
    """The Host headers that are answered, comma-separated; any, if it is not set."""
    allowed_origins: Origins | None = None
    """Whose pages may read answers (CORS), comma-separated; nobody else's, if it is not set."""
    max_connections: Positive = 10_000
    """Connections of one process; those beyond get 503."""
    receive_timeout: Positive = 20
    """Seconds in which a request's headers must arrive, and then as many for its body."""
    max_header_bytes: Positive = 16 * 1024
    """Bytes of a request's line and headers."""
    max_body_bytes: Positive = 256 * 1024
    """Bytes of a request's body."""
    max_connections_per_address: Positive = 256
    """Connections of one process from one address, an IPv6 /64 being one; but for proxies."""
    max_pending_body_bytes: Positive = 64 * 1024 * 1024
    """Bytes of bodies that one process holds until they are whole; those beyond get 503."""
    operation_timeout: Positive = 10
    """Seconds after which an operation is cancelled, its SQL as well."""
    max_document_length: Positive = 64 * 1024
    """Characters of a document, which its body holds in JSON."""
    max_tokens: Positive = 2_000
    """Lexical tokens of a document."""
    max_operations: Positive = 20
    """Operations in a document."""
    max_depth: Positive = 12
    """Fields within fields."""
    max_aliases: Positive = 15
    """Fields under another name."""
    max_root_fields: Positive = 20
    """Fields at the root of an operation."""
    max_directives: Positive = 50
    """Directives in a document."""
    max_spreads: Positive = 200
    """Fragment spreads, once every fragment stands where it is spread."""
    max_cost: Positive = 20_000
    """Objects and values that an answer may hold, by the page sizes that are asked for."""
    max_comparisons: Positive = 20_000
    """Steps in which fields of one name are compared, to see that they can be merged."""
    management_port: Port | None = None
    """Another port, which alone shows /metrics and the parts of /readyz."""
    management_host: Words = "127.0.0.1"
    """The address of that port."""
    traces: Traces = False
    """Whether traces are sent; OpenTelemetry's own OTEL_ variables say where to, and which."""
    compiled: bool = True
    """Whether the compiled path is taken; without it the answers are the same, but later."""

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, values: dict[str, object]) -> dict[str, object]:
        """Return the values without blanks at their ends, and without those that are empty then.

        A key's blanks stay, for its type to refuse: to take them away would change the key.
        """
        keys = {n for n, f in cls.model_fields.items() if SecretKey in get_args(f.annotation)}
        trimmed = {
            name: value.strip() if isinstance(value, str) and name not in keys else value
            for name, value in values.items()
        }
        return {name: value for name, value in trimmed.items() if value != ""}

    @property
    def on_sqlite(self) -> bool:
        """Whether the database is an SQLite file."""
        return self.database_url.startswith(SQLITE)

    @property
    def secret_bytes(self) -> bytes | None:
        """The very bytes of the secret key, or None if there is none."""
        return very_bytes(self.secret_key) if self.secret_key else None

    @property
    def fallback_bytes(self) -> bytes | None:
        """The very bytes of the other secret key, or None if there is none."""
        return very_bytes(self.secret_key_fallback) if self.secret_key_fallback else None

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts that are answered, or none of them if any host is."""
        return _listed(self.allowed_hosts)

    @property
    def special(self) -> tuple[str, ...]:
        """The special-use domains whose e-mail addresses are taken."""
        return _listed(self.special_domains)

    @property
    def trusts_anybody(self) -> bool:
        """Whether every peer is believed to be a proxy."""
        return any(
            proxy == "*" or ip_network(proxy).prefixlen == 0
            for proxy in _listed(self.trusted_proxies)
        )

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins whose pages may read answers."""
        return _listed(self.allowed_origins)


def load(*, serving: bool = False) -> Settings:
    """Read the environment, and require what serving needs if that is to come.

    Raises CannotStart, which names every faulty variable at once and no value.
    """
    faults: list[str] = []
    settings: Settings | None = None
    try:
        settings = Settings()
    except ValidationError as error:
        faults = [
            f"{PREFIX}{str(fault['loc'][0]).upper()}: {_in_words(fault['msg'])}"
            for fault in error.errors(include_url=False, include_input=False)
        ]
    if serving and _lacks_secret():
        faults.append(SECRET_REQUIRED)
    if settings is None or faults:
        raise CannotStart(faults)
    return settings


def unknown_variables() -> list[str]:
    """Name the `GQL_APP_` variables that mean nothing here, most likely misspelt."""
    known = {PREFIX + name.upper() for name in Settings.model_fields} | {ADMIN_PASSWORD}
    meant = given().keys() - known
    return sorted(name for name in os.environ if name.upper() in meant)


def admin_password() -> str | None:
    """Return the password for `create-admin`, so that scripts need no terminal.

    Raise CannotStart if it has blanks at its ends.
    """
    password = os.environ.get(ADMIN_PASSWORD)
    if password and password != password.strip():
        raise CannotStart([f"{ADMIN_PASSWORD}: {BLANKS}"])
    return password or None


def shared_numbers() -> Path | None:
    """Tell where several processes keep the numbers that they count; `serve` says so to them."""
    folder = variable(SHARED_NUMBERS)
    return Path(folder) if folder else None


def _listed(value: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",")) if value else ()


def _lacks_secret() -> bool:
    """Tell whether a secret is required and none set; one of blanks alone is told by itself."""
    on_postgresql = given().get(f"{PREFIX}DATABASE_URL", "").startswith(POSTGRESQL)
    secret = [value for name, value in os.environ.items() if name.upper() == f"{PREFIX}SECRET_KEY"]
    return on_postgresql and not any(secret)


def _in_words(message: str) -> str:
    return message.removeprefix("Value error, ").replace("Input should", "should")


tidy()  # before any library that reads its variable once, as it is imported
