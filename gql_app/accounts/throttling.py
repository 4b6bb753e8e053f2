"""Throttling: how often somebody may try something, counted where every process sees it.

Every limit there is stands in one table, Throttle.limits. Who tried is kept as a keyed hash, never
in clear.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import ClassVar, Final, NamedTuple
from uuid import UUID

from gql_app.accounts.audit import Action
from gql_app.db.tables import ThrottleRow
from gql_app.errors import TooManyAttempts
from gql_app.lib.database import Transaction
from gql_app.lib.network import client_networks, client_of
from gql_app.lib.throttling import Counters, Limit, Limiter, Lockout, subject_hash

HOUR: Final = 3600
DAY: Final = 24 * HOUR
TAKEN_PER_HOUR: Final = 50
"""Answers in an hour, for one account or client, that an address is taken."""
LOCKOUT_MEMORY: Final = 30 * DAY
"""Seconds after the last failure until a lockout's count is forgotten."""
LOCKOUT_PAUSE: Final = 15 * 60
"""Seconds between two tries of an account that is locked out where no letter can unlock it."""
_LOCKED_OUT: Final = (
    "There were too many attempts. Reset the password, or sign in from where you did lately."
)


class Grant(NamedTuple):
    """What a limit grants."""

    attempts: int
    window: int
    """Seconds until an attempt is forgotten."""
    refused_as: Action | None = None
    """What the audit calls it when the limit refuses, if it records that."""


class PasswordLimits(NamedTuple):
    """What a try at an account's password counts against."""

    pair: Limit
    """The account and the client together."""
    clients: tuple[Limit, ...]
    """The client, whatever accounts it tries."""
    lockout: Lockout
    """The account, over all clients that are not known to it."""

    @property
    def all(self) -> tuple[Limit, ...]:
        """All of them."""
        return (self.pair, *self.clients, self.lockout)

    @property
    def subjects(self) -> list[str]:
        """The subjects of all of them."""
        return [limit.subject for limit in self.all]

    def counting(self, *, known: bool) -> tuple[Limit, ...]:
        """Return those that count: strangers' failures keep no known client out."""
        return (self.pair, *self.clients) if known else self.all


