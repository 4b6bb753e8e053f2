"""Throttling: every rate limit and lockout, in one mapping, Throttle.limits."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final
from uuid import UUID

from gql_app.accounts.audit import Action
from gql_app.accounts.mail.links import LinkKind
from gql_app.db.tables import ThrottleRow
from gql_app.errors import TooManyAttempts
from gql_app.lib.rate_limits import Limit, RateLimits
from gql_app.lib.text import canonical_email

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


@dataclass(frozen=True, repr=False)
class Throttle(RateLimits, table=ThrottleRow):
    """The rate limits that are set; an attempt beyond one raises TooManyAttempts.

    `window` is the seconds until a failure is forgotten.
    """

    attempts: int
    client_attempts: int
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
        """Every limit by its kind, with its label of the metrics, without a subject yet."""
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
            # Changes of an account by its owner, and apart those that take a recent proof.
            "change by": Limit("", writes, "change_account", HOUR),
            "access by": Limit("", writes, "access_account", HOUR),
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

    def refusal(self, limit: Limit, wait: int) -> TooManyAttempts:
        """Return the refusal of an attempt beyond a limit."""
        return TooManyAttempts(retry_after=wait, limit=limit.name, advice=limit.advice)

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

    def of_factors(self, customer_id: UUID, email: str) -> tuple[Limit, Limit]:
        """Return the limits that keep an owner from a factor once others with the password tried.

        They are those of wrong codes, and of letters with a link to set one up.
        """
        enrolments = self.of_letters(LinkKind.ENROLMENT, email, a_day=1)
        return self.of_account("code", customer_id), enrolments
