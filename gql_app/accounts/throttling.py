"""Throttling: how often somebody may try something, by the settings.

Every limit there is stands in one table, Throttle.limits.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import ClassVar, Final, NamedTuple
from uuid import UUID

from gql_app.accounts.audit import Action
from gql_app.db.tables import ThrottleRow
from gql_app.errors import TooManyAttempts
from gql_app.lib.database import Transaction
from gql_app.lib.network import client_networks, client_of
from gql_app.lib.text import canonical_email
from gql_app.lib.throttling import Attempts, Limit, Limiter

HOUR: Final = 3600
DAY: Final = 24 * HOUR
TAKEN_PER_HOUR: Final = 50
"""Answers in an hour, for one account or client, that an address is taken."""
CODE_ATTEMPTS: Final = 5
"""Wrong codes of one account within the window."""
CODE_WINDOW: Final = 15 * 60
"""Seconds."""
LOCKOUT_MEMORY: Final = 30 * DAY
"""Seconds after the last failure until a lockout's count is forgotten."""
LOCKOUT_PAUSE: Final = 15 * 60
"""Seconds between two tries of an account that is locked out where no letter can unlock it."""
_LOCKED_OUT: Final = (
    "There were too many attempts. Reset the password, or sign in from where you did lately."
)
REFUSED_AS: Final[Mapping[str, Action]] = {
    "proof": Action.PROOF_THROTTLED,
    "proof from": Action.PROOF_THROTTLED,
    "proof anywhere": Action.PROOF_THROTTLED,
    "register from": Action.REGISTRATION_THROTTLED,
    "refresh from": Action.REFRESH_REFUSED,
    "reset with from": Action.RESET_REFUSED,
    "link with from": Action.LINK_REFUSED,
    "passkey from": Action.SECOND_FACTOR_THROTTLED,
}
"""What the audit calls it when a limit refuses, where it records that."""


class PasswordLimits(NamedTuple):
    """What a try at an account's password counts against."""

    pair: Limit
    """The account and the client together."""
    clients: tuple[Limit, ...]
    """The client, whatever accounts it tries."""
    lockout: Limit
    """The account, over all clients that are not known to it."""
    known: bool = False
    """Whether the client is known to the account."""

    @property
    def all(self) -> tuple[Limit, ...]:
        """All of them."""
        return (self.pair, *self.clients, self.lockout)

    @property
    def counting(self) -> tuple[Limit, ...]:
        """Those that a failure counts against: strangers' failures keep no known client out."""
        return (self.pair, *self.clients) if self.known else self.all


