"""Rate limits and lockouts: attempts are counted in a table that all processes share."""

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


class Attempts:
    """The statements for a table of attempts.

    Its columns are `subject` (the primary key), `times` (JSON) and `updated_at`, for the purge.
    """

    def __init__(self, table: type[DeclarativeBase]) -> None:
        columns: Any = table
        subject, times = columns.subject, select(columns.subject, columns.times)
        self.find: Final = Query(times.where(any_of(subject, "subjects")), tuple)
        self.lock: Final = Query(
            times.where(subject == bindparam("subject")).with_for_update(), tuple
        )
        self.upsert: Final = Query(
            upsert(table, update=()).returning(columns.subject, columns.times), tuple
        )
        self.save: Final = upsert(table)
        self.clear: Final = delete(table).where(any_of(subject, "subjects"))
        self.purge: Final = Batch(
            select(subject).where(columns.updated_at < bindparam("before")), delete(table)
        )


class Limiter(ABC):
    """Counts attempts against limits.

    require_room() before the work is only a shortcut; count() in the transaction of the outcome
    decides. It locks the rows of the subjects, always in the same order, until the transaction
    ends: so concurrent attempts learn no more than attempts one after another.
    """

    table: ClassVar[Attempts]
    window: int
    """Seconds for which most attempts count; their rows are purged after that."""

    @abstractmethod
    def refusal(self, limit: Limit, wait: int) -> Exception:
        """Return the exception for a limit that is reached, with the seconds to wait."""

    def check(self, limits: Sequence[Limit], times: Mapping[str, Sequence[float]]) -> None:
        """Raise the refusal if any limit is reached by the times of its subject.

        Of several limits it names the one with the longest wait.
        """
        now = clock.now().timestamp()
        waits = [limit.wait(times.get(limit.subject, ()), now) for limit in limits]
        if longest := max(waits):
            raise self.refusal(limits[waits.index(longest)], longest)

    async def require_room(self, db: Reader, *limits: Limit) -> None:
        """Raise the refusal unless another attempt is allowed."""
        subjects = [limit.subject for limit in limits]
        self.check(limits, dict(await db.fetch_all(self.table.find, subjects=subjects)))

    async def lock(self, db: Transaction, limits: Sequence[Limit]) -> Mapping[str, Sequence[float]]:
        """Return the times of subjects that have rows, and lock these rows.

        Mostly there are none. Each is locked separately: no lock spans the shards of a database.
        """
        found = await db.fetch_all(self.table.find, subjects=[limit.subject for limit in limits])
        each = [{"subject": subject} for subject, _ in sorted(found)]
        return dict(await db.execute_many(self.table.lock, each)) if each else {}

    async def count(self, db: Transaction, *limits: Limit) -> bool:
        """Count an attempt against every limit; return whether it reaches one.

        Raises the refusal if one was reached before: then nothing is counted. Subjects without a
        row get one, and are locked as well.
        """
        now = clock.now().timestamp()
        in_order = sorted(limits, key=lambda limit: limit.subject)
        new = [self._row(each, []) for each in in_order]
        times = dict(await db.execute_many(self.table.upsert, new))
        self.check(limits, times)
        reached, rows = False, []
        for limit in limits:
            latest = [*limit.counted(times[limit.subject], now), now][-limit.attempts :]
            rows.append(self._row(limit, latest))
            reached |= len(latest) >= limit.attempts
        await db.execute_many(self.table.save, rows)
        return reached

    async def give_back(self, db: Transaction, limit: Limit) -> None:
        """Remove the last attempt from a limit, as it had no effect."""
        for times in (await self.lock(db, [limit])).values():
            await db.execute(self.table.save, **self._row(limit, times[:-1]))

    async def clear(self, db: Transaction, *limits: Limit) -> None:
        """Remove all attempts from some limits."""
        if limits:
            subjects = [limit.subject for limit in limits]
            await db.execute(self.table.clear, subjects=subjects)

    async def purge(self, db: Transaction, *, batch: int) -> int:
        """Delete at most `batch` rows whose attempts no longer count; return how many."""
        before = clock.now() - timedelta(seconds=self.window)
        return await self.table.purge.apply(db, before=before, batch=batch)

    def _row(self, limit: Limit, times: Sequence[float]) -> dict[str, object]:
        """Return the row of a limit with attempts at these times.

        Rows are kept until `window` seconds after `updated_at`, which is therefore in the future
        for a limit with a longer window.
        """
        updated_at = clock.now() + timedelta(seconds=limit.window - self.window)
        return {"subject": limit.subject, "times": times, "updated_at": updated_at}
