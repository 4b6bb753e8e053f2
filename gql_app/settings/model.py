"""Settings: each with its default, as docs/settings.md has them."""

import os
from pathlib import Path
from typing import Annotated, Final, get_args

from pydantic import Field, SecretBytes, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from gql_app.lib import setting_types as types
from gql_app.lib.passkeys import may_use, origin_of, shared_domain

PREFIX: Final = "GQL_APP_"
LOOPBACK_ORIGINS: Final = ("http://localhost:*", "http://127.0.0.1:*")
"""Origins of pages on this machine, which the demo allows."""
PAGES: Final = {
    "RESET_URL": "/account/reset",
    "VERIFY_URL": "/account/verify",
    "UNDO_URL": "/account/undo",
    "INVITATION_URL": "/account/accept",
    "SIGN_IN_URL": "/account/sign-in",
}
"""Paths of the built-in pages for the links of letters, by the settings that replace them."""


def _default_threads() -> int:
    """Return the number of usable cores, at most four: more threads would only wait."""
    if hasattr(os, "sched_getaffinity"):  # elsewhere a process can use all cores
        return min(4, len(os.sched_getaffinity(0)))
    return min(4, os.cpu_count() or 1)


def _page(name: str) -> str:
    """Return the default URL of a built-in page, which this machine alone can open."""
    return f"http://localhost:8000{PAGES[name]}"


