"""The findings of `check`: what to mend about a deployment before the world sees it."""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from stat import S_IRWXG, S_IRWXO
from typing import Final

from gql_app.accounts import customers
from gql_app.cli import backfill, samples
from gql_app.cli.database import opened
from gql_app.db import readiness
from gql_app.db.clocks import skew
from gql_app.errors import CannotStart
from gql_app.lib.database import Database, Reader, in_the_clear, sqlite_file, tls_advice
from gql_app.lib.fair_queue import LOCAL
from gql_app.lib.keyring import NEW_RSA_BITS, StoredKey, guessable, is_pattern, is_short
from gql_app.lib.network.addresses import is_loopback
from gql_app.lib.outbox import clear_text
from gql_app.resources import kept_beside, key_store
from gql_app.security.passwords import Passwords
from gql_app.settings import NO_CLIENT_LIMIT, PREFIX, Settings, unknown_variables

MAX_SKEW: Final = timedelta(seconds=5)
MAX_PAIRS: Final = 20
"""Pairs of customers of one mailbox that are named."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """The settings of a deployment, and where it is served."""

    settings: Settings
    host: str
    """The address that `serve` listens on."""
    machines: int

    @property
    def is_public(self) -> bool:
        """Whether others than this machine can reach it: directly, by a name or by a proxy."""
        names = (self.host, *self.settings.hosts)
        return self.settings.trusted_proxies is not None or not all(map(is_loopback, names))


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to mend, and how."""

    code: str
    message: str
    remedy: str


async def findings(deployment: Deployment) -> list[Finding]:
    """Return what is to be mended; nothing is made or changed by looking."""
    return [
        *_variables(),
        *_keys(deployment.settings),
        *_reach(deployment),
        *_mail(deployment),
        *_refreshing(deployment.settings),
        *_machines(deployment),
        *[finding async for finding in _database(deployment.settings)],
    ]


def _variables() -> Iterator[Finding]:
    for name in unknown_variables():
        yield Finding(
            "unknown-variable", f"{name} is no setting of this program.", "Mend its name."
        )


def _keys(settings: Settings) -> Iterator[Finding]:
    for name, secret in (
        ("SECRET_KEY", settings.secret_bytes),
        ("SECRET_KEY_FALLBACK", settings.fallback_bytes),
    ):
        if secret and not is_pattern(secret) and guessable(secret):
            yield Finding(
                "weak-key",
                f"{PREFIX}{name} reads like something that can be guessed.",
                "Make one with: openssl rand -base64 48",
            )
    held, faults = _look(settings)
    for fault in faults:
        yield Finding("cannot-start", fault, "Mend it first.")
    for each in held:
        if is_short(each.key) and each.key.alive:
            yield Finding(
                "weak-rsa-key",
                f"{each.place} has fewer than {NEW_RSA_BITS} bits, too few after 2030.",
                "Change to a new key: keys new",
            )
    for code, file in _private_files(settings):
        if file.exists() and file.stat().st_mode & (S_IRWXG | S_IRWXO):
            yield Finding(
                code,
                f"Others on this machine may read or write {file}.",
                f"Run: chmod go= {file}",
            )


def _look(settings: Settings) -> tuple[Sequence[StoredKey], Sequence[str]]:
    """Return the keys, and what is wrong; an SQLite file that was never served has none yet."""
    if not settings.secret_bytes and not kept_beside(sqlite_file(settings.database_url)).exists():
        return (), ()
    try:
        store = key_store(settings)
        store.read()
    except CannotStart as why:
        return (), why.faults
    return store.read_all()[0], ()


def _private_files(settings: Settings) -> Iterator[tuple[str, Path]]:
    if settings.on_sqlite:
        file = sqlite_file(settings.database_url)
        yield "exposed-database", file
        if settings.secret_bytes is None:
            yield "exposed-key", kept_beside(file)
    if settings.keys_dir:
        for file in (settings.keys_dir, *sorted(settings.keys_dir.iterdir())):
            yield "exposed-key", file


def _reach(deployment: Deployment) -> Iterator[Finding]:
    settings = deployment.settings
    if settings.trusts_anybody:
        yield Finding(
            "any-proxy",
            f"X-Forwarded-For is believed of anybody: {NO_CLIENT_LIMIT}.",
            f"Set {PREFIX}TRUSTED_PROXIES to your proxy's address.",
        )
    if not deployment.is_public:
        return
    if settings.playground:
        yield Finding(
            "open-playground",
            "Everybody is shown the playground.",
            f"Set {PREFIX}PLAYGROUND=false, or keep it on purpose.",
        )
    if settings.introspection:
        yield Finding(
            "open-introspection",
            "Everybody may ask for the schema.",
            f"Set {PREFIX}INTROSPECTION=false, or keep it on purpose.",
        )
    if settings.management_port is None:
        yield Finding(
            "open-metrics",
            "Everybody is shown the numbers at /metrics, and how each part is at /readyz.",
            f"Set {PREFIX}MANAGEMENT_PORT, or see that your proxy lets nobody at them.",
        )
    if settings.allowed_hosts is None:
        yield Finding(
            "any-host",
            "Every Host header is answered.",
            f"Set {PREFIX}ALLOWED_HOSTS to the names that clients use.",
        )
    if settings.trusted_proxies is None:
        yield Finding(
            "no-tls",
            "Nothing in front ends TLS: passwords and tokens travel in the clear.",
            f"Put a proxy in front, and set {PREFIX}TRUSTED_PROXIES to its address.",
        )


