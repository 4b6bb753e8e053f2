"""Counters: when each subject tried something, in a table of the application's."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute

from gql_app.lib.database import Query, Reader, Transaction, any_of, upsert
from gql_app.lib.throttling.limits import Limit

Times = dict[str, list[float]]
"""When each subject tried, in seconds since the epoch; no key where it never did."""


class Counters:
    """Counts in a table with the columns `subject` (the key), `times` (JSON) and `updated_at`.

    Whoever counts holds the rows of their subjects, always in the same order, until their
    transaction ends: attempts made side by side are no more than attempts made one by one.
    """

    def __init__(
        self,
        table: type[DeclarativeBase],
        *,
        subject: InstrumentedAttribute[str],
        times: InstrumentedAttribute[list[float]],
        updated_at: InstrumentedAttribute[datetime],
    ) -> None:
        some = select(subject, times).where(any_of(subject, "subjects"))
        self._table: Final = table
        self._subject: Final = subject
        self._updated_at: Final = updated_at
        self._find: Final = Query(some, _pair)
        self._hold: Final = Query(some.order_by(subject).with_for_update(), _pair)
        self._begin: Final = Query(upsert(table, update=()).returning(subject, times), _pair)
        self._save: Final = upsert(table)
        self._correct: Final = upsert(table, update=["times"])
        self._clear: Final = delete(table).where(any_of(subject, "subjects"))

    async def find(self, db: Reader, subjects: Collection[str]) -> Times:
        """Return when some subjects tried."""
        return dict(await db.fetch_all(self._find, subjects=subjects))

    async def hold(self, db: Transaction, subjects: Collection[str]) -> Times:
        """Return when some subjects tried; nobody else counts them until the transaction ends.

        Subjects that never tried have no row to hold.
        """
        return dict(await db.fetch_all(self._hold, subjects=subjects))

    async def begin(self, db: Transaction, limits: Sequence[Limit], now: datetime) -> Times:
        """Return when the subjects of limits tried, and hold them all, also those that never did.

        What comes of it is saved by add(), if anything is.
        """
        subjects = sorted(limit.subject for limit in limits)
        rows = [{"subject": subject, "times": [], "updated_at": now} for subject in subjects]
        return dict(await db.fetch_many(self._begin, rows))

    async def add(
        self,
        db: Transaction,
        limits: Sequence[Limit],
        times: Mapping[str, Sequence[float]],
        now: datetime,
        *,
        kept: int,
    ) -> bool:
        """Add an attempt to what begin() returned; return whether a limit is reached by it.

        Rows are kept until `kept` seconds after `updated_at`, which therefore is later than now
        for a limit with a longer window.
        """
        reached, rows = False, []
        for limit in limits:
            counted = limit.counted(times[limit.subject], now.timestamp())
            latest = [*counted, now.timestamp()][-limit.attempts :]
            updated_at = now + timedelta(seconds=limit.window - kept)
            rows.append({"subject": limit.subject, "times": latest, "updated_at": updated_at})
            reached |= len(latest) >= limit.attempts
        await db.execute_many(self._save, rows)
        return reached

    async def take_back(self, db: Transaction, subject: str, now: datetime) -> None:
        """Forget the last attempt of a subject: it has come to nothing."""
        for times in (await self.hold(db, [subject])).values():
            await db.execute(self._correct, subject=subject, times=times[:-1], updated_at=now)

    async def clear(self, db: Transaction, subjects: Collection[str]) -> None:
        """Forget every attempt of some subjects."""
        await db.execute(self._clear, subjects=subjects)

    async def purge(self, db: Transaction, *, before: datetime, batch: int) -> int:
        """Delete at most a batch of rows that were updated before; return how many there were."""
        some = (
            select(self._subject)
            .where(self._updated_at < before)
            .limit(batch)
            .with_for_update(skip_locked=True)
        )
        return await db.execute(delete(self._table).where(self._subject.in_(some)))


def _pair(row: Sequence[Any]) -> tuple[str, list[float]]:
    return row[0], row[1]