class Settings(BaseSettings):
    """Every setting with its default, grouped as docs/settings.md has them; frozen once read."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, enable_decoding=False, frozen=True, hide_input_in_errors=True
    )

    # Database
    database_url: types.DatabaseUrl = Field(default="sqlite:///gql_app.db", repr=False)
    """`sqlite:///file.db` or `postgresql://user:password@host/database`, with several hosts."""
    database_connections: Annotated[int, Field(ge=1, le=1000)] = 10
    """Read connections of one process; as many write, and one more is for health checks."""
    database_pool_timeout: types.Positive = 5
    """Longest wait for one of them, in seconds."""
    database_prepared_statements: bool | None = None
    """Whether statements are prepared, which a pooler may not keep; None until one is found."""
    read_url: types.DatabaseUrl | None = Field(default=None, repr=False)
    """A standby that lists are read from, in the form of the primary's URL."""
    read_max_lag_seconds: types.Positive = 5
    """Seconds that it may be behind; for at least as long, who wrote reads from the primary."""

    # Keys and tokens
    secret_key: types.SecretKey | None = None
    """The secret that signs tokens (HS256), 32 bytes or more; created beside an SQLite file."""
    secret_key_fallback: types.SecretKey | None = None
    """A second secret that verifies tokens (HS256) and signs none: the previous or the next one."""
    keys_dir: types.Folder | None = None
    """The folder of the key files, created by `keys new`; without it there is HS256 only."""
    access_token_ttl: types.Positive = 3600
    """Lifetime of an access token in seconds."""
    issuer: types.Words = "gql_app"
    """The tokens' `iss` (RFC 7519 section 4.1.1)."""
    audience: types.Words = "gql_app"
    """The tokens' `aud` (RFC 7519 section 4.1.3)."""
    audiences: types.Names = ()
    """Other services that tokens may be for, comma-separated; each token is for one."""

    # Sessions and accounts
    refresh_token_ttl: types.Positive = 30 * 24 * 3600
    """Seconds by which each refresh extends a session."""
    session_max_age: types.Positive = 90 * 24 * 3600
    """Longest life of a session in seconds, counted from sign-in."""
    refresh_grace_seconds: types.Natural = 10
    """Seconds in which a spent refresh token still returns its successor, for racing requests."""
    refresh_retry_seconds: types.Natural = 15 * 60
    """The same while its successor was never used, for answers that were lost."""
    registration: bool = True
    """Whether registration is open."""
    special_domains: types.Domains = ()
    """Special-use domains whose e-mail addresses are accepted, with their subdomains."""
    audit_origin_days: types.Days = 90
    """Days for which the audit keeps the address of a deleted customer who acted on others."""

    # Sign-in limits
    login_attempts: types.Positive = 5
    """Failed sign-ins of one account by one client within the window."""
    login_client_attempts: types.Positive = 50
    """Failed sign-ins of one client within the window, over all accounts."""
    login_window_seconds: types.Seconds = 15 * 60
    """Length of the window in seconds."""
    login_lockout_attempts: types.Positive = 100
    """Consecutive failed sign-ins of one account before its lockout."""
    account_writes_per_hour: types.Positive = 300
    """Sign-ins of one account in an hour, and as many refreshes and changes of one's own."""

    # Second factors
    second_factor: types.SecondFactorPolicy = "off"
    """Who must have a second factor: `off` (nobody), `admins` or `everyone`."""
    reauthentication_seconds: types.Positive = 10 * 60
    """How old a proof of who somebody is may be for what needs a recent one."""
    factor_key: types.SecretKey | None = None
    """The key that secrets of authenticator apps are encrypted by; made of the secret key if not
    set."""
    factor_key_fallback: types.SecretKey | None = None
    """A second one that only decrypts: the previous or the next one."""
    passkey_rp_id: types.PasskeyDomain | None = None
    """The domain that passkeys are of; that of the origins if not set."""
    passkey_origins: types.PasskeyOrigins = ()
    """Origins of pages that use passkeys, comma-separated; those that links lead to if not set."""

    # Mail
    smtp_url: types.MailUrl | None = None
    """`smtp://user:password@host:port` requires STARTTLS and a trusted certificate, but neither on
    loopback; smtps:// TLS from the start, smtp+starttls:// both everywhere, smtp+cleartext:// none.
    """
    mail_from: types.Sender = "no-reply@localhost"
    """Sender of letters: an address, or a name and an address."""
    reply_to: types.Sender | None = None
    """Where answers to letters go, if not to their sender: an address, or a name and an address."""
    product_name: types.Line = "gql_app"
    """What letters call the product."""
    letters_dir: types.Folder | None = None
    """The folder of templates that take the place of ours, file by file."""
    letters_per_day: types.Positive = 5
    """Letters of one kind to one mailbox in 24 hours."""
    email_verification: types.Verification | None = None
    """Whether addresses are proven: `off`, `ask` or `require`; `ask` with mail, `off` without."""
    sign_in_links: bool = False
    """Whether a link in a letter may sign in."""
    new_client_letters: bool = False
    """Whether a letter tells of a sign-in from where the account was not used for 90 days."""
    reset_url: types.Page = _page("RESET_URL")
    """Page for resetting a password; the link adds #token= and the token."""
    verify_url: types.Page = _page("VERIFY_URL")
    """Page for proving an address."""
    undo_url: types.Page = _page("UNDO_URL")
    """Page for undoing a change of address."""
    invitation_url: types.Page = _page("INVITATION_URL")
    """Page for accepting an invitation."""
    sign_in_url: types.Page = _page("SIGN_IN_URL")
    """Page for signing in by a link."""
    home_url: types.Page | None = None
    """Where these pages lead in the end; the playground if not set."""

    # HTTP and limits of requests
    trusted_proxies: types.Proxies | None = None
    """Proxies whose X-Forwarded-For is trusted: addresses or networks, comma-separated, or *."""
    allowed_hosts: types.Hosts = ()
    """Accepted Host headers, comma-separated; any if not set."""
    allowed_origins: types.Origins = ()
    """Origins whose pages may read answers (CORS), comma-separated; none if not set."""
    allowed_headers: types.HeaderNames = ()
    """Headers that these pages may send beside those of common clients, comma-separated."""
    compression: bool = True
    """Whether answers of queries are compressed by gzip for clients that take it."""
    max_connections: types.Positive = 10_000
    """Connections of one process; further ones get 503."""
    max_connections_per_address: types.Positive = 256
    """Connections of one process from one address (IPv6: one /64), except trusted proxies."""
    receive_timeout: types.Positive = 20
    """Seconds for the headers of a request, again for its body and for reading the answer."""
    max_header_bytes: types.Positive = 16 * 1024
    """Bytes of the request line and headers."""
    max_body_bytes: types.Positive = 256 * 1024
    """Bytes of a request body."""
    max_pending_body_bytes: types.Positive = 64 * 1024 * 1024
    """Bytes of all incomplete bodies of one process; the request that exceeds it gets 503."""
    operation_timeout: types.Positive = 10
    """Seconds after which an operation is cancelled, with its SQL."""

    # Documents
    max_document_length: types.Positive = 64 * 1024
    """Characters of a document."""
    max_tokens: types.Positive = 2_000
    """Lexical tokens of a document."""
    max_operations: types.Positive = 20
    """Operations in a document."""
    max_depth: types.Positive = 12
    """Nesting of fields."""
    max_aliases: types.Positive = 15
    """Aliases in a document."""
    max_root_fields: types.Positive = 20
    """Root fields of an operation."""
    max_directives: types.Positive = 50
    """Directives in a document."""
    max_spreads: types.Positive = 200
    """Fragment spreads, with those inside fragments counted at each spread."""
    max_cost: types.Positive = 20_000
    """Objects and values that the answer may hold, computed from the requested page sizes."""
    max_comparisons: types.Positive = 20_000
    """Steps of comparing fields of one response name with each other."""

    trusted_documents: types.Documents | None = None
    """A file of the only documents that run, by their ids; any runs if not set."""
    trusted_documents_allow: types.Exceptions = ()
    """What runs besides: `playground`, `introspection`, comma-separated."""

    # Playground and schema
    playground: bool = True
    """Whether GET /graphql shows the playground to a browser."""
    introspection: bool = True
    """Whether clients may read the schema."""
    compiled: bool = True
    """Whether the compiled path is taken; without it the answers are the same, but slower."""

    # Logs, metrics and traces
    log_level: types.Level = "INFO"
    """The least severe log line that is written."""
    management_port: types.Port | None = None
    """A second port, the only one with /metrics and the parts of /readyz."""
    management_host: types.Words = "127.0.0.1"
    """The address of that port."""
    traces: types.Traces = False
    """Whether traces are sent, configured by OpenTelemetry's OTEL_ variables."""

    # Passwords
    password_threads: Annotated[int, Field(ge=1, le=64)] = Field(default_factory=_default_threads)
    """Passwords hashed at the same time, 19 MiB each."""
    password_queue: types.Natural = 256
    """Passwords that may wait for a thread; further ones are refused."""
    breached_passwords_url: types.ServiceUrl | None = None
    """The service that is asked whether new passwords were stolen; none is if not set."""

    # The demo
    demo: bool = False
    """Whether letters may go to the log; `serve --demo` sets it."""

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, values: dict[str, object]) -> dict[str, object]:
        """Return the values stripped of blanks, without those that are empty then.

        Keys are not stripped, which would change them: their type refuses blanks.
        """
        keys = {n for n, f in cls.model_fields.items() if types.SecretKey in get_args(f.annotation)}
        trimmed = {
            name: value.strip() if isinstance(value, str) and name not in keys else value
            for name, value in values.items()
        }
        return {name: value for name, value in trimmed.items() if value != ""}

    @field_validator("read_url")
    @classmethod
    def _of_postgresql(cls, url: str | None, others: ValidationInfo) -> str | None:
        """Return the URL of a standby. Raise ValueError unless both databases are PostgreSQL."""
        urls = [url or "", others.data.get("database_url", "")]
        if url and any(each.startswith(types.SQLITE) for each in urls):
            message = (
                "is of a standby of PostgreSQL, and a file of SQLite has none; leave it out, or "
                f"set {PREFIX}DATABASE_URL to a PostgreSQL"
            )
            raise ValueError(message)
        return url

    @field_validator("passkey_origins")
    @classmethod
    def _of_one_domain(cls, origins: tuple[str, ...], others: ValidationInfo) -> tuple[str, ...]:
        """Return the origins. Raise ValueError unless one domain is for all of them."""
        rp_id = others.data.get("passkey_rp_id")
        variable = f"{PREFIX}PASSKEY_RP_ID"
        if rp_id and not all(may_use(origin, rp_id) for origin in origins):
            message = f"must be on the domain of {variable}, or below it"
            raise ValueError(message)
        if origins and not rp_id and not shared_domain(origins):
            message = f"are of several domains; set {variable} to the one that they are below"
            raise ValueError(message)
        return origins

    @property
    def passkey_pages(self) -> tuple[str, ...]:
        """The origins of pages that use passkeys: those that links lead to, if none is set.

        Default pages count only if PASSKEY_RP_ID is set: a server that does not know where its
        pages are has no passkeys.
        """
        if self.passkey_origins:
            return self.passkey_origins
        names = [name.lower() for name in PAGES]
        known = names if self.passkey_rp_id else self.model_fields_set.intersection(names)
        pages = [getattr(self, name) for name in names if name in known]
        return tuple(dict.fromkeys(filter(None, map(origin_of, pages))))

    @property
    def passkey_domain(self) -> str | None:
        """The domain that passkeys are of, None if this server has none."""
        return self.passkey_rp_id or shared_domain(self.passkey_pages)

    @property
    def sends_mail(self) -> bool:
        """Whether letters are sent, or logged by the demo."""
        return self.smtp_url is not None or self.demo

    @property
    def verification(self) -> types.Verification:
        """Whether addresses are proven: off, ask or require."""
        return self.email_verification or ("ask" if self.sends_mail else "off")

    @property
    def on_sqlite(self) -> bool:
        """Whether the database is an SQLite file."""
        return self.database_url.startswith(types.SQLITE)

    @property
    def sqlite_file(self) -> Path:
        """The file of an SQLite database."""
        from gql_app.lib.database import sqlite_file  # noqa: PLC0415 — settings alone need no drivers

        return sqlite_file(self.database_url)

    @property
    def secret_bytes(self) -> bytes | None:
        """The bytes of the secret key, or None if it is not set."""
        return _bytes(self.secret_key)

    @property
    def fallback_bytes(self) -> bytes | None:
        """The bytes of the fallback secret key, or None if it is not set."""
        return _bytes(self.secret_key_fallback)

    @property
    def factor_keys(self) -> tuple[bytes | None, bytes | None]:
        """The bytes of the factor key and of its fallback, None for each that is not set."""
        return _bytes(self.factor_key), _bytes(self.factor_key_fallback)

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins whose pages may read answers; in the demo also those of this machine."""
        return self.allowed_origins + (LOOPBACK_ORIGINS if self.demo else ())


def _bytes(secret: SecretBytes | None) -> bytes | None:
    return secret.get_secret_value() if secret else None