@dataclass(frozen=True, repr=False)
class Throttle(Limiter):
    """The limits that are set; what counts against them raises TooManyAttempts.

    Who tried is kept as a keyed hash.
    """

    table: ClassVar[Attempts] = Attempts(ThrottleRow)
    key: bytes
    """The key by which subjects are hashed."""
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
    def limits(self) -> Mapping[str, Limit]:
        """Every limit by its name, which is the label of the metrics, of no subject yet.

        A plain name is counted for whatever was typed, "from" for a client and its networks, "by"
        for an account, "anywhere" for an account in a row of failures.
        """
        by_client, window, writes = self.client_attempts, self.window, self.account_writes
        advice, pause = (_LOCKED_OUT, LOCKOUT_MEMORY) if self.mail else (None, LOCKOUT_PAUSE)
        lockout = Limit("", self.lockout_attempts, "", LOCKOUT_MEMORY, advice, pause)
        limits = (
            # Wrong passwords at login, and the sessions that one account opens.
            Limit("", self.attempts, "sign-in", window),
            Limit("", by_client, "sign-in from", window),
            replace(lockout, name="sign-in anywhere"),
            Limit("", writes, "sign-in by", HOUR),
            # Wrong passwords at updateMe, changePassword and deleteMe.
            Limit("", self.attempts, "proof", window),
            Limit("", by_client, "proof from", window),
            replace(lockout, name="proof anywhere"),
            # What is changed by updateMe and changePassword.
            Limit("", writes, "change by", HOUR),
            # Answers of register and updateMe that an address is taken.
            Limit("", TAKEN_PER_HOUR, "taken from", HOUR),
            Limit("", TAKEN_PER_HOUR, "taken by", HOUR),
            # Tries of register, whatever comes of them.
            Limit("", by_client, "register from", window),
            # Unknown tokens at refresh, and how often one account carries sessions on.
            Limit("", by_client, "refresh from", window),
            Limit("", self.account_refreshes, "refresh by", HOUR),
            # Requests of requestPasswordReset, and unknown tokens at resetPassword.
            Limit("", by_client, "reset from", window),
            Limit("", by_client, "reset with from", window),
            # Requests of other links by strangers, and unknown tokens of such links.
            Limit("", by_client, "link from", window),
            Limit("", by_client, "link with from", window),
            # Sign-ins that wait for a second factor, and wrong codes of an account.
            Limit("", writes, "challenge from", HOUR),
            Limit("", CODE_ATTEMPTS, "code by", CODE_WINDOW),
            # Passkeys that are refused.
            Limit("", by_client, "passkey from", window),
            # Links that one account asks for.
            Limit("", writes, "link by", HOUR),
        )
        return {limit.name: limit for limit in limits}

    def subject(self, kind: str, who: str) -> str:
        """Return a keyed hash (HMAC-SHA-256) of whom is counted for what; a table holds no name."""
        return hmac.digest(self.key, f"{kind}: {who}".encode(), "sha256").hex()

    def of_typed(self, name: str, typed: str) -> Limit:
        """Return a limit for what was typed, whether it belongs to anybody or not."""
        return replace(self.limits[name], subject=self.subject(name, typed))

    def of_client(self, kind: str, address: str | None) -> tuple[Limit, ...]:
        """Return the limits of a kind for where a request comes from.

        Each wider network of an IPv6 address is granted twice as much as the one within.
        """
        limits = [self.of_typed(f"{kind} from", network) for network in client_networks(address)]
        return tuple(
            replace(limit, attempts=limit.attempts << wider) for wider, limit in enumerate(limits)
        )

    def of_account(self, kind: str, account: object) -> Limit:
        """Return the limit of what one account, by its id, does of a kind."""
        return self.of_typed(f"{kind} by", str(account))

    def of_password(self, kind: str, account: str, address: str | None) -> PasswordLimits:
        """Return the limits of a kind that proves an account's password.

        They are the same for accounts that there are and others, and strangers' failures reach
        the owner late: the account is counted for each client, and for all of them together only
        in a row.
        """
        return PasswordLimits(
            self.of_typed(kind, f"{client_of(address)} {account}"),
            self.of_client(kind, address),
            self.of_typed(f"{kind} anywhere", account),
        )

    def of_taken(self, address: str | None, customer_id: UUID | None = None) -> tuple[Limit, ...]:
        """Return the limits of how often an e-mail address is said to be taken."""
        by = () if customer_id is None else (self.of_account("taken", customer_id),)
        return (*by, *self.of_client("taken", address))

    def of_letters(self, kind: str, address: str, *, a_day: int) -> Limit:
        """Return the limit of the letters of a kind that go to a mailbox in 24 hours."""
        mailbox = canonical_email(address)
        return Limit(self.subject(f"letter {kind}", mailbox), a_day, "letter", DAY)

    def locks(self, email_key: str, customer_id: UUID, address: str | None) -> list[Limit]:
        """Return what may keep an owner out who comes from an address."""
        both = (
            self.of_password("sign-in", email_key, address),
            self.of_password("proof", str(customer_id), address),
        )
        return [limit for limits in both for limit in (limits.pair, limits.lockout)]

    def refusal(self, limit: Limit, wait: int) -> TooManyAttempts:
        """Return what is raised where a limit is reached, and there are so many seconds to wait."""
        return TooManyAttempts(retry_after=wait, limit=limit.name, advice=limit.advice)

    def check_oldest(self, name: str, oldest: datetime | None) -> None:
        """Raise TooManyAttempts if as much as a limit grants was done within its window.

        `oldest` is when the first of that was, None if it was less: so what is counted by rows of
        its own needs no times.
        """
        if oldest is not None:
            self.check([replace(self.limits[name], attempts=1)], {"": [oldest.timestamp()]})

    async def hold_room(self, db: Transaction, limits: PasswordLimits) -> Sequence[Limit]:
        """Return the limits that a password which was right clears, and hold them.

        Those are the ones with failures, for to clear others is to wait for who may wait for us.
        Raises TooManyAttempts unless there is room.
        """
        failed = await self.lock(db, limits.all)
        self.check(limits.counting, failed)
        return [limit for limit in (limits.pair, limits.lockout) if limit.subject in failed]
