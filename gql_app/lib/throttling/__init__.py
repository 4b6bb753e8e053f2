"""Throttling: how often somebody may try something, counted in a table that all processes share."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Final

from sqlalchemy import bindparam, delete, select
from sqlalchemy.orm import DeclarativeBase

from gql_app.lib import clock
from gql_app.lib.database import Batch, Query, Reader, Transaction, any_of, upsert

__all__ = ["Attempts", "Limit", "Limiter"]


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


class Attempts:
    """The statements over a table of attempts: `subject` is its key, `times` is JSON.

    It has `updated_at` as well, by which rows are purged.
    """

    def __init__(self, table: type[DeclarativeBase]) -> None:
        columns: Any = table
        subject, times = columns.subject, select(columns.subject, columns.times)
        self.find: Final = Query(times.where(any_of(subject, "subjects")), tuple)
        self.hold: Final = Query(
            times.where(subject == bindparam("subject")).with_for_update(), tuple
        )
        self.begin: Final = Query(
            upsert(table, update=()).returning(columns.subject, columns.times), tuple
        )
        self.save: Final = upsert(table)
        self.clear: Final = delete(table).where(any_of(subject, "subjects"))
        self.purge: Final = Batch(
            select(subject).where(columns.updated_at < bindparam("before")), delete(table)
        )


class Limiter(ABC):
    """What counts attempts against limits.

    An attempt is let through only while there is room: require_room() before it saves the work,
    count() in the transaction that answers the outcome holds. Whoever counts holds the rows of
    their subjects, always in the same order, until their transaction ends: so attempts made side by
    side learn no more than attempts made one by one.
    """

    table: ClassVar[Attempts]
    window: int
    """Seconds for which most attempts count, after which their rows are purged."""

    @abstractmethod
    def refusal(self, limit: Limit, wait: int) -> Exception:
        """Return what is raised where a limit is reached, and there are so many seconds to wait."""

    def check(self, limits: Sequence[Limit], times: Mapping[str, Sequence[float]]) -> None:
        """Raise the refusal if any limit is reached by the times of its subject.

        Of several the one with the longest wait is what it names.
        """
        now = clock.now().timestamp()
        waits = [limit.wait(times.get(limit.subject, ()), now) for limit in limits]
        if longest := max(waits):
            raise self.refusal(limits[waits.index(longest)], longest)

    async def require_room(self, db: Reader, *limits: Limit) -> None:
        """Raise the refusal unless there is room for another attempt."""
        subjects = [limit.subject for limit in limits]
        self.check(limits, dict(await db.fetch_all(self.table.find, subjects=subjects)))

    async def hold(self, db: Transaction, limits: Sequence[Limit]) -> Mapping[str, Sequence[float]]:
        """Return the times of subjects that have failed, and hold their rows.

        Most often there are none. Each is held by itself: no lock spans shards of a database.
        """
        found = await db.fetch_all(self.table.find, subjects=[limit.subject for limit in limits])
        each = [{"subject": subject} for subject, _ in sorted(found)]
        return dict(await db.execute_many(self.table.hold, each)) if each else {}

    async def count(self, db: Transaction, *limits: Limit) -> bool:
        """Count an attempt against every limit; return whether one is reached by it.

        Raises the refusal if one was reached before: then nothing is counted. Subjects that
        never tried are held as well.
        """
        now = clock.now().timestamp()
        in_order = sorted(limits, key=lambda limit: limit.subject)
        begun = [self._row(each, []) for each in in_order]
        times = dict(await db.execute_many(self.table.begin, begun))
        self.check(limits, times)
        reached, rows = False, []
        for limit in limits:
            latest = [*limit.counted(times[limit.subject], now), now][-limit.attempts :]
            rows.append(self._row(limit, latest))
            reached |= len(latest) >= limit.attempts
        await db.execute_many(self.table.save, rows)
        return reached

    async def give_back(self, db: Transaction, limit: Limit) -> None:
        """Forget the last count against a limit: what was counted has come to nothing."""
        for times in (await self.hold(db, [limit])).values():
            await db.execute(self.table.save, **self._row(limit, times[:-1]))

    async def clear(self, db: Transaction, *limits: Limit) -> None:
        """Forget every attempt that counts against some limits."""
        if limits:
            subjects = [limit.subject for limit in limits]
            await db.execute(self.table.clear, subjects=subjects)

    async def purge(self, db: Transaction, *, batch: int) -> int:
        """Delete at most a batch of rows whose attempts are forgotten; return how many."""
        before = clock.now() - timedelta(seconds=self.window)
        return await self.table.purge.apply(db, before=before, batch=batch)

    def _row(self, limit: Limit, times: Sequence[float]) -> dict[str, object]:
        """Return the row of a limit that was counted at these times.

        Rows are kept until `window` seconds after `updated_at`, which therefore is later than now
        for a limit with a longer window.
        """
        updated_at = clock.now() + timedelta(seconds=limit.window - self.window)
        return {"subject": limit.subject, "times": times, "updated_at": updated_at}