def _mail(deployment: Deployment) -> Iterator[Finding]:
    settings = deployment.settings
    if settings.smtp_url is None:
        yield Finding(
            "no-mail",
            "No letter is sent: nobody can reset a password, or is told of a change.",
            f"Set {PREFIX}SMTP_URL and {PREFIX}MAIL_FROM.",
        )
        return
    if clear_text(settings.smtp_url.get_secret_value()):
        yield Finding(
            "mail-in-the-clear",
            "Letters, and the links in them, go to the mail server in the clear.",
            f"Begin {PREFIX}SMTP_URL with smtps:// or smtp+starttls://.",
        )
    if deployment.is_public and settings.reset_url.startswith("http://"):
        yield Finding(
            "reset-in-the-clear",
            "Links to reset a password lead to a page without TLS.",
            f"Set {PREFIX}RESET_URL to an https:// page.",
        )


def _refreshing(settings: Settings) -> Iterator[Finding]:
    if settings.refresh_retry_seconds <= settings.operation_timeout:
        yield Finding(
            "short-refresh-retry",
            "Whoever waits for a refresh until the operation's timeout comes too late to repeat "
            "it, and is signed out.",
            f"Set {PREFIX}REFRESH_RETRY_SECONDS to some times {PREFIX}OPERATION_TIMEOUT.",
        )


def _machines(deployment: Deployment) -> Iterator[Finding]:
    if deployment.settings.on_sqlite and deployment.machines > 1:
        yield Finding(
            "sqlite-on-several-machines",
            "An SQLite file serves one machine: each would have customers of its own.",
            f"Set {PREFIX}DATABASE_URL to a PostgreSQL.",
        )


async def _database(settings: Settings) -> AsyncIterator[Finding]:
    migrate = Finding("pending-migrations", "The database is not up to date.", "Run: migrate")
    if settings.on_sqlite and not sqlite_file(settings.database_url).exists():
        yield migrate
        return
    if not settings.on_sqlite and in_the_clear(settings.database_url):
        yield Finding(
            "database-in-the-clear",
            f"{PREFIX}DATABASE_URL lets the password and all data go over a network without TLS.",
            "Say sslmode=verify-full there, or require, or keep it to a network of its own.",
        )
    async with opened(settings) as database:
        condition = await readiness.condition(database)
        if condition.database != "ok":
            yield Finding(
                "no-database",
                f"The database of {PREFIX}DATABASE_URL can't be reached.",
                "See that it runs, and that the address, name and password are right."
                + tls_advice(settings.database_url),
            )
        elif not condition.ready:
            yield migrate
        else:
            for finding in [
                *await _clocks(database),
                *await _demo_data(database, settings),
                *await _collisions(database),
            ]:
                yield finding


async def _clocks(database: Database) -> list[Finding]:
    ahead = await skew(database)
    if abs(ahead) <= MAX_SKEW:
        return []
    seconds = f"{abs(ahead.total_seconds()):.0f} s {'ahead' if ahead > timedelta() else 'behind'}"
    return [
        Finding(
            "clock-skew",
            f"The database's clock is {seconds} of this machine's.",
            "Set both by NTP: tokens expire by this one.",
        )
    ]


async def _demo_data(db: Reader, settings: Settings) -> list[Finding]:
    if not settings.demo and not await _has_demo_sign_in(db):
        return []
    return [
        Finding(
            "demo-data",
            "The database has the demo's customers, whose passwords everybody knows.",
            "Begin with an empty database.",
        )
    ]


async def _collisions(db: Reader) -> list[Finding]:
    collisions = await backfill.collisions(db)
    if not collisions:
        return []
    pairs = ", ".join(f"{each.holder} and {each.other}" for each in collisions[:MAX_PAIRS])
    return [
        Finding(
            "colliding-addresses",
            f"Of {len(collisions)} customers the address is another's mailbox as well: {pairs}.",
            "Give one of each two another address: gql-app change-email ID ADDRESS.",
        )
    ]


async def _has_demo_sign_in(db: Reader) -> bool:
    """Return whether the demo's password opens an account of the demo's address."""
    passwords = Passwords(threads=1, queue=0)
    try:
        for person in samples.SIGN_INS:
            known = await customers.by_email(db, person.email)
            if known and await passwords.verify(person.password, known.password_hash, LOCAL):
                return True
    finally:
        passwords.close()
    return False
