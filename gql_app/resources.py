"""What lives as long as the process: opened once, closed once."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Protocol, Self

from gql_app.accounts.audit import Guesses, Recorded
from gql_app.accounts.callers import CallerCache
from gql_app.accounts.letters import Outbox, WriteLetter
from gql_app.accounts.sessions import MAX_SESSIONS, Lifetimes
from gql_app.accounts.throttling import HOUR, Throttle
from gql_app.accounts.validation import PasswordRule, Rules
from gql_app.db.readiness import Condition, condition, open_database
from gql_app.lib import telemetry
from gql_app.lib.database import Database, SharedResult, Transaction
from gql_app.lib.keyring import KeyRing, ReloadingKeyRing
from gql_app.lib.outbox import ClosedMailer, ConsoleMailer, Mailer, ObservedMailer, SmtpMailer
from gql_app.lib.telemetry import Metrics
from gql_app.metrics import new_metrics
from gql_app.security.key_store import key_store
from gql_app.security.passwords import Passwords
from gql_app.security.tokens import Issuer, TokenCache
from gql_app.settings import Settings


class Hooks(Protocol):
    """What features have run with an event."""

    async def within(
        self, resources: "Resources", db: Transaction, events: Sequence[Recorded]
    ) -> None:
        """Run what belongs to the transaction in which events were recorded. Raises Rejected."""

    def committed(self, events: Sequence[Recorded]) -> None:
        """Begin what comes after the commit of events."""

    def running(self, resources: "Resources") -> AbstractAsyncContextManager[None]:
        """Return the block within which that is run, and at whose end it is waited for."""


@dataclass(frozen=True, slots=True)
class Extensions:
    """What features add to all that lives as long as the process."""

    hooks: Callable[[], Hooks] | None = None
    password_rules: Sequence[PasswordRule] = ()
    letters: Mapping[str, WriteLetter] = field(default_factory=dict)
    """How each letter is written, by its name."""
    actions: Collection[str] = frozenset()
    """What is recorded in the audit besides our own actions."""
    error_codes: Collection[str] = frozenset()
    """Codes of user errors besides our own."""


@dataclass(frozen=True, slots=True)
class Resources:
    """The database, the keys and the hasher, as the settings have them."""

    database: Database
    condition: SharedResult[Condition]
    keys: ReloadingKeyRing
    issuer: Issuer
    tokens: TokenCache
    caller_cache: CallerCache
    passwords: Passwords
    metrics: Metrics
    lifetimes: Lifetimes
    throttle: Throttle
    mailer: Mailer
    outbox: Outbox
    posted: asyncio.Event
    """Set when a letter has been written down, so that it leaves at once."""
    registration: bool
    rules: Rules
    guesses: Guesses
    origins_kept: timedelta
    """How long the audit keeps where from somebody did something who is gone."""
    extensions: Extensions
    hooks: Hooks | None

    async def sample(self) -> None:
        """Set the metrics of what is in use at the moment."""
        self.metrics.sample(self.passwords.use, self.database.use)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        settings: Settings,
        metrics: Metrics | None = None,
        tracing: "telemetry.Tracing | None" = None,
        extensions: Extensions | None = None,
    ) -> AsyncIterator[Self]:
        """Open everything, and close it when the block ends. Raises CannotStart."""
        reloading = ReloadingKeyRing(key_store(settings))
        keys = reloading.get()
        issuer = Issuer(settings.issuer, settings.audience, settings.access_token_ttl)
        database = open_database(settings)
        throttle, sender = throttle_of(settings, keys), mailer(settings)
        extensions = extensions or Extensions()
        opened = cls(
            database=database,
            condition=SharedResult(partial(condition, database)),
            keys=reloading,
            issuer=issuer,
            tokens=TokenCache(issuer),
            caller_cache=CallerCache(),
            passwords=Passwords(threads=settings.password_threads, queue=settings.password_queue),
            metrics=metrics or new_metrics(),
            lifetimes=Lifetimes(
                pepper=keys.derive("refresh tokens"),
                access=settings.access_token_ttl,
                refresh=settings.refresh_token_ttl,
                longest=settings.session_max_age,
                grace=settings.refresh_grace_seconds,
                retry=settings.refresh_retry_seconds,
            ),
            throttle=throttle,
            mailer=ObservedMailer(sender, tracing.letter) if tracing else sender,
            outbox=Outbox(
                pepper=keys.derive("reset links"),
                reset_url=settings.reset_url,
                throttle=throttle,
                letters_per_day=settings.letters_per_day,
                features=extensions.letters,
            ),
            posted=asyncio.Event(),
            registration=settings.registration,
            rules=replace(Rules.of(settings), password_rules=extensions.password_rules),
            guesses=Guesses(),
            origins_kept=timedelta(days=settings.audit_origin_days),
            extensions=extensions,
            hooks=extensions.hooks() if extensions.hooks else None,
        )
        if tracing:
            database.observe(tracing.statements(database.dialect))
        try:
            yield opened
        finally:
            opened.passwords.close()
            await database.close()


def throttle_of(settings: Settings, keys: KeyRing) -> Throttle:
    """Return the throttle that all processes with these settings and keys share."""
    needed = 2 * MAX_SESSIONS * HOUR // settings.access_token_ttl
    return Throttle(
        key=keys.derive("throttles"),
        attempts=settings.login_attempts,
        client_attempts=settings.login_client_attempts,
        window=settings.login_window_seconds,
        lockout_attempts=settings.login_lockout_attempts,
        account_writes=settings.account_writes_per_hour,
        account_refreshes=max(settings.account_writes_per_hour, needed),
        mail=mailer(settings).open,
    )


def mailer(settings: Settings) -> Mailer:
    """Return what sends letters."""
    if settings.smtp_url:
        return SmtpMailer(settings.smtp_url.get_secret_value(), sender=settings.mail_from)
    return ConsoleMailer() if settings.demo else ClosedMailer()
