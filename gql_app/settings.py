"""What the operator decides: the environment's `GQL_APP_` variables, read here only."""

import os
import re
from ipaddress import ip_network
from typing import Annotated, Final, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from gql_app.errors import CannotStart

PREFIX: Final = "GQL_APP_"
ADMIN_PASSWORD: Final = PREFIX + "ADMIN_PASSWORD"
SQLITE: Final = "sqlite:///"
POSTGRESQL: Final = "postgresql://"
POSTGRESQL_URL: Final = (
    "must read postgresql://user:password@host:port/database, "
    "with every special character of the password written as %XX"
)
MAX_PORT: Final = 65_535
MIN_SECRET_BYTES: Final = 32
SECRET_REQUIRED: Final = (
    f"{PREFIX}SECRET_KEY: is required with PostgreSQL, so that every process signs alike; "
    "make one with: openssl rand -base64 48"
)

_HOST: Final = re.compile(r"([^:\[\]]*|\[[^\[\]]+\])(:(?P<port>[0-9]{1,5}))?")


def _known_database(url: str) -> str:
    if url.startswith(SQLITE):
        if url.removeprefix(SQLITE).partition("?")[0] in {"", ":memory:"}:
            message = "must name a file: sqlite:///file.db, or sqlite:////absolute/file.db"
            raise ValueError(message)
    elif not url.startswith(POSTGRESQL):
        message = "must start with sqlite:/// or postgresql://"
        raise ValueError(message)
    else:
        _check_postgresql(url)
    return url


def _check_postgresql(url: str) -> None:
    """Refuse what can't be taken apart, in words of our own: urllib's repeat the password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError(POSTGRESQL_URL) from None
    hosts = parts.netloc.rpartition("@")[2].split(",")
    if not all(_names_host(host) for host in hosts):
        raise ValueError(POSTGRESQL_URL)
    if not parts.path.strip("/"):
        message = "must name a database: postgresql://user:password@host/database"
        raise ValueError(message)


def _names_host(text: str) -> bool:
    found = _HOST.fullmatch(text)
    return found is not None and int(found["port"] or 0) <= MAX_PORT


def _long_enough(secret: SecretStr) -> SecretStr:
    size = len(_very_bytes(secret))
    if size < MIN_SECRET_BYTES:
        message = f"must be at least {MIN_SECRET_BYTES} bytes long, not {size}"
        raise ValueError(message)
    return secret


def _very_bytes(secret: SecretStr) -> bytes:
    """Undo how Python decodes the environment: a secret may be any bytes, not only UTF-8."""
    return os.fsencode(secret.get_secret_value())


def _taken_apart(url: str) -> SplitResult | None:
    """Take a URL apart, or find that it is none; urllib's words for that repeat the password."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _known_mail(url: SecretStr) -> SecretStr:
    parts = _taken_apart(url.get_secret_value())
    schemes = {"smtp", "smtps", "smtp+starttls"}
    if parts is None or parts.scheme not in schemes or not parts.hostname:
        message = "must be smtp://, smtps:// or smtp+starttls:// and a host"
        raise ValueError(message)
    return url


def _known_sender(address: str) -> str:
    if not re.fullmatch(r"[^\s@<>]+@[^\s@<>]+", address):
        message = "must be an e-mail address"
        raise ValueError(message)
    return address


def _known_page(url: str) -> str:
    parts = _taken_apart(url)
    schemes = {"http", "https"}
    if parts is None or parts.scheme not in schemes or not parts.hostname or parts.fragment:
        message = "must be an http:// or https:// address without a fragment"
        raise ValueError(message)
    return url


def _known_proxies(proxies: str) -> str:
    """Take what uvicorn takes; anything else it would quietly believe of nobody."""
    try:
        if proxies != "*":
            _ = [ip_network(proxy.strip()) for proxy in proxies.split(",")]
    except ValueError:
        message = "must be addresses or networks, comma-separated, or *"
        raise ValueError(message) from None
    return proxies


Words = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Level = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


