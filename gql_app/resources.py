"""Resources of a process: opened at its start, closed at its end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol, Self, TypeAlias, TypeVar

from gql_app.accounts.audit import Guesses, Recorded
from gql_app.accounts.callers import CallerCache
from gql_app.accounts.permissions import Roles
from gql_app.accounts.proofs import ProofPolicy
from gql_app.accounts.records import CustomerRecord
from gql_app.accounts.sessions import MAX_SESSIONS, Lifetimes
from gql_app.accounts.throttling import HOUR, Throttle
from gql_app.accounts.validation import PasswordRule, Rules
from gql_app.db.migrations.branches import Branch
from gql_app.db.readiness import Condition, Watch, open_database, open_standby
from gql_app.errors import Unauthenticated, Undeclared
from gql_app.factors.passkeys import Passkeys
from gql_app.lib import telemetry
from gql_app.lib.database import Database, Reader, SharedResult, Transaction
from gql_app.lib.encryption import Encryption
from gql_app.lib.keyring import KeyRing, ReloadingKeyRing, Signer, TokenCache
from gql_app.lib.mail_templates import Folder
from gql_app.lib.nodes import NodeKind
from gql_app.lib.outbox import Mailer, ObservedMailer
from gql_app.lib.setting_types import Verification
from gql_app.lib.standby import Standby
from gql_app.lib.telemetry import Metrics
from gql_app.mail import composing
from gql_app.mail.outbox import Outbox, WriteLetter
from gql_app.metrics import new_metrics
from gql_app.security.key_store import factor_encryption, key_store
from gql_app.security.passwords import Passwords
from gql_app.security.tokens import Claims, Identity, Issuer, decode_token
from gql_app.settings import Settings

T = TypeVar("T")
_Claims: TypeAlias = Mapping[str, object]
ClaimsOf: TypeAlias = Callable[[Reader, CustomerRecord], _Claims | Awaitable[_Claims]]
"""Returns further claims for a customer's access tokens, given the database and the customer.

Claims are small JSON values, of no reserved name. Other services read them; this API ignores them.
An exception fails the sign-in or the refresh, and is logged.
"""
Identify: TypeAlias = Callable[
    [Reader, Sequence[bytes], Unauthenticated], Awaitable[Identity | Exception]
]
"""Returns the identity that a request's Authorization headers stand for, or why there is none.

The last argument is why they are no access token.
"""


class Hooks(Protocol):
    """The hooks of features, which run with events."""

    async def within(
        self, resources: "Resources", db: Transaction, events: Sequence[Recorded]
    ) -> None:
        """Run the hooks within the transaction that recorded the events. Raises Rejected."""

    def committed(self, events: Sequence[Recorded]) -> None:
        """Start the hooks that run after the commit of the events."""

    def running(self, resources: "Resources") -> AbstractAsyncContextManager[None]:
        """Return a context manager that runs the latter hooks, and waits for them at its end."""


@dataclass(frozen=True, slots=True)
class Extensions:
    """What all features together add to the resources."""

    roles: Roles = field(default_factory=Roles)
    settings: Mapping[type, object] = field(default_factory=dict)
    """The settings of features, by their classes."""
    branches: Sequence[Branch] = ()
    """The migrations of features, which a database needs beside the built-in ones."""
    claims: Callable[[Reader, CustomerRecord], Awaitable[_Claims]] | None = None
    """Returns further claims of a customer's access tokens."""
    signer: Signer | None = None
    """The signer of access tokens, in place of a key of this process."""
    identify: Identify | None = None
    """Identifies callers by other credentials than access tokens."""
    hooks: Callable[[], Hooks] | None = None
    password_rules: Sequence[PasswordRule] = ()
    letters: Mapping[str, WriteLetter | None] = field(default_factory=dict)
    """The writer of each letter, by the letter's name; None stands for templates."""
    templates: Sequence[Folder] = ()
    """The folders of these templates."""
    actions: Collection[str] = frozenset()
    """Further actions of the audit."""
    error_codes: Collection[str] = frozenset()
    """Further codes of user errors."""
    nodes: tuple[NodeKind[Any], ...] = ()
    """Further types that `node` finds."""
    visible: Mapping[type, Any] = field(default_factory=dict)
    """Which rows of these types a caller sees, in nested lists too."""

    def settings_of(self, kind: type[T]) -> T:
        """Return the settings of a feature. Raises LookupError if no feature has this class."""
        found = self.settings.get(kind)
        if isinstance(found, kind):
            return found
        message = f"{kind.__name__} are the settings of no feature of this application"
        raise Undeclared(message)


