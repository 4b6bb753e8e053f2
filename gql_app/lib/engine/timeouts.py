"""Patience: how long an operation may take."""

import asyncio
from time import monotonic
from typing import Any, Final


class Patience:
    """Cancels operations that take too long; each is given the same number of seconds.

    It does what asyncio.timeout does with a timer for each. As they come due in the order that
    they began in, here one timer looks at the eldest.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds: Final = seconds
        self._due: Final[dict[asyncio.Task[Any], float]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        """The loop whose timer runs; it is left to run, for the next operation may need it."""

    async def __aenter__(self) -> None:
        """Begin an operation, which is all that its task does."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._arm(loop, self.seconds)
        self._due[_task()] = monotonic() + self.seconds

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """End it. Raises TimeoutError if it was cancelled by this, and by nobody else."""
        task = _task()
        rang = self._due.pop(task, None) is None
        if rang and not task.uncancel() and kind is asyncio.CancelledError:
            raise TimeoutError

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop, now = None, monotonic()
        for task, due in list(self._due.items()):
            if due > now:
                self._arm(loop, due - now)
                return
            del self._due[task]
            task.cancel()

    def _arm(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._loop = loop
        loop.call_later(seconds, self._ring, loop)


def _task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 — for mypy: nothing is awaited outside of one
    return task
