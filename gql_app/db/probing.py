"""Questions about the database itself: bounded in time, and asked once for all who ask."""

import asyncio
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any, Final, Generic, TypeVar

FRESH: Final = 1
"""Seconds from when it was asked that an answer is shared."""
ROUNDS: Final = 20
T = TypeVar("T")


async def within(asked: Coroutine[Any, Any, T], seconds: float) -> T:
    """Return what is asked for. Raises TimeoutError after so many seconds, and ends the question.

    They are waited for in rounds, in each of which the event loop sees what has arrived: where
    the loop is late itself, as in a flood of requests, a good answer is not taken for a late one.
    """
    task = asyncio.create_task(asked)
    try:
        for _ in range(ROUNDS):
            await asyncio.wait({task}, timeout=seconds / ROUNDS)
            if task.done():
                return task.result()
        raise TimeoutError
    finally:
        if task.cancel():
            await asyncio.wait({task})
            _ = task.cancelled() or task.exception()


class Shared(Generic[T]):
    """An answer for all who ask while it is being asked for, or shortly after."""

    def __init__(self, ask: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._ask = ask
        self._asked = 0.0
        self._answer: asyncio.Task[T] | None = None

    async def get(self) -> T:
        """Return the answer; ask anew if there is none, or one that is no longer fresh."""
        now = monotonic()
        if self._answer is None or (self._answer.done() and now - self._asked >= FRESH):
            self._asked = now
            self._answer = asyncio.create_task(self._ask())
        return await asyncio.shield(self._answer)