@dataclass(frozen=True, repr=False)
class Throttle(Limiter):
    """The limits that are set, and the key by which subjects are hashed."""

    counters: ClassVar = Counters(
        ThrottleRow,
        subject=ThrottleRow.subject,
        times=ThrottleRow.times,
        updated_at=ThrottleRow.updated_at,
    )
    key: bytes
    attempts: int
    client_attempts: int
    window: int
    """Seconds until a failure is forgotten."""
    lockout_attempts: int = 100
    """Failures in a row after which only known clients may try.

    NIST SP 800-63B section 5.2.2 grants 100.
    """
    account_writes: int = 300
    """What one account may do of a kind in an hour, if it writes."""
    account_refreshes: int = 300
    """How often one account may refresh in an hour."""
    mail: bool = True
    """Whether a letter can end a lockout."""

    @cached_property
    def limits(self) -> Mapping[str, Grant]:
        """Every limit by its name, which is the label of the metrics.

        A plain name is counted for an account and a client together, "from" for the client and
        its networks, "by" for the account, "anywhere" for the account in a row of failures.
        """
        failures, window = self.attempts, self.window
        by_client, in_a_row = self.client_attempts, self.lockout_attempts
        return {
            # Wrong passwords at login, and the sessions that one account opens.
            "sign-in": Grant(failures, window),
            "sign-in from": Grant(by_client, window),
            "sign-in anywhere": Grant(in_a_row, LOCKOUT_MEMORY),
            "sign-in by": Grant(self.account_writes, HOUR),
            # Wrong passwords at updateMe, changePassword and deleteMe.
            "proof": Grant(failures, window, Action.PROOF_THROTTLED),
            "proof from": Grant(by_client, window, Action.PROOF_THROTTLED),
            "proof anywhere": Grant(in_a_row, LOCKOUT_MEMORY, Action.PROOF_THROTTLED),
            # What is changed by updateMe and changePassword.
            "change by": Grant(self.account_writes, HOUR),
            # Answers of register and updateMe that an address is taken.
            "taken from": Grant(TAKEN_PER_HOUR, HOUR),
            "taken by": Grant(TAKEN_PER_HOUR, HOUR),
            # Tries of register, whatever comes of them.
            "register from": Grant(by_client, window, Action.REGISTRATION_THROTTLED),
            # Unknown tokens at refresh, and how often one account carries sessions on.
            "refresh from": Grant(by_client, window, Action.REFRESH_REFUSED),
            "refresh by": Grant(self.account_refreshes, HOUR),
            # Requests of requestPasswordReset, and unknown tokens at resetPassword.
            "reset from": Grant(by_client, window),
            "reset with from": Grant(by_client, window, Action.RESET_REFUSED),
        }

    def refusal(self, limit: Limit, seconds: int) -> TooManyAttempts:
        """Return the refusal of what a limit has no room for."""
        return TooManyAttempts(retry_after=seconds, limit=limit.name, advice=limit.advice)

    def refused_as(self, name: str) -> Action | None:
        """Return what the audit calls it when a limit refuses, None if it records nothing."""
        grant = self.limits.get(name)
        return grant.refused_as if grant else None

    def of_typed(self, kind: str, typed: str) -> Limit:
        """Return the limit of a kind for what was typed, whether it belongs to anybody or not."""
        return self._limit(kind, typed)

    def of_client(self, kind: str, address: str | None) -> tuple[Limit, ...]:
        """Return the limits of a kind for where a request comes from.

        Each wider network of an IPv6 address is granted twice as much as the one within.
        """
        name = f"{kind} from"
        return tuple(
            self._limit(name, client, wider=wider)
            for wider, client in enumerate(client_networks(address))
        )

    def of_account(self, kind: str, customer_id: UUID) -> Limit:
        """Return the limit of what one account does in an hour."""
        return self._limit(f"{kind} by", str(customer_id))

    def of_password(self, kind: str, account: str, address: str | None) -> PasswordLimits:
        """Return the limits of a kind that proves an account's password.

        They are the same for accounts that there are and others, and strangers' failures reach
        the owner late: the account is counted for each client, and for all of them together only
        in a row.
        """
        return PasswordLimits(
            self.of_typed(kind, f"{client_of(address)} {account}"),
            self.of_client(kind, address),
            self._lockout(f"{kind} anywhere", account),
        )

    def of_taken(self, address: str | None, customer_id: UUID | None = None) -> tuple[Limit, ...]:
        """Return the limits of how often an e-mail address is said to be taken."""
        by = () if customer_id is None else (self.of_account("taken", customer_id),)
        return (*by, *self.of_client("taken", address))

    def of_letters(self, kind: str, mailbox: str, *, a_day: int) -> Limit:
        """Return the limit of the letters of a kind that one mailbox is sent in 24 hours."""
        return Limit(subject_hash(self.key, f"letter {kind}", mailbox), a_day, "letter", DAY)

    def locks(self, email_key: str, customer_id: UUID, address: str | None) -> list[Limit]:
        """Return what may keep an owner out who comes from an address."""
        both = (
            self.of_password("sign-in", email_key, address),
            self.of_password("proof", str(customer_id), address),
        )
        return [limit for limits in both for limit in (limits.pair, limits.lockout)]

    def check_sign_ins(self, oldest: datetime | None) -> None:
        """Raise TooManyAttempts if an account was signed in to too often within the hour.

        `oldest` is when the oldest of as many sign-ins was as are granted, None if they are fewer:
        they are counted by their sessions.
        """
        if oldest is not None:
            self.check([Limit("", 1, "sign-in by", HOUR)], {"": [oldest.timestamp()]})

    async def hold_room(
        self, db: Transaction, limits: PasswordLimits, *, known: bool
    ) -> Sequence[Limit]:
        """Return the limits that a password which was right clears, and hold them.

        Those are the ones with failures, for to clear others is to wait for who may wait for us.
        Raises TooManyAttempts unless there is room.
        """
        failed = await self.counters.hold(db, limits.subjects)
        self.check(limits.counting(known=known), failed)
        return [limit for limit in (limits.pair, limits.lockout) if limit.subject in failed]

    def _limit(self, name: str, who: str, *, wider: int = 0) -> Limit:
        grant = self.limits[name]
        subject = subject_hash(self.key, name, who)
        return Limit(subject, grant.attempts << wider, name, grant.window)

    def _lockout(self, name: str, who: str) -> Lockout:
        grant = self.limits[name]
        return Lockout(
            subject_hash(self.key, name, who),
            grant.attempts,
            name,
            grant.window,
            advice=_LOCKED_OUT if self.mail else None,
            pause=LOCKOUT_MEMORY if self.mail else LOCKOUT_PAUSE,
        )
