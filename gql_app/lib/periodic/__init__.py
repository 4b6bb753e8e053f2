"""Periodic tasks: each runs at its interval or when it is woken, and an error is not its end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from gql_app.lib.database import Unavailable
from gql_app.lib.telemetry import get_logger

__all__ = ["PeriodicTask", "running"]

LONGEST_PAUSE: Final = 60
"""Seconds that a task which fails waits at most, unless its interval is longer."""
_log: Final = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PeriodicTask:
    """Work that is done again and again."""

    name: str
    work: Callable[[], Awaitable[object]]
    interval: float
    """Seconds from the end of one run to the next."""
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it is to run sooner."""
    delay: float = 0
    """Seconds until it runs for the first time, unless it is woken before."""


@asynccontextmanager
async def running(
    tasks: Sequence[PeriodicTask],
    *,
    grace: float,
    after: Coroutine[Any, Any, object] | None = None,
) -> AsyncIterator[None]:
    """Run tasks for as long as the block lasts, once what they come after has ended.

    A run that is going on when the block ends has `grace` seconds more before it is cancelled.
    """
    stopping = asyncio.Event()
    first = [asyncio.create_task(after)] if after else []
    loops = [asyncio.create_task(_run(task, first, stopping)) for task in tasks]
    try:
        yield
    finally:
        stopping.set()
        for each in first:
            each.cancel()
        for task in tasks:
            task.wake.set()
        _, late = await asyncio.wait(loops, timeout=grace)
        for loop in late:
            loop.cancel()
        await asyncio.gather(*first, *loops, return_exceptions=True)


def longer(pause: float, *, interval: float) -> float:
    """Return the seconds that a task waits after it failed: twice the last pause, within reason."""
    return max(interval, min(2 * pause, LONGEST_PAUSE))


async def _run(
    task: PeriodicTask, first: Collection[asyncio.Task[object]], stopping: asyncio.Event
) -> None:
    """Run a task until it is to stop; an error is logged, and the next run may be better.

    While errors last, the pauses grow, so that the log isn't filled with one of them.
    """
    pause = task.interval
    if first:
        await asyncio.wait(first)
    if task.delay:
        await _wait(task, task.delay)
    while not stopping.is_set():
        task.wake.clear()
        pause = longer(pause, interval=task.interval)  # unless it goes well
        try:
            await task.work()
            pause = task.interval
        except Unavailable as error:
            _log.warning("A chore has to wait", chore=task.name, why=error.cause)
        except Exception:  # noqa: BLE001 — a task goes on whatever befell it
            _log.exception("A chore failed", chore=task.name)
        await _wait(task, pause)


async def _wait(task: PeriodicTask, seconds: float) -> None:
    """Return after so many seconds, or when a task is woken."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):  # 3.11's wait_for may lose a cancellation
            await task.wake.wait()
