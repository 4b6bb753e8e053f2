"""Throttling: how often somebody may try something, counted where every process sees it.

Every limit there is stands in one table, Throttle.limits.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Final
from uuid import UUID

from gql_app.accounts.audit import Action
from gql_app.db.tables import ThrottleRow
from gql_app.errors import TooManyAttempts
from gql_app.lib.text import canonical_email
from gql_app.lib.throttling import Counters, Limit, Limiter

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
REFUSED_AS: Final[Mapping[str, Action]] = {
    "proof": Action.PROOF_THROTTLED,
    "proof from": Action.PROOF_THROTTLED,
    "proof anywhere": Action.PROOF_THROTTLED,
    "register from": Action.REGISTRATION_THROTTLED,
    "refresh from": Action.REFRESH_REFUSED,
    "reset with from": Action.RESET_REFUSED,
}
"""What the audit calls it when a limit refuses, where it records that."""


@dataclass(frozen=True, repr=False)
class Throttle(Limiter):
    """The limits that are set, and the key by which subjects are hashed."""

    counters: ClassVar = Counters(ThrottleRow)
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
    def limits(self) -> Mapping[str, Limit]:
        """Every limit by its name, which is the label of the metrics."""
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
        )
        return {limit.name: limit for limit in limits}

    def refusal(self, limit: Limit, seconds: int) -> TooManyAttempts:
        """Return the refusal of what a limit has no room for."""
        return TooManyAttempts(retry_after=seconds, limit=limit.name, advice=limit.advice)

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
