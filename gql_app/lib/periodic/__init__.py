"""Periodic tasks: each runs at its interval or when it is woken, and survives errors."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from gql_app.lib.database import Unavailable
from gql_app.lib.faults import CancellationsAsFaults
from gql_app.lib.telemetry import get_logger

__all__ = ["PeriodicTask", "running"]

LONGEST_PAUSE: Final = 60
"""The most seconds that a failing task waits (back-off), unless its interval is longer."""
_log: Final = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PeriodicTask:
    """Work that is done periodically."""

    name: str
    work: Callable[[], Awaitable[object]]
    interval: float
    """Seconds from the end of one run to the next."""
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    """Set to run the task sooner."""
    delay: float = 0
    """Seconds until the first run, unless it is woken before."""


@asynccontextmanager
async def running(
    tasks: Sequence[PeriodicTask],
    *,
    grace: float,
    after: Coroutine[Any, Any, object] | None = None,
) -> AsyncIterator[None]:
    """Run tasks while the block lasts, from when the coroutine `after` has ended.

    When the block ends, a current run has `grace` seconds before it is cancelled.
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
    """Return the pause of a failing task: twice the last one, up to LONGEST_PAUSE (back-off)."""
    return max(interval, min(2 * pause, LONGEST_PAUSE))


async def _run(
    task: PeriodicTask, first: Collection[asyncio.Task[object]], stopping: asyncio.Event
) -> None:
    """Run a task until `stopping` is set; an error is logged, and the task goes on.

    While errors last, the pauses grow, so that the log is not flooded.
    """
    pause = task.interval
    if first:
        await asyncio.wait(first)
    if task.delay:
        await _wait(task, task.delay)
    while not stopping.is_set():
        task.wake.clear()
        pause = longer(pause, interval=task.interval)  # unless it succeeds
        try:
            with CancellationsAsFaults():
                await task.work()
            pause = task.interval
        except Unavailable as error:
            _log.warning("A chore has to wait", chore=task.name, why=error.cause)
        except Exception:  # noqa: BLE001 — a task goes on after any error
            _log.exception("A chore failed", chore=task.name)
        await _wait(task, pause)


async def _wait(task: PeriodicTask, seconds: float) -> None:
    """Return after so many seconds, or when a task is woken."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):  # 3.11's wait_for may lose a cancellation
            await task.wake.wait()
