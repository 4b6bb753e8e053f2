"""Throttling: rate limits and lockouts; attempts are counted in a table that all processes share.

All limits are in one mapping, Throttle.limits.
"""

import hmac
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, delete, select

from gql_app.accounts.audit import Action
from gql_app.db.tables import ThrottleRow
from gql_app.errors import TooManyAttempts
from gql_app.lib import clock
from gql_app.lib.database import Batch, Query, Reader, Transaction, any_of, upsert
from gql_app.lib.network import client_networks
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


@dataclass(frozen=True, slots=True)
class Limit:
    """A rate limit: how often a subject may do something within a sliding window.

    With a pause it is a lockout: consecutive failures count, however slow they are, until the last
    of them is older than the window, and once the limit is reached one attempt is allowed after
    each pause. With a pause as long as the window, further attempts need a success or an operator
    who clears the count.
    """

    subject: str
    attempts: int
    name: str
    """The kind of attempt, as in the labels of the metrics."""
    window: int
    """Seconds for which an attempt counts."""
    advice: str | None = None
    """Advice to the client, if it can do more than wait."""
    pause: int | None = None
    """Seconds between two attempts during a lockout."""

    def counted(self, times: Sequence[float], now: float) -> list[float]:
        """Return the times that count, in seconds since the epoch.

        Times too far in the future do not count: the clock was set back since.
        """
        if self.pause is None:
            return [time for time in times if now - self.window < time <= now + self.window]
        past = [time for time in times if time <= now + self.pause]
        return past if past and past[-1] > now - self.window else []

    def wait(self, times: Sequence[float], now: float) -> int:
        """Return the seconds until another attempt is allowed, 0 if one is now."""
        counted = self.counted(times, now)
        if len(counted) < self.attempts:
            return 0
        if self.pause is None:
            return max(1, math.ceil(counted[-self.attempts] + self.window - now))
        return max(0, math.ceil(counted[-1] + self.pause - now))


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
class Throttle:
    """The rate limits that are set; an attempt beyond one raises TooManyAttempts.

    Subjects are stored as keyed hashes. require_room() before the work is only a shortcut; count()
    in the transaction of the outcome decides. It locks the rows of the subjects, always in the same
    order, until the transaction ends: so concurrent attempts learn no more than attempts one after
    another.
    """

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

    def limit(self, kind: str, who: str) -> Limit:
        """Return the limit of a kind for a subject, such as an address that no account has."""
        return replace(self.limits[kind], subject=self.subject(kind, who))

    def of_client(self, kind: str, address: str | None) -> tuple[Limit, ...]:
        """Return the limits of a kind for the client of a request and its networks."""
        return self._of_networks(f"{kind} from", address)

    def of_account(self, kind: str, account: object) -> Limit:
        """Return the limit of a kind for one account, by its id."""
        return self.limit(f"{kind} by", str(account))

    def of_password(self, kind: str, account: str, address: str | None) -> PasswordLimits:
        """Return the limits of a kind that proves an account's password.

        They are the same whether the account exists or not. An account is counted per client and
        network, and over all clients only by failures in a row, so that strangers' failures lock
        its owner out late.
        """
        pair, *wider = self._of_networks(kind, address, f" {account}")
        lockout = self.limit(f"{kind} anywhere", account)
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

    def check_oldest(self, kind: str, oldest: datetime | None) -> None:
        """Raise TooManyAttempts if a limit's number of operations was done within its window.

        `oldest` is the time of the first of them, None if there were fewer. It serves operations
        that have rows of their own, for which no times are stored.
        """
        if oldest is not None:
            self.check([replace(self.limits[kind], attempts=1)], {"": [oldest.timestamp()]})

    def check(self, limits: Sequence[Limit], times: Mapping[str, Sequence[float]]) -> None:
        """Raise TooManyAttempts if any limit is reached by the times of its subject.

        Of several limits it names the one with the longest wait.
        """
        now = clock.now().timestamp()
        waits = [limit.wait(times.get(limit.subject, ()), now) for limit in limits]
        if longest := max(waits):
            limit = limits[waits.index(longest)]
            raise TooManyAttempts(retry_after=longest, limit=limit.name, advice=limit.advice)

    async def require_room(self, db: Reader, *limits: Limit) -> None:
        """Raise TooManyAttempts unless another attempt is allowed."""
        subjects = [limit.subject for limit in limits]
        self.check(limits, dict(await db.fetch_all(_FIND, subjects=subjects)))

    async def lock(self, db: Transaction, limits: Sequence[Limit]) -> Mapping[str, Sequence[float]]:
        """Return the times of subjects that have rows, and lock these rows.

        Mostly there are none. Each is locked separately: no lock spans the shards of a database.
        """
        found = await db.fetch_all(_FIND, subjects=[limit.subject for limit in limits])
        each = [{"subject": subject} for subject, _ in sorted(found)]
        return dict(await db.execute_many(_LOCK, each)) if each else {}

    async def hold_failures(self, db: Transaction, limits: PasswordLimits) -> Sequence[Limit]:
        """Return the limits that a right password clears, with their rows locked.

        Those are the ones with failures: to lock rows of others could deadlock. Raises
        TooManyAttempts if a limit is reached.
        """
        failed = await self.lock(db, limits.all)
        self.check(limits.counting, failed)
        return [limit for limit in limits.of_account if limit.subject in failed]

    async def count(self, db: Transaction, *limits: Limit) -> bool:
        """Count an attempt against every limit; return whether it reaches one.

        Raises TooManyAttempts if one was reached before: then nothing is counted. Subjects without
        a row get one, and are locked as well.
        """
        now = clock.now().timestamp()
        in_order = sorted(limits, key=lambda limit: limit.subject)
        new = [self._row(each, []) for each in in_order]
        times = dict(await db.execute_many(_UPSERT, new))
        self.check(limits, times)
        reached, rows = False, []
        for limit in limits:
            latest = [*limit.counted(times[limit.subject], now), now][-limit.attempts :]
            rows.append(self._row(limit, latest))
            reached |= len(latest) >= limit.attempts
        await db.execute_many(_SAVE, rows)
        return reached

    async def give_back(self, db: Transaction, limit: Limit) -> None:
        """Remove the last attempt from a limit, as it had no effect."""
        for times in (await self.lock(db, [limit])).values():
            await db.execute(_SAVE, **self._row(limit, times[:-1]))

    async def clear(self, db: Transaction, *limits: Limit) -> None:
        """Remove all attempts from some limits."""
        if limits:
            subjects = [limit.subject for limit in limits]
            await db.execute(_CLEAR, subjects=subjects)

    async def purge(self, db: Transaction, *, batch: int) -> int:
        """Delete at most `batch` rows whose attempts no longer count; return how many."""
        before = clock.now() - timedelta(seconds=self.window)
        return await _PURGE.apply(db, before=before, batch=batch)

    def _of_networks(self, kind: str, address: str | None, account: str = "") -> tuple[Limit, ...]:
        """Return a limit for each network of a client, of an account only if one is given.

        Each wider network of an IPv6 address is granted twice as much as the one within.
        """
        return tuple(
            replace(limit := self.limit(kind, f"{each}{account}"), attempts=limit.attempts << at)
            for at, each in enumerate(client_networks(address))
        )

    def _row(self, limit: Limit, times: Sequence[float]) -> dict[str, object]:
        """Return the row of a limit with attempts at these times.

        Rows are kept until `window` seconds after `updated_at`, which is therefore in the future
        for a limit with a longer window.
        """
        updated_at = clock.now() + timedelta(seconds=limit.window - self.window)
        return {"subject": limit.subject, "times": times, "updated_at": updated_at}


_TIMES: Final = select(ThrottleRow.subject, ThrottleRow.times)
_FIND: Final = Query(_TIMES.where(any_of(ThrottleRow.subject, "subjects")), tuple)
_LOCK: Final = Query(
    _TIMES.where(ThrottleRow.subject == bindparam("subject")).with_for_update(), tuple
)
_SAVE: Final = upsert(ThrottleRow)
_UPSERT: Final = Query(
    upsert(ThrottleRow, update=()).returning(ThrottleRow.subject, ThrottleRow.times), tuple
)
_CLEAR: Final = delete(ThrottleRow).where(any_of(ThrottleRow.subject, "subjects"))
_PURGE: Final = Batch(
    select(ThrottleRow.subject).where(ThrottleRow.updated_at < bindparam("before")),
    delete(ThrottleRow),
)
