"""Throttling: how often somebody may try something, counted where every process sees it.

Every limit there is stands in one table, Throttle.limits.
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
from gql_app.lib.network import client_networks, client_of
from gql_app.lib.text import canonical_email

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
    "link with from": Action.LINK_REFUSED,
}
"""What the audit calls it when a limit refuses, where it records that."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How often one subject may do something within a window, which slides.

    With a pause it is a lockout: failures in a row count, however slow they are, until the last of
    them is forgotten, and once they are too many there is one more after each pause. A pause as
    long as the window means that only a success, or somebody who clears the count, lets anybody
    try again.
    """

    subject: str
    attempts: int
    name: str
    """What is tried, as the labels of the metrics have it."""
    window: int
    """Seconds until an attempt is forgotten."""
    advice: str | None = None
    """What to do, if there is more to do than to wait."""
    pause: int | None = None
    """Seconds between two tries of a lockout once the limit is reached."""

    def counted(self, times: Sequence[float], now: float) -> list[float]:
        """Return the times that count, in seconds since the epoch.

        Those that are so far ahead that the clock was set back since are forgotten, too.
        """
        if self.pause is None:
            return [time for time in times if now - self.window < time <= now + self.window]
        past = [time for time in times if time <= now + self.pause]
        return past if past and past[-1] > now - self.window else []

    def wait(self, times: Sequence[float], now: float) -> int:
        """Return the seconds until there is room, 0 if there is some now."""
        counted = self.counted(times, now)
        if len(counted) < self.attempts:
            return 0
        if self.pause is None:
            return max(1, math.ceil(counted[-self.attempts] + self.window - now))
        return max(0, math.ceil(counted[-1] + self.pause - now))


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
class Throttle:
    """The limits that are set, and what counts attempts against them.

    An attempt is let through only while there is room: require_room() before it saves the work,
    count() in the transaction that answers the outcome holds. Whoever counts holds the rows of
    their subjects, always in the same order, until their transaction ends: so attempts made side by
    side learn no more than attempts made one by one. Who tried is kept as a keyed hash.
    """

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

    def check(self, limits: Sequence[Limit], times: Mapping[str, Sequence[float]]) -> None:
        """Raise TooManyAttempts if any limit is reached by the times of its subject.

        Of several the one with the longest wait is what it names.
        """
        now = clock.now().timestamp()
        waits = [limit.wait(times.get(limit.subject, ()), now) for limit in limits]
        if longest := max(waits):
            limit = limits[waits.index(longest)]
            raise TooManyAttempts(retry_after=longest, limit=limit.name, advice=limit.advice)

    def check_oldest(self, name: str, oldest: datetime | None) -> None:
        """Raise TooManyAttempts if as much as a limit grants was done within its window.

        `oldest` is when the first of that was, None if it was less: so what is counted by rows of
        its own needs no times.
        """
        if oldest is not None:
            self.check([replace(self.limits[name], attempts=1)], {"": [oldest.timestamp()]})

    async def require_room(self, db: Reader, *limits: Limit) -> None:
        """Raise TooManyAttempts unless there is room for another attempt."""
        subjects = [limit.subject for limit in limits]
        self.check(limits, dict(await db.fetch_all(_FIND, subjects=subjects)))

    async def hold_room(self, db: Transaction, limits: PasswordLimits) -> Sequence[Limit]:
        """Return the limits that a password which was right clears, and hold them.

        Those are the ones with failures, for to clear others is to wait for who may wait for us.
        Raises TooManyAttempts unless there is room.
        """
        failed = await self._hold(db, limits.all)
        self.check(limits.counting, failed)
        return [limit for limit in (limits.pair, limits.lockout) if limit.subject in failed]

    async def count(self, db: Transaction, *limits: Limit) -> bool:
        """Count an attempt against every limit; return whether one is reached by it.

        Raises TooManyAttempts if one was reached before: then nothing is counted. Subjects that
        never tried are held as well.
        """
        now = clock.now().timestamp()
        in_order = sorted(limits, key=lambda limit: limit.subject)
        begun = [self._row(each, []) for each in in_order]
        times = dict(await db.execute_many(_BEGIN, begun))
        self.check(limits, times)
        reached, rows = False, []
        for limit in limits:
            latest = [*limit.counted(times[limit.subject], now), now][-limit.attempts :]
            rows.append(self._row(limit, latest))
            reached |= len(latest) >= limit.attempts
        await db.execute_many(_SAVE, rows)
        return reached

    async def give_back(self, db: Transaction, limit: Limit) -> None:
        """Forget the last count against a limit: what was counted has come to nothing."""
        for times in (await self._hold(db, [limit])).values():
            await db.execute(_SAVE, **self._row(limit, times[:-1]))

    async def clear(self, db: Transaction, *limits: Limit) -> None:
        """Forget every attempt that counts against some limits."""
        if limits:
            subjects = [limit.subject for limit in limits]
            await db.execute(_CLEAR, subjects=subjects)

    async def purge(self, db: Transaction, *, batch: int) -> int:
        """Delete at most a batch of rows whose attempts are forgotten; return how many."""
        before = clock.now() - timedelta(seconds=self.window)
        return await _PURGE.apply(db, before=before, batch=batch)

    async def _hold(
        self, db: Transaction, limits: Sequence[Limit]
    ) -> Mapping[str, Sequence[float]]:
        """Return the times of subjects that have failed, and hold their rows.

        Most often there are none. Each is held by itself: no lock spans shards of a database.
        """
        found = await db.fetch_all(_FIND, subjects=[limit.subject for limit in limits])
        each = [{"subject": subject} for subject, _ in sorted(found)]
        return dict(await db.execute_many(_HOLD, each)) if each else {}

    def _row(self, limit: Limit, times: Sequence[float]) -> dict[str, object]:
        """Return the row of a limit that was counted at these times.

        Rows are kept until `window` seconds after `updated_at`, which therefore is later than now
        for a limit with a longer window.
        """
        updated_at = clock.now() + timedelta(seconds=limit.window - self.window)
        return {"subject": limit.subject, "times": times, "updated_at": updated_at}


_TIMES: Final = select(ThrottleRow.subject, ThrottleRow.times)
_FIND: Final = Query(_TIMES.where(any_of(ThrottleRow.subject, "subjects")), tuple)
_HOLD: Final = Query(
    _TIMES.where(ThrottleRow.subject == bindparam("subject")).with_for_update(), tuple
)
_BEGIN: Final = Query(
    upsert(ThrottleRow, update=()).returning(ThrottleRow.subject, ThrottleRow.times), tuple
)
_SAVE: Final = upsert(ThrottleRow)
_CLEAR: Final = delete(ThrottleRow).where(any_of(ThrottleRow.subject, "subjects"))
_PURGE: Final = Batch(
    select(ThrottleRow.subject).where(ThrottleRow.updated_at < bindparam("before")),
    delete(ThrottleRow),
)
