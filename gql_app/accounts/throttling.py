"""Throttling: the rate limits of attempts, as they are set.

All limits are in one table, Throttle.limits.
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
from gql_app.lib.network import client_networks
from gql_app.lib.text import canonical_email
from gql_app.lib.throttling import Attempts, Limit, Limiter

HOUR: Final = 3600
DAY: Final = 24 * HOUR
TAKEN_PER_HOUR: Final = 50
"""Replies in an hour, to one account or client, that an address is taken."""
CODE_ATTEMPTS: Final = 5
"""Wrong codes of one account within CODE_WINDOW."""
CODE_WINDOW: Final = 15 * 60
"""Seconds for which wrong codes of one account are counted."""
FACTORS_PER_DAY: Final = 20
"""Second factors that one account may add in 24 hours, so that a letter reports each of them."""
LOCKOUT_MEMORY: Final = 30 * DAY
"""Seconds after the last failure until the failures of a lockout are forgotten."""
LOCKOUT_PAUSE: Final = 15 * 60
"""Seconds between two attempts at a locked account where no letter can unlock it."""
_LOCKED_OUT: Final = (
    "There were too many attempts. Reset the password, or sign in from where you did lately."
)
REFUSAL_ACTIONS: Final[Mapping[str, Action]] = {
    "password_proof": Action.PROOF_THROTTLED,
    "password_proof_client": Action.PROOF_THROTTLED,
    "password_proof_lockout": Action.PROOF_THROTTLED,
    "register_client": Action.REGISTRATION_THROTTLED,
    "refresh_client": Action.REFRESH_REFUSED,
    "reset_link_client": Action.RESET_REFUSED,
    "link_token_client": Action.LINK_REFUSED,
    "passkey_client": Action.SECOND_FACTOR_THROTTLED,
}
"""The audit action for the refusal of each limit; refusals of other limits are not recorded."""


class PasswordLimits(NamedTuple):
    """The limits that an attempt at an account's password counts against."""

    pair: Limit
    """The account and the client together."""
    clients: tuple[Limit, ...]
    """The client, over all accounts."""
    lockout: Limit
    """The account, over all clients that it does not know."""
    wider: tuple[Limit, ...]
    """The account and the client's wider networks together."""
    known: bool = False
    """Whether the client is known to the account."""

    @property
    def all(self) -> tuple[Limit, ...]:
        """All limits."""
        return (self.pair, *self.wider, *self.clients, self.lockout)

    @property
    def of_account(self) -> tuple[Limit, ...]:
        """The limits of the account, which a right password clears."""
        return (self.pair, *self.wider, self.lockout)

    @property
    def counting(self) -> tuple[Limit, ...]:
        """The limits that apply: a known client is exempt from those that strangers reach."""
        return (self.pair, *self.clients) if self.known else self.all

    @property
    def counted(self) -> tuple[Limit, ...]:
        """The limits that a failed sign-in is counted against: as many for a known client.

        Those that it is exempt from have stand-ins that are never reached, so that a failure costs
        the same work and does not tell who signs in from there.
        """
        exempt = (*self.wider, self.lockout) if self.known else ()
        stand_ins = (Limit(each.subject[::-1], 2, each.name, window=0) for each in exempt)
        return (*self.counting, *stand_ins)


