"""An event loop whose clock jumps to the next timer, so that waiting takes no time.

Tasks that wait until different times end in the order of these times, however an executor
schedules them.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):
    """A selector that advances the clock instead of waiting."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        """Return the ready events at once. Raise AssertionError if none can ever be ready."""
        ready = super().select(0)
        if not ready and timeout is None:
            message = "All tasks wait for something that never happens."
            raise AssertionError(message)
        if not ready and timeout:
            self.now += timeout
        return list(ready)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop with a virtual clock."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        """Return the virtual seconds since the loop was made."""
        return self._virtual.now


def run(work: Coroutine[Any, Any, T]) -> tuple[T, float]:
    """Return a coroutine's result and its time, once all tasks that it started have ended."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(_settled(work))


async def _settled(work: Coroutine[Any, Any, T]) -> tuple[T, float]:
    result = await work
    moment = asyncio.get_running_loop().time()
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)
    return result, moment
