"""What lives as long as the process: opened once, closed once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Self, TypeAlias

from gql_app.accounts.audit import Guesses
from gql_app.accounts.authenticators import Authenticator
from gql_app.accounts.callers import CallerCache
from gql_app.accounts.letters import Outbox
from gql_app.accounts.records import CustomerRecord
from gql_app.accounts.sessions import MAX_SESSIONS, Lifetimes
from gql_app.accounts.throttling import HOUR, Throttle
from gql_app.accounts.validation import Rules
from gql_app.db.readiness import Condition, condition, open_database
from gql_app.lib import telemetry
from gql_app.lib.database import Database, Reader, SharedResult
from gql_app.lib.keyring import KeyRing, ReloadingKeyRing, Signer, TokenCache, signer_key
from gql_app.lib.outbox import ClosedMailer, ConsoleMailer, Mailer, ObservedMailer, SmtpMailer
from gql_app.lib.telemetry import Metrics
from gql_app.metrics import new_metrics
from gql_app.security.key_store import key_store
from gql_app.security.passwords import Passwords
from gql_app.security.tokens import Claims, Issuer, decode_token
from gql_app.settings import Settings

_Claims: TypeAlias = Mapping[str, object]
ClaimsOf: TypeAlias = Callable[[Reader, CustomerRecord], _Claims | Awaitable[_Claims]]
"""Returns further claims for the access tokens of a customer, given the database and them.

They are JSON values, of few bytes, and of no reserved name. Other services read them; nothing here
goes by them. What it raises fails the sign-in or the refresh, and is logged.
"""


@dataclass(frozen=True, slots=True)
class Extensions:
    """What features add to a process."""

    claims: Sequence[ClaimsOf] = ()
    """Each returns further claims of a customer's access tokens."""
    signer: Signer | None = None
    """What signs access tokens, instead of a key of this process."""
    authenticators: Sequence[Authenticator] = ()
    """What proves by other credentials than access tokens who is calling, in this order."""


@dataclass(frozen=True, slots=True)
class Resources:
    """The database, the keys and the hasher, as the settings have them."""

    database: Database
    condition: SharedResult[Condition]
    keys: ReloadingKeyRing
    issuer: Issuer
    tokens: TokenCache[Claims]
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
    audiences: frozenset[str]
    """Other services that access tokens may be for."""
    extensions: Extensions

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
        added = extensions or Extensions()
        signing = [signer_key(added.signer)] if added.signer else []
        reloading = ReloadingKeyRing(replace(key_store(settings), elsewhere=signing))
        keys = reloading.get()
        issuer = Issuer(settings.issuer, settings.audience, settings.access_token_ttl)
        database = open_database(settings)
        throttle, sender = throttle_of(settings, keys), mailer(settings)
        opened = cls(
            database=database,
            condition=SharedResult(partial(condition, database)),
            keys=reloading,
            issuer=issuer,
            tokens=TokenCache(lambda ring, text: decode_token(ring, issuer, text)),
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
            ),
            posted=asyncio.Event(),
            registration=settings.registration,
            rules=Rules.of(settings),
            guesses=Guesses(),
            origins_kept=timedelta(days=settings.audit_origin_days),
            audiences=frozenset(settings.services) - {settings.audience},
            extensions=added,
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
