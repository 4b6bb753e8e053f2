"""What lives as long as the process: opened once, closed once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol, Self, TypeAlias, TypeVar

from gql_app.accounts import letters
from gql_app.accounts.audit import Guesses, Recorded
from gql_app.accounts.authenticators import Authenticator
from gql_app.accounts.callers import CallerCache
from gql_app.accounts.permissions import Roles
from gql_app.accounts.proofs import ProofPolicy
from gql_app.accounts.records import CustomerRecord
from gql_app.accounts.sessions import MAX_SESSIONS, Lifetimes
from gql_app.accounts.throttling import HOUR, Throttle
from gql_app.accounts.validation import PasswordRule, Rules
from gql_app.db.migrations.branches import Branch
from gql_app.db.readiness import Condition, Watch, open_database, open_standby
from gql_app.factors.passkeys import Passkeys
from gql_app.lib import telemetry
from gql_app.lib.database import Database, Reader, SharedResult, Transaction
from gql_app.lib.encryption import Encryption
from gql_app.lib.keyring import KeyRing, ReloadingKeyRing, Signer, TokenCache
from gql_app.lib.mail_templates import Folder, MailTemplates
from gql_app.lib.nodes import NodeKind
from gql_app.lib.outbox import ClosedMailer, ConsoleMailer, Mailer, ObservedMailer, SmtpMailer
from gql_app.lib.setting_types import Verification
from gql_app.lib.standby import Standby
from gql_app.lib.telemetry import Metrics
from gql_app.mail.letter_examples import EXAMPLES
from gql_app.mail.outbox import Outbox, WriteLetter
from gql_app.metrics import new_metrics
from gql_app.security.key_store import factor_encryption, key_store
from gql_app.security.passwords import Passwords
from gql_app.security.tokens import Claims, Issuer, decode_token
from gql_app.settings import Settings

T = TypeVar("T")
_Claims: TypeAlias = Mapping[str, object]
ClaimsOf: TypeAlias = Callable[[Reader, CustomerRecord], _Claims | Awaitable[_Claims]]
"""Returns further claims for the access tokens of a customer, given the database and them.

They are JSON values, of few bytes, and of no reserved name. Other services read them; nothing here
goes by them. What it raises fails the sign-in or the refresh, and is logged.
"""


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
    """What features add to what lives as long as the process, all of them together."""

    roles: Roles = field(default_factory=Roles)
    settings: Mapping[type, object] = field(default_factory=dict)
    """The settings that were read, by their classes."""
    branches: Sequence[Branch] = ()
    """The migrations that a database has to have seen besides ours."""
    claims: Sequence[ClaimsOf] = ()
    """Each returns further claims of a customer's access tokens."""
    signer: Signer | None = None
    """What signs access tokens, instead of a key of this process."""
    authenticators: Sequence[Authenticator] = ()
    """What proves by other credentials than access tokens who is calling, in this order."""
    hooks: Callable[[], Hooks] | None = None
    password_rules: Sequence[PasswordRule] = ()
    letters: Mapping[str, WriteLetter | None] = field(default_factory=dict)
    """How each letter is written, by its name; None stands for templates."""
    templates: Sequence[Folder] = ()
    """The folders of these."""
    actions: Collection[str] = frozenset()
    """What is recorded in the audit besides our own actions."""
    error_codes: Collection[str] = frozenset()
    """Codes of user errors besides our own."""
    nodes: tuple[NodeKind[Any], ...] = ()
    """What `node` finds besides our own types."""

    def settings_of(self, kind: type[T]) -> T:
        """Return the settings of a feature. Raises LookupError if no feature has such ones."""
        found = self.settings.get(kind)
        if isinstance(found, kind):
            return found
        message = f"{kind.__name__} are the settings of no feature of this application"
        raise LookupError(message)


