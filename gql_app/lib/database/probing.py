"""Health checks of the database: with a time-out, and shared by concurrent callers."""

import asyncio
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any, Final, Generic, TypeVar

PROBE_TIMEOUT: Final = 2
"""Seconds that a database has to answer a probe, before it counts as unreachable."""
MAX_AGE: Final = 1
"""Seconds that a result is shared, from when it was asked for."""
ROUNDS: Final = 20
T = TypeVar("T")


async def within(work: Coroutine[Any, Any, T], seconds: float) -> T:
    """Return what a coroutine returns; raise TimeoutError after so many seconds, and cancel it.

    It waits in rounds, in each of which the event loop handles what has arrived: if the loop itself
    is late, as in a flood of requests, an answer that came in time does not count as late.
    """
    task = asyncio.create_task(work)
    try:
        for _ in range(ROUNDS):
            await asyncio.wait({task}, timeout=seconds / ROUNDS)
            if task.done():
                return task.result()
        message = f"no answer in {seconds:g} seconds"
        raise TimeoutError(message)
    finally:
        if task.cancel():
            await asyncio.wait({task})
            _ = task.cancelled() or task.exception()


class SharedResult(Generic[T]):
    """A result shared by all callers while it is computed, and for a second from its start."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._work = work
        self._started = 0.0
        self._result: asyncio.Task[T] | None = None

    async def get(self) -> T:
        """Return the result, computed again if there is none that is fresh."""
        now = monotonic()
        if self._result is None or (self._result.done() and now - self._started >= MAX_AGE):
            self._started = now
            self._result = asyncio.create_task(self._work())
        return await asyncio.shield(self._result)