@dataclass(frozen=True, slots=True)
class Resources:
    """The database, keys, password hasher and so on, configured by the settings."""

    settings: Settings
    database: Database
    standby: Standby | None
    """The standby that lists are read from, if there is one."""
    own_writes: timedelta
    """How long after its last write a session reads lists from the primary."""
    watch: Watch
    condition: SharedResult[Condition]
    """The condition of the database; concurrent requests share one check."""
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
    """Set when a letter has been stored, so that it is sent at once."""
    verification: Verification
    """Whether addresses are proven: off, ask or require."""
    rules: Rules
    proofs: ProofPolicy
    """Who must have a second factor, and how old a proof may be."""
    encryption: Encryption
    """Encrypts the secrets of second factors."""
    passkeys: Passkeys | None
    """Makes the options of passkeys (WebAuthn), and verifies passkeys; None if not enabled."""
    guesses: Guesses
    audiences: frozenset[str]
    """Other services that access tokens may be for."""
    extensions: Extensions
    hooks: Hooks | None

    async def sample(self) -> None:
        """Set the gauges of password threads and connections that are in use."""
        standby = {"standby": self.standby.copy.use["read"]} if self.standby else {}
        self.metrics.sample(self.passwords.use, self.database.use | standby)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        settings: Settings,
        metrics_folder: Path | None = None,
        tracing: "telemetry.Tracing | None" = None,
        extensions: Extensions | None = None,
    ) -> AsyncIterator[Self]:
        """Open the resources, and close them when the block ends. Raises CannotStart."""
        extensions = extensions or Extensions()
        store = key_store(settings, extensions.signer)
        reloading, encryption = ReloadingKeyRing(store), factor_encryption(settings, store)
        keys = reloading.get()
        throttle, sender = throttle_of(settings, keys), composing.mailer(settings)
        limits = [each.name for each in throttle.limits.values()]
        limits += ["letter_recipient", "password_queue"]
        metrics = new_metrics(limits, extensions.error_codes, metrics_folder)
        issuer = Issuer(settings.issuer, settings.audience, settings.access_token_ttl)
        database = open_database(settings)
        own_writes = settings.read_max_lag_seconds + settings.operation_timeout
        watch = Watch(database, extensions.branches, encryption.key_ids)
        passkeys = Passkeys.of(settings, keys.derive("passkey challenges"))
        opened = cls(
            settings=settings,
            database=database,
            standby=open_standby(settings, database, lambda read: metrics.lists[read].inc()),
            own_writes=timedelta(seconds=own_writes),
            watch=watch,
            condition=SharedResult(watch.condition),
            keys=reloading,
            issuer=issuer,
            tokens=TokenCache(lambda ring, text: decode_token(ring, issuer, text)),
            caller_cache=CallerCache(),
            passwords=Passwords(threads=settings.password_threads, queue=settings.password_queue),
            metrics=metrics,
            lifetimes=Lifetimes(
                pepper=keys.derive("refresh tokens"),
                access=settings.access_token_ttl,
                refresh=settings.refresh_token_ttl,
                longest=settings.session_max_age,
                grace=settings.refresh_grace_seconds,
                retry=settings.refresh_retry_seconds,
                new_client_letters=settings.new_client_letters,
            ),
            throttle=throttle,
            mailer=ObservedMailer(sender, tracing.letter) if tracing else sender,
            outbox=composing.outbox_of(
                settings, keys, throttle, extensions.letters, extensions.templates
            ),
            posted=asyncio.Event(),
            verification=settings.verification,
            rules=Rules.of(
                settings,
                extensions.roles.names,
                extensions.password_rules,
                lambda found: metrics.lookups[found].inc(),
            ),
            proofs=ProofPolicy(
                settings.second_factor,
                settings.reauthentication_seconds,
                passkeys=passkeys is not None,
            ),
            passkeys=passkeys,
            encryption=encryption,
            guesses=Guesses(),
            audiences=frozenset(settings.audiences) - {settings.audience},
            extensions=extensions,
            hooks=extensions.hooks() if extensions.hooks else None,
        )
        if tracing:
            database.observer = tracing.statements(database.dialect)
            if opened.standby:
                opened.standby.copy.observer = database.observer
        try:
            yield opened
        finally:
            opened.passwords.close()
            opened.rules.breached.close()
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
        mail=composing.mailer(settings).open,
    )
