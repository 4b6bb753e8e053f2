"""A tally: recurring events are counted in memory, and reported with their number at intervals."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, NamedTuple, TypeVar

__all__ = ["Due", "Tally"]

K = TypeVar("K", bound=Hashable)
O = TypeVar("O", bound=Hashable)  # noqa: E741 — of an owner
V = TypeVar("V")


class Due(NamedTuple, Generic[K, O, V]):
    """Events of one kind, owner and source that are to be reported."""

    kind: K
    owner: O | None
    source: Hashable
    """None if they are of all sources beyond the share of the kind and owner."""
    last: V
    """What was counted last."""
    number: int


@dataclass(slots=True)
class _Count(Generic[V]):
    """The number of events that are yet to be reported, the last one, and when they are due."""

    last: V
    due: float
    number: int = 0


class Tally(Generic[K, O, V]):
    """Events that are yet to be reported, by kind, owner and source.

    The first of each is due at once, the others as one report per interval.
    """

    def __init__(
        self,
        *,
        places: int,
        interval: float,
        others: V,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the number of places, the seconds between reports, and what stands for others."""
        self.first: Final = asyncio.Event()
        """Set when an event was counted that is due at once."""
        self._places: Final = places
        self._interval: Final = interval
        self._others: Final = others
        self._now: Final = now
        self._counts: Final[dict[tuple[K, O | None, Hashable], _Count[V]]] = {}
        self._shares: Counter[tuple[K, O | None]] = Counter()
        """How many places each kind and owner has."""
        self._reporting: Final = asyncio.Lock()

    def count(self, kind: K, owner: O | None, source: Hashable, event: V) -> None:
        """Count an event.

        A kind and owner have no more places than they leave to others. Their further sources count
        as one, and further owners by kind alone.
        """
        key = (kind, owner, source)
        share, left = self._shares[kind, owner], self._places - len(self._counts)
        if key not in self._counts and share >= left:
            key, event = (kind, owner if share else None, None), self._others
        if key not in self._counts:
            self._counts[key] = _Count(event, self._now())
            self._shares[kind, key[1]] += 1
            self.first.set()
        self._counts[key].last = event
        self._counts[key].number += 1

    async def report(
        self, send: Callable[[Sequence[Due[K, O, V]]], Awaitable[object]], *, last: bool = False
    ) -> int:
        """Send the events that are due, or with `last` all; return the number of reports.

        If that fails, they remain due. Places without new events are given up.
        """
        async with self._reporting:
            now, due = self._now(), []
            for key, count in list(self._counts.items()):
                if last or count.due <= now:
                    if count.number:
                        due.append(Due(*key, count.last, count.number))
                    else:
                        del self._counts[key]
            self._shares = Counter((kind, owner) for kind, owner, _ in self._counts)
            if due:
                await send(due)
            for kind, owner, source, _, number in due:
                sent = self._counts[kind, owner, source]
                sent.number -= number
                sent.due = now + self._interval
            return len(due)
