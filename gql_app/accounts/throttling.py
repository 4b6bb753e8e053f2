"""Throttles: how often somebody tried something lately, counted where every process sees it.

Who tried is kept as a keyed hash, never in clear. An attempt is judged only while
there is room: the check before it saves the work, the one in the transaction that
tells the outcome holds, so that guesses made side by side tell no more than
guesses made one by one.
"""

import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Concatenate, Final, ParamSpec, TypeVar
from uuid import UUID

from sqlalchemy import delete, select

from gql_app import clock
from gql_app.accounts.limits import (
    LOCKOUT_MEMORY,
    LOCKOUT_PAUSE,
    Limit,
    Lockout,
    PasswordLimits,
)
from gql_app.db.engine import Writer
from gql_app.db.questions import Question, Reader, among
from gql_app.db.rows import delete_some, insert_unless_there
from gql_app.db.tables import ThrottleRow
from gql_app.errors import TooManyAttempts
from gql_app.lib.network.addresses import client_networks, client_of

HOUR: Final = 3600
DAY: Final = 24 * HOUR
TAKEN_PER_HOUR: Final = 50
"""How often one account or client is told in an hour that an address is taken."""
P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, repr=False)
class Throttle:
    """The limits that are set, and the key by which subjects are hashed."""

    key: bytes
    attempts: int
    client_attempts: int
    window: int
    """Seconds until a failure is forgotten."""
    lockout_attempts: int = 100
    """Failures in a row after which only known clients are judged.

    NIST SP 800-63B section 5.2.2 grants 100.
    """
    account_writes: int = 300
    """What one account may do of a kind in an hour, if it writes."""
    account_refreshes: int = 300
    """How often one account may refresh in an hour."""
    mail: bool = True
    """Whether a letter can end a lockout."""

    def of_typed(self, deed: str, typed: str) -> Limit:
        """Return the limit of a deed for what was typed, be it known or not."""
        return Limit(self._subject(deed, typed), self.attempts, deed, self.window)

    def of_letters(self, kind: str, mailbox: str, *, a_day: int) -> Limit:
        """Return the limit of the letters of a kind that one mailbox is sent in 24 hours."""
        return Limit(self._subject(f"letter {kind}", mailbox), a_day, "letter", DAY)

    def of_client(self, deed: str, address: str | None) -> tuple[Limit, ...]:
        """Return the limits of a deed for where it comes from.

        Each wider network of an IPv6 address is granted twice as much as the one within.
        """
        return self._of_networks(f"{deed} from", address, self.client_attempts, self.window)

    def of_account(self, deed: str, customer_id: UUID) -> Limit:
        """Return the limit of what one account writes by a deed in an hour."""
        attempts = self.account_refreshes if deed == "refresh" else self.account_writes
        name = f"{deed} by"
        return Limit(self._subject(name, str(customer_id)), attempts, name, HOUR)

    def of_password(self, deed: str, account: str, address: str | None) -> PasswordLimits:
        """Return the limits of a deed that proves an account's password.

        They are the same for accounts that there are and others, and strangers' failures reach
        the owner late: the account is counted for each client, and for all of them together only
        in a row.
        """
        client = client_of(address)
        return PasswordLimits(
            self.of_typed(deed, f"{client} {account}"),
            self.of_client(deed, address),
            self._lockout(deed, account),
        )

    def of_taken(self, address: str | None, customer_id: UUID | None = None) -> tuple[Limit, ...]:
        """Return the limits of how often one is told that an e-mail address is taken."""
        limits = self._of_networks("taken from", address, TAKEN_PER_HOUR, HOUR)
        if customer_id is None:
            return limits
        subject = self._subject("taken by", str(customer_id))
        return (Limit(subject, TAKEN_PER_HOUR, "taken by", HOUR), *limits)

    def locks(self, email_key: str, customer_id: UUID, address: str | None) -> list[Limit]:
        """Return what may keep an owner out who comes from an address."""
        both = (
            self.of_password("sign-in", email_key, address),
            self.of_password("proof", str(customer_id), address),
        )
        return [limit for limits in both for limit in (limits.pair, limits.lockout)]

    def judge(self, limits: Sequence[Limit], found: Mapping[str, Sequence[float]]) -> None:
        """Raise TooManyAttempts if any limit is reached, with the seconds until it isn't."""
        waits = [(limit.wait(found.get(limit.subject, ())), limit) for limit in limits]
        seconds, limit = max(waits, key=lambda each: each[0])
        if seconds:
            raise TooManyAttempts(retry_after=seconds, limit=limit.name, advice=limit.advice)

    def judge_sign_ins(self, oldest: datetime | None) -> None:
        """Raise TooManyAttempts if an account was signed in to too often within the hour.

        Given is when the oldest of as many sign-ins was as are granted, None if they are fewer.
        """
        if oldest is not None:
            limit = Limit("", 1, "sign-in by", HOUR)
            self.judge([limit], {"": [oldest.timestamp()]})

    async def require_room(self, db: Reader, *limits: Limit) -> None:
        """Require room for another attempt. Raises TooManyAttempts."""
        found = await db.ask(_FAILURES, subjects=[limit.subject for limit in limits])
        self.judge(limits, dict(found))

    async def hold_room(
        self, db: Writer, limits: PasswordLimits, *, known: bool
    ) -> Sequence[Limit]:
        """Require room for a password that was right, until the transaction ends.

        Return which counts are to be cleared by it: those of failures that were found, for to
        clear others is to wait for who may wait for us. Raises TooManyAttempts.
        """
        found = dict(await db.ask(_HELD, subjects=limits.subjects))
        self.judge(limits.judged(known=known), found)
        return [limit for limit in (limits.pair, limits.lockout) if limit.subject in found]

    async def count(self, db: Writer, *limits: Limit) -> bool:
        """Count an attempt against every limit, and tell whether one is reached by it.

        Raises TooManyAttempts if one was reached before: then nothing is counted.
        """
        for limit in sorted(limits, key=lambda limit: limit.subject):
            await insert_unless_there(
                db, ThrottleRow, subject=limit.subject, times=[], updated_at=clock.now()
            )
        some = (
            select(ThrottleRow)
            .where(ThrottleRow.subject.in_([limit.subject for limit in limits]))
            .order_by(ThrottleRow.subject)
            .with_for_update()
        )
        rows = {row.subject: row for row in await db.scalars(some)}
        self.judge(limits, {row.subject: row.times for row in rows.values()})
        now, reached = clock.now(), False
        for limit in limits:
            row = rows[limit.subject]
            row.times = [*limit.counted(row.times), now.timestamp()][-limit.attempts :]
            # purge() spares it for as long as its own window lasts, on servers of any version
            row.updated_at = now + timedelta(seconds=limit.window - self.window)
            reached |= len(row.times) >= limit.attempts
        await db.flush()
        return reached

    async def limited(
        self,
        db: Writer,
        limits: Sequence[Limit],
        rule: Callable[Concatenate[Writer, P], Awaitable[R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Count an attempt and have a rule write, both or neither. Raises TooManyAttempts."""
        await self.count(db, *limits)
        return await rule(db, *args, **kwargs)

    async def give_back(self, db: Writer, limit: Limit) -> None:
        """Forget the last count against a limit: what was counted has come to nothing."""
        row = await db.get(ThrottleRow, limit.subject, with_for_update=True)
        if row:
            row.times = row.times[:-1]

    async def clear(self, db: Writer, *limits: Limit) -> None:
        """Forget the failures of some subjects."""
        if limits:
            subjects = [limit.subject for limit in limits]
            await db.execute(delete(ThrottleRow).where(ThrottleRow.subject.in_(subjects)))

    async def purge(self, db: Writer, *, batch: int) -> int:
        """Delete some counts of which every failure is forgotten, and tell how many."""
        some = (
            select(ThrottleRow.subject)
            .where(ThrottleRow.updated_at < clock.now() - timedelta(seconds=self.window))
            .limit(batch)
            .with_for_update(skip_locked=True)
        )
        return await delete_some(db, ThrottleRow, ThrottleRow.subject, some)

    def _of_networks(
        self, name: str, address: str | None, attempts: int, window: int
    ) -> tuple[Limit, ...]:
        clients = client_networks(address)
        return tuple(
            Limit(self._subject(name, client), attempts << wider, name, window)
            for wider, client in enumerate(clients)
        )

    def _lockout(self, deed: str, account: str) -> Lockout:
        name = f"{deed} anywhere"
        pause = LOCKOUT_MEMORY if self.mail else LOCKOUT_PAUSE
        advice = _LOCKED_OUT if self.mail else None
        return Lockout(
            self._subject(name, account),
            self.lockout_attempts,
            name,
            LOCKOUT_MEMORY,
            advice=advice,
            pause=pause,
        )

    def _subject(self, name: str, who: str) -> str:
        return hmac.digest(self.key, f"{name}: {who}".encode(), "sha256").hex()


_LOCKED_OUT: Final = (
    "There were too many attempts. Reset the password, or sign in from where you did lately."
)
_FOUND: Final = select(ThrottleRow.subject, ThrottleRow.times).where(
    among(ThrottleRow.subject, "subjects")
)
_FAILURES: Final[Question[tuple[str, list[float]]]] = Question(_FOUND, lambda row: (row[0], row[1]))
_HELD: Final[Question[tuple[str, list[float]]]] = Question(
    _FOUND.order_by(ThrottleRow.subject).with_for_update(), lambda row: (row[0], row[1])
)
