"""A tally: the first of a kind is due at once, the others by their number once in an interval."""

import asyncio
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, NamedTuple, TypeVar

Kind = TypeVar("Kind", bound=Hashable)
Detail = TypeVar("Detail")


@dataclass(slots=True)
class _Count(Generic[Detail]):
    """What was counted since it was due last."""

    detail: Detail
    due: float
    number: int = 0


class Counted(NamedTuple, Generic[Kind, Detail]):
    """How many of a kind are due, and the detail of the last one."""

    kind: Kind
    detail: Detail
    number: int


class Tally(Generic[Kind, Detail]):
    """Counts of one process, in memory, of at most `size` kinds."""

    def __init__(
        self, *, interval: float, size: int, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.first: Final = asyncio.Event()
        """Set when the first of a kind was counted, which is due at once."""
        self._interval: Final = interval
        self._size: Final = size
        self._now: Final = now
        self._counts: Final[dict[Kind, _Count[Detail]]] = {}

    def is_full(self, kind: Kind) -> bool:
        """Return whether there is no room for a kind that is not counted yet."""
        return kind not in self._counts and len(self._counts) >= self._size

    def add(self, kind: Kind, detail: Detail) -> None:
        """Count one of a kind."""
        count = self._counts.get(kind)
        if count is None:
            count = self._counts[kind] = _Count(detail, self._now())
            self.first.set()
        count.detail = detail
        count.number += 1

    def take_due(self, *, last: bool = False) -> list[Counted[Kind, Detail]]:
        """Return what is due, or at last everything; forget the kinds that did not come again."""
        now, due = self._now(), []
        for kind, count in list(self._counts.items()):
            if count.due > now and not last:
                continue
            if count.number:
                due.append(Counted(kind, count.detail, count.number))
                count.number, count.due = 0, now + self._interval
            else:
                del self._counts[kind]
        return due

    def put_back(self, counted: Sequence[Counted[Kind, Detail]]) -> None:
        """Count again what was taken, so that it is due at once."""
        for kind, _, number in counted:
            self._counts[kind].number += number
            self._counts[kind].due = self._now()
