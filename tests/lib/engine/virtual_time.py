"""An event loop whose clock jumps to the next timer, so that waiting takes no time.

Whatever waits for different moments ends in the order of these moments, however an executor
schedules it.
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
        """Return what is ready at once. Raise AssertionError if nothing ever will be."""
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
    """Return what a coroutine returns, and when; once all else that it began has ended, too."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(_settled(work))


async def _settled(work: Coroutine[Any, Any, T]) -> tuple[T, float]:
    result = await work
    moment = asyncio.get_running_loop().time()
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)
    return result, moment