@dataclass(frozen=True, repr=False)
class Throttle(Limiter):
    """The rate limits that are set; an attempt beyond one raises TooManyAttempts.

    Subjects are stored as keyed hashes.
    """

    table: ClassVar[Attempts] = Attempts(ThrottleRow)
    key: bytes
    """The key that subjects are hashed with."""
    attempts: int
    client_attempts: int
    window: int
    """Seconds until a failure is forgotten."""
    lockout_attempts: int = 100
    """Failures in a row after which only known clients may try.

    NIST SP 800-63B section 5.2.2 grants 100.
    """
    account_writes: int = 300
    """Writing operations of one kind that one account may do in an hour."""
    account_refreshes: int = 300
    """Refreshes that one account may do in an hour."""
    mail: bool = True
    """Whether a letter can end a lockout."""

    @cached_property
    def limits(self) -> Mapping[str, Limit]:
        """Every limit by its kind, with its label of the metrics, without a subject yet.

        A plain kind counts per client and account as typed, "from" per client, both per network
        of the client as well; "by" per account, "anywhere" an account's failures in a row.
        """
        by_client, window, writes = self.client_attempts, self.window, self.account_writes
        advice, pause = (_LOCKED_OUT, LOCKOUT_MEMORY) if self.mail else (None, LOCKOUT_PAUSE)
        lockout = Limit("", self.lockout_attempts, "", LOCKOUT_MEMORY, advice, pause)
        return {
            # Wrong passwords at login, and sessions that one account opens.
            "sign-in": Limit("", self.attempts, "sign_in_address", window),
            "sign-in from": Limit("", by_client, "sign_in_client", window),
            "sign-in anywhere": replace(lockout, name="sign_in_lockout"),
            "sign-in by": Limit("", writes, "sign_in_account", HOUR),
            # Wrong passwords at updateMe, changePassword and deleteMe.
            "proof": Limit("", self.attempts, "password_proof", window),
            "proof from": Limit("", by_client, "password_proof_client", window),
            "proof anywhere": replace(lockout, name="password_proof_lockout"),
            # Changes by updateMe and changePassword.
            "change by": Limit("", writes, "change_account", HOUR),
            # Replies of register and updateMe that an address is taken.
            "taken from": Limit("", TAKEN_PER_HOUR, "taken_client", HOUR),
            "taken by": Limit("", TAKEN_PER_HOUR, "taken_account", HOUR),
            # Calls of register, whatever their outcome.
            "register from": Limit("", by_client, "register_client", window),
            # Unknown tokens at refresh, and refreshes of one account.
            "refresh from": Limit("", by_client, "refresh_client", window),
            "refresh by": Limit("", self.account_refreshes, "refresh_account", HOUR),
            # Calls of requestPasswordReset, and unknown tokens at resetPassword.
            "reset from": Limit("", by_client, "reset_client", window),
            "reset with from": Limit("", by_client, "reset_link_client", window),
            # Requests for other links by callers not signed in, and unknown tokens of such links.
            "link from": Limit("", by_client, "link_client", window),
            "link with from": Limit("", by_client, "link_token_client", window),
            # Sign-ins that wait for a second factor, and wrong codes of one account.
            "challenge from": Limit("", writes, "second_factor_client", HOUR),
            "code by": Limit("", CODE_ATTEMPTS, "code_account", CODE_WINDOW),
            # Refused passkeys, and second factors that one account adds.
            "passkey from": Limit("", by_client, "passkey_client", window),
            "factor by": Limit("", FACTORS_PER_DAY, "factor_account", DAY),
            # Links that one account requests.
            "link by": Limit("", writes, "link_account", HOUR),
        }

    def subject(self, kind: str, who: str) -> str:
        """Return the keyed hash (HMAC-SHA-256) of a subject, so that no table holds a name."""
        return hmac.digest(self.key, f"{kind}: {who}".encode(), "sha256").hex()

    def of_typed(self, kind: str, typed: str) -> Limit:
        """Return a limit for what was typed, whether an account has it or not."""
        return replace(self.limits[kind], subject=self.subject(kind, typed))

    def of_client(self, kind: str, address: str | None) -> tuple[Limit, ...]:
        """Return the limits of a kind for the client of a request and its networks."""
        return self._of_networks(f"{kind} from", address)

    def of_account(self, kind: str, account: object) -> Limit:
        """Return the limit of a kind for one account, by its id."""
        return self.of_typed(f"{kind} by", str(account))

    def of_password(self, kind: str, account: str, address: str | None) -> PasswordLimits:
        """Return the limits of a kind that proves an account's password.

        They are the same whether the account exists or not. An account is counted per client and
        network, and over all clients only by failures in a row, so that strangers' failures lock
        its owner out late.
        """
        pair, *wider = self._of_networks(kind, address, f" {account}")
        lockout = self.of_typed(f"{kind} anywhere", account)
        return PasswordLimits(pair, self.of_client(kind, address), lockout, tuple(wider))

    def of_taken(self, address: str | None, customer_id: UUID | None = None) -> tuple[Limit, ...]:
        """Return the limits of replies that an e-mail address is taken."""
        by = () if customer_id is None else (self.of_account("taken", customer_id),)
        return (*by, *self.of_client("taken", address))

    def of_letters(self, kind: str, address: str, *, a_day: int) -> Limit:
        """Return the limit of letters of a kind to one mailbox in 24 hours."""
        mailbox = canonical_email(address)
        return Limit(self.subject(f"letter {kind}", mailbox), a_day, "letter_recipient", DAY)

    def locks(self, email_key: str, customer_id: UUID, address: str | None) -> list[Limit]:
        """Return the limits that may lock out the owner of an account, at this client address."""
        both = (
            self.of_password("sign-in", email_key, address),
            self.of_password("proof", str(customer_id), address),
        )
        return [limit for limits in both for limit in limits.of_account]

    def refusal(self, limit: Limit, wait: int) -> TooManyAttempts:
        """Return the error for a limit that is reached, with the seconds to wait."""
        return TooManyAttempts(retry_after=wait, limit=limit.name, advice=limit.advice)

    def check_oldest(self, kind: str, oldest: datetime | None) -> None:
        """Raise TooManyAttempts if a limit's number of operations was done within its window.

        `oldest` is the time of the first of them, None if there were fewer. It serves operations
        that have rows of their own, for which no times are stored.
        """
        if oldest is not None:
            self.check([replace(self.limits[kind], attempts=1)], {"": [oldest.timestamp()]})

    async def hold_failures(self, db: Transaction, limits: PasswordLimits) -> Sequence[Limit]:
        """Return the limits that a right password clears, with their rows locked.

        Those are the ones with failures: to lock rows of others could deadlock. Raises
        TooManyAttempts if a limit is reached.
        """
        failed = await self.lock(db, limits.all)
        self.check(limits.counting, failed)
        return [limit for limit in limits.of_account if limit.subject in failed]

    def _of_networks(self, kind: str, address: str | None, account: str = "") -> tuple[Limit, ...]:
        """Return a limit for each network of a client, of an account only if one is given.

        Each wider network of an IPv6 address is granted twice as much as the one within.
        """
        return tuple(
            replace(limit := self.of_typed(kind, f"{each}{account}"), attempts=limit.attempts << at)
            for at, each in enumerate(client_networks(address))
        )
