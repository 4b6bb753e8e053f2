"""Letters of a table: leased, sent concurrently, and deleted, or postponed for a retry."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Protocol, TypeAlias
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, delete, func, select, update
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute

from gql_app.lib import clock
from gql_app.lib.database import Database, Moment, Query, Reader, Transaction, any_of
from gql_app.lib.outbox.mailer import SEND_TIMEOUT, Letter, Mailer, Undeliverable, cause_of
from gql_app.lib.telemetry import get_logger

BATCH: Final = 10
"""Letters that a process leases at a time."""
LEASE: Final = 15
"""Seconds that a lease lasts, more than a try takes."""
LONGEST_PAUSE: Final = 3600
"""The most seconds between two tries of a letter; the pauses double up to it (back-off)."""
_log: Final = get_logger(__name__)


Owner: TypeAlias = ColumnElement[Any] | InstrumentedAttribute[Any]


class Queue:
    """A queue of letters in a table: which are due, and when each is retried.

    Owners are served round robin, so that one with many letters does not delay those of others.
    """

    def __init__(
        self,
        table: type[DeclarativeBase],
        *,
        owner: Owner,
    ) -> None:
        columns = table.__table__.c
        due = (columns.due_at <= bindparam("now", type_=Moment())) | (
            columns.due_at > bindparam("latest", type_=Moment())
        )
        turns = select(
            columns.id,
            func.row_number()
            .over(partition_by=owner, order_by=(columns.due_at, columns.id))
            .label("turn"),
        )
        turn = turns.where(due).subquery("turns")
        self._any_due: Final = Query(select(columns.id).where(due).limit(1), tuple)
        self._next: Final = (
            select(*columns)
            .join(turn, turn.c.id == columns.id)
            .where(due)
            .order_by(turn.c.turn, columns.due_at)
            .limit(BATCH)
            .with_for_update(skip_locked=True, of=table)
        )
        is_it, until = columns.id == bindparam("id"), bindparam("until", type_=Moment())
        self._locked: Final = select(*columns).where(is_it).with_for_update()
        self._lease: Final = (
            update(table)
            .where(any_of(columns.id, "ids"))
            .values(attempts=columns.attempts + 1, due_at=until)
        )
        self._postpone: Final = update(table).where(is_it).values(due_at=until)
        self._forget: Final = delete(table).where(any_of(columns.id, "ids"))

    async def any_due(self, db: Reader) -> bool:
        """Return whether any letter is due."""
        return await db.fetch_one(self._any_due, **_range()) is not None

    async def next_due(self, db: Transaction) -> list[Any]:
        """Return the rows of the next letters, locked; rows that are locked already are skipped."""
        return await db.fetch_all(self._next, **_range())

    async def locked(self, db: Transaction, letter_id: UUID) -> Any | None:  # noqa: ANN401 — a named tuple
        """Return the row of a letter, locked, or None if it is gone."""
        return await db.fetch_one(self._locked, id=letter_id)

    async def lease(self, db: Transaction, ids: Collection[UUID]) -> None:
        """Count a try of these letters, and make them due again in LEASE seconds."""
        if ids:
            await db.execute(self._lease, ids=ids, until=clock.later(clock.now(), LEASE))

    async def postpone(self, db: Transaction, row: Any, *, last_try: datetime) -> bool:  # noqa: ANN401 — a row of locked()
        """Return whether a letter is retried, each time after a longer pause.

        If that would be after `last_try`, it is deleted.
        """
        due_at = clock.later(clock.now(), min(2**row.attempts, LONGEST_PAUSE))
        if due_at > last_try:
            await self.forget(db, [row.id])
            return False
        await db.execute(self._postpone, id=row.id, until=due_at)
        return True

    async def forget(self, db: Transaction, ids: Collection[UUID]) -> None:
        """Delete letters that were sent, or that never will be."""
        if ids:
            await db.execute(self._forget, ids=ids)


def _range() -> dict[str, datetime]:
    """Return the time up to which a letter is due, and the one after which it is due as well.

    A letter beyond the latter was postponed before the clock was set back.
    """
    now = clock.now()
    return {"now": now, "latest": clock.later(now, LONGEST_PAUSE + LEASE)}


class Outcome(StrEnum):
    """The outcome of a letter that was due, or of a try to send it."""

    SENT = "sent"
    DEFERRED = "deferred"
    """It is retried."""
    REFUSED = "refused"
    """The mail server refused it for good."""
    EXPIRED = "expired"
    """Its last try failed."""
    WITHHELD = "withheld"
    """Its recipient is beyond the rate limit."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """The letters that were due, and the numbers of those that are not sent."""

    letters: Sequence[Letter]
    """Letters to send now."""
    dropped: int
    """Number of letters that were deleted because they had become void."""
    withheld: int
    """Number of letters that were deleted because of their recipients' rate limit."""
    postponed: Mapping[Outcome, int] = field(default_factory=dict)
    """Numbers of letters that can't be sent now: those that are retried, and those given up."""

    @property
    def any(self) -> bool:
        """Whether any letter was due, so that there may be more."""
        return bool(self.letters or self.dropped or self.withheld or self.postponed)