@dataclass(frozen=True, slots=True)
class Resources:
    """The database, the keys and the hasher, as the settings have them."""

    database: Database
    standby: Standby | None
    """What lists are read from, if not from the database."""
    own_writes: timedelta
    """For how long after it wrote a session is not read a list from the standby."""
    watch: Watch
    condition: SharedResult[Condition]
    """What it sees, for all who ask."""
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
    verification: Verification
    """Whether addresses are proven: off, ask or require."""
    sign_in_links: bool
    """Whether a link in a letter may sign in."""
    rules: Rules
    proofs: ProofPolicy
    """Who must have a second factor, and how old a proof may be."""
    encryption: Encryption
    """By what the secrets of second factors are encrypted."""
    passkeys: Passkeys | None
    """What asks browsers for passkeys, and judges them; None where there are none."""
    product_name: str
    """What authenticator apps call the service, as letters do."""
    guesses: Guesses
    origins_kept: timedelta
    """How long the audit keeps where from somebody did something who is gone."""
    audiences: frozenset[str]
    """Other services that access tokens may be for."""
    extensions: Extensions
    hooks: Hooks | None

    async def sample(self) -> None:
        """Set the metrics of what is in use at the moment."""
        standby = {"standby": self.standby.use} if self.standby else {}
        self.metrics.sample(self.passwords.use, self.database.use | standby)

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
        extensions = extensions or Extensions()
        store = key_store(settings, extensions.signer)
        reloading, encryption = ReloadingKeyRing(store), factor_encryption(settings, store)
        keys = reloading.get()
        issuer = Issuer(settings.issuer, settings.audience, settings.access_token_ttl)
        database = open_database(settings)
        own_writes = settings.read_max_lag_seconds + settings.operation_timeout
        watch = Watch(database, extensions.branches, encryption.key_ids)
        throttle, sender = throttle_of(settings, keys), mailer(settings)
        passkeys = Passkeys.of(settings, keys.derive("passkey challenges"))
        metrics = metrics or new_metrics()
        opened = cls(
            database=database,
            standby=open_standby(settings, database, metrics.listed),
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
            outbox=Outbox(
                pepper=keys.derive("reset links"),
                pages=pages_of_links(settings),
                throttle=throttle,
                letters_per_day=settings.letters_per_day,
                templates=mail_templates(settings, extensions),
                features=extensions.letters,
            ),
            posted=asyncio.Event(),
            registration=settings.registration,
            verification=settings.verification,
            sign_in_links=settings.sign_in_links,
            rules=Rules.of(
                settings, extensions.roles.names, extensions.password_rules, metrics.looked_up
            ),
            proofs=ProofPolicy(
                settings.second_factor,
                settings.reauthentication_seconds,
                passkeys=passkeys is not None,
            ),
            passkeys=passkeys,
            encryption=encryption,
            product_name=settings.product_name,
            guesses=Guesses(),
            origins_kept=timedelta(days=settings.audit_origin_days),
            audiences=frozenset(settings.services) - {settings.audience},
            extensions=extensions,
            hooks=extensions.hooks() if extensions.hooks else None,
        )
        if tracing:
            observer = tracing.statements(database.dialect)
            database.observe(observer)
            if opened.standby:
                opened.standby.observe(observer)
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
        mail=mailer(settings).open,
    )


def mail_templates(settings: Settings, extensions: Extensions) -> MailTemplates:
    """Return the templates that letters are written by. Raises CannotStart if one is faulty."""
    ours = Folder(Path(__file__).with_name("letters"), EXAMPLES, is_tested=True)
    templates = MailTemplates(
        [ours, *extensions.templates],
        {"product_name": settings.product_name},
        replaced_by=settings.letters_dir,
    )
    templates.check()
    return templates


def pages_of_links(settings: Settings) -> Mapping[str, str]:
    """Return the pages that links lead to, by the kinds of their letters."""
    return {
        letters.Kind.PASSWORD_RESET: settings.reset_url,
        letters.Kind.VERIFY_EMAIL: settings.verify_url,
        letters.Kind.EMAIL_CHANGED: settings.undo_url,
        letters.Kind.SECOND_FACTOR_ADDED: settings.undo_url,
        letters.Kind.INVITATION: settings.invitation_url,
        letters.Kind.SIGN_IN: settings.sign_in_url,
        letters.Kind.ENROLMENT: settings.sign_in_url,
    }


def mailer(settings: Settings) -> Mailer:
    """Return what sends letters."""
    if settings.smtp_url:
        url = settings.smtp_url.get_secret_value()
        return SmtpMailer(url, sender=settings.mail_from, reply_to=settings.reply_to)
    return ConsoleMailer() if settings.demo else ClosedMailer()
