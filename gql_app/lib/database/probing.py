"""Checks of the database itself: bounded in time, and shared by all who ask at once."""

import asyncio
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any, Final, Generic, TypeVar

PROBE_TIMEOUT: Final = 2
"""Seconds in which a database answers a probe, or is taken to be out of reach."""
FRESH: Final = 1
"""Seconds from when it was asked for that a result is shared."""
ROUNDS: Final = 20
T = TypeVar("T")


async def within(work: Coroutine[Any, Any, T], seconds: float) -> T:
    """Return what a coroutine returns; raise TimeoutError after so many seconds, and cancel it.

    They are waited for in rounds, in each of which the event loop sees what has arrived: where
    the loop is late itself, as in a flood of requests, a good answer is not taken for a late one.
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
    """A result for all who ask while it is worked out, or within a second of that."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._work = work
        self._started = 0.0
        self._result: asyncio.Task[T] | None = None

    async def get(self) -> T:
        """Return the result, worked out anew if there is none that is fresh."""
        now = monotonic()
        if self._result is None or (self._result.done() and now - self._started >= FRESH):
            self._started = now
            self._result = asyncio.create_task(self._work())
        return await asyncio.shield(self._result)