class Outbox(Protocol):
    """The application's side of the queue: it writes the letters and knows their recipients."""

    async def claim(self, db: Transaction) -> Claimed:
        """Lease letters that are due, and return them rendered."""

    async def refused(self, db: Transaction, letter: Letter) -> None:
        """Delete a letter that the mail server refused for good."""

    async def postpone(self, db: Transaction, letter: Letter) -> bool:
        """Return whether a letter is retried; if not, it is deleted."""


async def deliver(
    database: Database,
    queue: Queue,
    outbox: Outbox,
    mailer: Mailer,
    *,
    on_outcome: Callable[[Outcome, int], object],
) -> int:
    """Send every letter that is due, and return how many were sent. Raises Unavailable.

    `on_outcome` is called with each outcome and its number of letters. A letter is sent once,
    unless the process ends, or the database is unavailable, after it is sent and before that is
    committed, or the mail server accepts it after SEND_TIMEOUT.
    """
    count = 0
    # Looking takes no lock, which a transaction would, and mostly nothing is due.
    while await queue.any_due(database):
        claimed = await database.transact(outbox.claim)
        if claimed.withheld:
            _log.warning("Letters beyond the limit of their recipients", count=claimed.withheld)
            on_outcome(Outcome.WITHHELD, claimed.withheld)
        sending = (_send(database, queue, outbox, mailer, letter) for letter in claimed.letters)
        ended = await asyncio.gather(*sending, return_exceptions=True)
        outcomes = Counter(each for each in ended if isinstance(each, Outcome))
        for outcome, number in (outcomes + Counter(claimed.postponed)).items():
            on_outcome(outcome, number)
        for failure in ended:
            if isinstance(failure, BaseException):
                raise failure
        count += outcomes[Outcome.SENT]
        if not claimed.any:
            break
    return count


async def _send(
    database: Database, queue: Queue, outbox: Outbox, mailer: Mailer, letter: Letter
) -> Outcome:
    try:
        async with asyncio.timeout(SEND_TIMEOUT):
            await mailer.send(letter)
    except Undeliverable as error:
        _log.warning("A letter was refused for good", letter=letter.id, why=cause_of(error))
        await database.transact(outbox.refused, letter)
        return Outcome.REFUSED
    except Exception as error:  # noqa: BLE001 — after any other failure the letter is retried
        waits = await database.transact(outbox.postpone, letter)
        event = "A letter has to wait" if waits else "A letter was given up after a day"
        _log.warning(event, letter=letter.id, why=cause_of(error))
        return Outcome.DEFERRED if waits else Outcome.EXPIRED
    await database.transact(queue.forget, [UUID(letter.id)])
    return Outcome.SENT
