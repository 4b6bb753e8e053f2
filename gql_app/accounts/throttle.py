"""Throttles: how often somebody failed lately, counted where every process sees it.

Who failed is kept as a keyed hash, never in clear. An attempt is judged only while
there is room: the check before it saves the work, the one in the transaction that
tells the outcome holds, so that guesses made side by side tell no more than
guesses made one by one.
"""

import hmac
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv6Address, ip_network
from typing import Final

from sqlalchemy import delete, select

from gql_app import clock
from gql_app.db.engine import Writer
from gql_app.db.questions import Question, Reader, among
from gql_app.db.rows import delete_some, insert_unless_there
from gql_app.db.tables import ThrottleRow
from gql_app.errors import TooManyAttempts

IPV6_CLIENT: Final = 64
"""Bits of an IPv6 address that tell clients apart; one client has all of the rest."""
DAY: Final = 24 * 3600
"""Seconds for which letters are counted."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How many failures one subject is granted."""

    subject: str
    attempts: int
    name: str
    """What is tried, in words of ours."""
    window: int
    """Seconds until a count is forgotten."""


@dataclass(frozen=True, slots=True, repr=False)
class Throttle:
    """The limits that are set, and the key by which subjects are hashed."""

    key: bytes
    attempts: int
    client_attempts: int
    window: int
    """Seconds until a failure is forgotten."""

    def of_typed(self, deed: str, typed: str) -> Limit:
        """Limit a deed for what was typed, be it known or not."""
        return Limit(self._subject(deed, typed), self.attempts, deed, self.window)

    def of_client(self, deed: str, address: str | None) -> Limit:
        """Limit a deed for where it comes from."""
        name = f"{deed} from"
        return Limit(self._subject(name, _client(address)), self.client_attempts, name, self.window)

    def of_letters(self, kind: str, mailbox: str, *, a_day: int) -> Limit:
        """Limit the letters of a kind that one mailbox is sent in 24 hours."""
        return Limit(self._subject(f"letter {kind}", mailbox), a_day, "letter", DAY)

    def judge(
        self, limits: Sequence[Limit], found: Mapping[str, Sequence[float]]
    ) -> Collection[str]:
        """Raise TooManyAttempts if any limit is reached, with the seconds until it isn't.

        Answered is whose failures were found: to clear others is to wait for who may wait
        for us.
        """
        waits = [
            (self._wait(fresh, limit), limit.name)
            for limit in limits
            if len(fresh := self._fresh(found.get(limit.subject, ()), limit)) >= limit.attempts
        ]
        if waits:
            seconds, name = max(waits)
            raise TooManyAttempts(retry_after=seconds, limit=name)
        return found.keys()

    async def require_room(self, db: Reader, *limits: Limit) -> Collection[str]:
        """Require room for another attempt. Raises TooManyAttempts."""
        found = await db.ask(_FAILURES, subjects=[limit.subject for limit in limits])
        return self.judge(limits, dict(found))

    async def hold_room(self, db: Writer, *limits: Limit) -> Collection[str]:
        """Require room that is there until the transaction ends."""
        found = await db.ask(_HELD, subjects=[limit.subject for limit in limits])
        return self.judge(limits, dict(found))

    async def count(self, db: Writer, *limits: Limit) -> bool:
        """Count a failure against every limit, and tell whether one is reached by it.

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
            row.times = [*self._fresh(row.times, limit), now.timestamp()][-limit.attempts :]
            # purge() spares it for as long as its own window lasts, on servers of any version
            row.updated_at = now + timedelta(seconds=limit.window - self.window)
            reached |= len(row.times) >= limit.attempts
        await db.flush()
        return reached

    async def give_back(self, db: Writer, limit: Limit) -> None:
        """Forget the last count against a limit: what was counted has come to nothing."""
        row = await db.get(ThrottleRow, limit.subject, with_for_update=True)
        if row:
            row.times = row.times[:-1]

    async def clear(self, db: Writer, limit: Limit) -> None:
        """Forget the failures of one subject."""
        await db.execute(delete(ThrottleRow).where(ThrottleRow.subject == limit.subject))

    async def purge(self, db: Writer, *, batch: int) -> int:
        """Delete some counts of which every failure is forgotten, and tell how many."""
        forgotten = clock.now() - timedelta(seconds=self.window)
        some = (
            select(ThrottleRow.subject)
            .where(ThrottleRow.updated_at < forgotten)
            .limit(batch)
            .with_for_update(skip_locked=True)
        )
        return await delete_some(db, ThrottleRow, ThrottleRow.subject, some)

    def _fresh(self, times: Sequence[float], limit: Limit) -> list[float]:
        """Drop what is forgotten, and what is so far ahead that the clock was set back since."""
        now = clock.now().timestamp()
        return [time for time in times if now - limit.window < time <= now + limit.window]

    def _wait(self, times: Sequence[float], limit: Limit) -> int:
        """Tell the seconds until the oldest failure that counts leaves the window."""
        oldest = times[-limit.attempts]
        return max(1, math.ceil(oldest + limit.window - clock.now().timestamp()))

    def _subject(self, deed: str, typed: str) -> str:
        return hmac.digest(self.key, f"{deed}: {typed}".encode(), "sha256").hex()


_FOUND: Final = select(ThrottleRow.subject, ThrottleRow.times).where(
    among(ThrottleRow.subject, "subjects")
)
_FAILURES: Final[Question[tuple[str, list[float]]]] = Question(_FOUND, lambda row: (row[0], row[1]))
_HELD: Final[Question[tuple[str, list[float]]]] = Question(
    _FOUND.order_by(ThrottleRow.subject).with_for_update(), lambda row: (row[0], row[1])
)


def _client(address: str | None) -> str:
    """Take all addresses that one IPv6 client has for one."""
    if address is None or ":" not in address:
        return address or "unknown"
    try:
        parsed = IPv6Address(address)
    except ValueError:
        return address
    if parsed.ipv4_mapped is None:
        return str(ip_network((int(parsed), IPV6_CLIENT), strict=False))
    return str(parsed)
