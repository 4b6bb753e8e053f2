"""Guesses at passwords and tokens: the audit tells the first of a kind at once, then their number.

They are noted in memory, so that whoever floods us with them has nothing written by each.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID

from gql_app.accounts import audit
from gql_app.accounts.audit import Action, Origin
from gql_app.db.engine import Database, Writer

INTERVAL: Final = 60
"""Seconds from one event of a kind, client and account to the next."""
MOST: Final = 1_000
"""Kinds, clients and accounts that are told apart within that time."""


class _Who(NamedTuple):
    """What is counted together."""

    action: Action
    ip_address: str | None
    customer_id: UUID | None


@dataclass(slots=True)
class _Count:
    """What was noted since the last event."""

    origin: Origin
    due: float
    number: int = 0


class _Event(NamedTuple):
    """What the audit is to be told."""

    who: _Who
    origin: Origin
    number: int


class Guesses:
    """The guesses of one process that the audit has yet to be told of."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.first: Final = asyncio.Event()
        """Set when one was noted that is told at once."""
        self._now: Final = now
        self._counts: Final[dict[_Who, _Count]] = {}
        self._recording: Final = asyncio.Lock()

    def note(self, action: Action, origin: Origin, customer_id: UUID | None = None) -> None:
        """Note a guess at a customer's password, or at nobody's in particular.

        Where there are too many clients to tell apart, they are counted as one that nobody knows.
        """
        who = _Who(action, origin.ip_address, customer_id)
        if who not in self._counts and len(self._counts) >= MOST:
            who, origin = _Who(action, None, None), Origin()
        count = self._counts.get(who)
        if count is None:
            count = self._counts[who] = _Count(origin, self._now())
            self.first.set()
        count.origin = origin
        count.number += 1

    async def record(self, database: Database, *, last: bool = False) -> int:
        """Record what is due, or at last everything, and return how many events that were.

        If that fails, it is due still. Raises Unavailable.
        """
        async with self._recording:
            events = self._due(last=last)
            if not events:
                return 0
            try:
                await database.transact(_record, events)
            except Exception:
                for who, _, number in events:
                    self._counts[who].number += number
                    self._counts[who].due = self._now()
                raise
            return len(events)

    def _due(self, *, last: bool) -> list[_Event]:
        """Take what is to be told now, and drop what nobody has tried again."""
        now, events = self._now(), []
        for who, count in list(self._counts.items()):
            if count.due > now and not last:
                continue
            if count.number:
                events.append(_Event(who, count.origin, count.number))
                count.number, count.due = 0, now + INTERVAL
            else:
                del self._counts[who]
        return events


async def _record(db: Writer, events: Sequence[_Event]) -> None:
    for who, origin, number in events:
        audit.record(db, who.action, origin, customer_id=who.customer_id, times=number)