class Settings(BaseSettings):
    """Every setting with its default; frozen once read."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    database_url: Annotated[str, AfterValidator(_known_database)] = Field(
        default="sqlite:///gql_app.db", repr=False
    )
    """`sqlite:///file.db` or `postgresql://user:password@host/database`."""
    secret_key: Annotated[SecretStr, AfterValidator(_long_enough)] | None = None
    """Signs the tokens (HS256); 32 bytes or more. Made and kept beside an SQLite file."""
    access_token_ttl: Annotated[int, Field(ge=1)] = 3600
    """Seconds that a token lives."""
    issuer: Words = "gql_app"
    """The tokens' `iss` (RFC 7519 section 4.1.1)."""
    audience: Words = "gql_app"
    """The tokens' `aud` (RFC 7519 section 4.1.3)."""
    playground: bool = True
    """Whether GET /graphql shows the playground to a browser."""
    introspection: bool = True
    """Whether clients may ask for the schema."""
    log_level: Annotated[Level, BeforeValidator(lambda v: str(v).upper())] = "INFO"
    """The least severe log line that is written."""
    refresh_token_ttl: Annotated[int, Field(ge=1)] = 30 * 24 * 3600
    """Seconds that a session goes on after each refresh."""
    refresh_grace_seconds: Annotated[int, Field(ge=0)] = 10
    """Seconds in which a spent refresh token is answered again, for callers that race."""
    session_max_age: Annotated[int, Field(ge=1)] = 90 * 24 * 3600
    """Seconds from signing in after which no refresh carries a session on."""
    registration: bool = True
    """Whether anybody may register."""
    login_attempts: Annotated[int, Field(ge=1)] = 5
    """Failed sign-ins of one address within the window before it has to wait."""
    login_client_attempts: Annotated[int, Field(ge=1)] = 50
    """The same of one client, whatever addresses it tries."""
    login_window_seconds: Annotated[int, Field(ge=1)] = 15 * 60
    """Seconds until a failed sign-in is forgotten."""
    trusted_proxies: Annotated[str, AfterValidator(_known_proxies)] | None = None
    """Whose X-Forwarded-For is believed: addresses or networks, comma-separated, or *."""
    smtp_url: Annotated[SecretStr, AfterValidator(_known_mail)] | None = None
    """`smtp://user:password@host:port`; smtps:// for TLS at once, smtp+starttls:// to insist."""
    mail_from: Annotated[str, AfterValidator(_known_sender)] = "no-reply@localhost"
    """Who letters are from."""
    reset_url: Annotated[str, AfterValidator(_known_page)] = "http://127.0.0.1:8000/graphql"
    """The page where a password is reset; its link gets #token= and the token."""
    demo: bool = False
    """Whether letters may go to the log; `serve --demo` sets it."""
    password_threads: Annotated[int, Field(ge=1, le=64)] = min(4, os.cpu_count() or 1)
    """Passwords hashed at once, each of which takes 19 MiB."""
    password_queue: Annotated[int, Field(ge=0)] = 256
    """Passwords that may wait for a thread; any more are told to come back."""

    @property
    def on_sqlite(self) -> bool:
        """Whether the database is an SQLite file."""
        return self.database_url.startswith(SQLITE)

    @property
    def secret_bytes(self) -> bytes | None:
        """The very bytes of the secret key, or None if there is none."""
        return _very_bytes(self.secret_key) if self.secret_key else None


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
    return sorted(
        name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known
    )


def admin_password() -> str | None:
    """Read the password for `create-admin`, so that scripts need no terminal."""
    return os.environ.get(ADMIN_PASSWORD)


def _lacks_secret() -> bool:
    given = {name.upper(): value for name, value in os.environ.items()}
    return (
        given.get(f"{PREFIX}DATABASE_URL", "").startswith(POSTGRESQL)
        and f"{PREFIX}SECRET_KEY" not in given
    )


def _in_words(message: str) -> str:
    return message.removeprefix("Value error, ").replace("Input should", "should")
