"""Deadlines of a connection, of which most never come."""

from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable
from time import monotonic
from typing import Final

TICK: Final = 0.001
"""Seconds by which a loop's timer may ring too early."""


class Deadline:
    """A moment by which something is due; setting it again replaces the moment before.

    Setting and clearing only write the moment down. One timer runs, and when it rings it is put
    off to the moment that is due by then: a timer for each moment costs 7 µs a request.
    """

    def __init__(self, loop: AbstractEventLoop, on_late: Callable[[], None]) -> None:
        self._loop = loop
        self._on_late = on_late
        self.pending = False
        """Whether anything is due."""
        self._moment = 0.0
        self._rings = 0.0
        self._timer: TimerHandle | None = None

    def set(self, seconds: float) -> None:
        """Make it due in so many seconds from now."""
        self.pending = True
        self._moment = monotonic() + seconds
        if self._timer is None or self._moment < self._rings:
            if self._timer is not None:
                self._timer.cancel()
            self._rings = self._moment
            self._timer = self._loop.call_later(seconds, self._ring)

    def clear(self) -> None:
        """Make nothing due."""
        self.pending = False

    def end(self) -> None:
        """Make nothing due, and cancel the timer, which would keep this object alive."""
        self.pending = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self._timer = None
        left = self._moment - monotonic()
        if self.pending and left > TICK:
            self.set(left)
        elif self.pending:
            self.pending = False
            self._on_late()
