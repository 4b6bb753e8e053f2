"""Periodic tasks run when they are woken, survive errors, and end with their block."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from gql_app.lib.database import Unavailable
from gql_app.lib.periodic import PeriodicTask, longer, running

NEVER = 3600.0


class Runs:
    """Work that says when it was done, and fails if it is told to."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.done: asyncio.Queue[int] = asyncio.Queue()
        self.error = error
        self.count = 0

    async def __call__(self) -> None:
        """Work."""
        self.count += 1
        self.done.put_nowait(self.count)
        if self.error:
            raise self.error


async def test_task_runs_at_the_start_and_when_it_is_woken() -> None:
    work = Runs()
    task = PeriodicTask("work", work, NEVER)
    async with running([task], grace=1):
        for count in (1, 2, 3):
            assert await work.done.get() == count
            task.wake.set()


async def test_task_that_doesnt_run_at_once_waits_to_be_woken() -> None:
    work, other = Runs(), Runs()
    task = PeriodicTask("work", work, NEVER, delay=NEVER)
    async with running([task, PeriodicTask("other", other, NEVER)], grace=1):
        assert await other.done.get() == 1
        assert work.count == 0
        task.wake.set()
        assert await work.done.get() == 1
    async with running([task], grace=1):
        pass
    assert work.count == 1


async def test_task_runs_again_when_its_interval_is_over() -> None:
    work = Runs()
    async with running([PeriodicTask("work", work, 0.0)], grace=1):
        assert [await work.done.get() for _ in range(5)] == [1, 2, 3, 4, 5]


async def test_tasks_wait_for_none_of_the_others() -> None:
    started, released = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        started.set()
        await released.wait()

    work = Runs()
    tasks = [PeriodicTask("wait", wait, NEVER), PeriodicTask("work", work, NEVER)]
    async with running(tasks, grace=1):
        await started.wait()
        assert await work.done.get() == 1
        released.set()


@pytest.mark.parametrize(
    ("error", "event", "level"),
    [
        (Unavailable(), "A chore has to wait", "warning"),
        (LookupError("no such thing"), "A chore failed", "error"),
        (asyncio.CancelledError(), "A chore failed", "error"),
    ],
)
async def test_error_is_logged_and_ends_no_task(
    error: BaseException, event: str, level: str
) -> None:
    work = Runs(error)
    task = PeriodicTask("work", work, NEVER)
    with capture_logs() as log:
        async with running([task], grace=1):
            await work.done.get()
            task.wake.set()
            await work.done.get()
            work.error = None
            task.wake.set()
            await work.done.get()
    told = [(line["event"], line["log_level"], line["chore"]) for line in log]
    assert told == [(event, level, "work")] * 2


@pytest.mark.parametrize("grace", [0, 5])
async def test_run_that_goes_on_at_the_end_is_finished_or_cancelled(grace: float) -> None:
    started, released = asyncio.Event(), asyncio.Event()
    ended: list[str] = []

    async def wait() -> None:
        started.set()
        try:
            await released.wait()
            ended.append("finished")
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    async with running([PeriodicTask("wait", wait, NEVER)], grace=grace):
        await started.wait()
        if grace:
            asyncio.get_running_loop().call_soon(released.set)
    assert ended == ["finished" if grace else "cancelled"]


async def test_tasks_end_whatever_ends_the_block() -> None:
    work = Runs()

    async def fail(then: Callable[[], Awaitable[object]]) -> None:
        async with running([PeriodicTask("work", work, NEVER)], grace=1):
            await then()
            raise LookupError

    with pytest.raises(LookupError):
        await fail(work.done.get)
    assert work.count == 1


def test_pauses_grow_while_a_task_fails() -> None:
    pauses = [2.0]
    while len(pauses) < 8:
        pauses.append(longer(pauses[-1], interval=2))
    assert pauses == [2, 4, 8, 16, 32, 60, 60, 60]
    assert longer(3600, interval=3600) == 3600


async def test_tasks_begin_when_what_they_come_after_has_ended() -> None:
    work, first = Runs(), asyncio.Event()
    async with running([PeriodicTask("work", work, NEVER)], grace=1, after=first.wait()):
        await asyncio.sleep(0)
        assert work.count == 0
        first.set()
        assert await work.done.get() == 1
    async with running(
        [PeriodicTask("work", work, NEVER)], grace=NEVER, after=asyncio.Event().wait()
    ):
        await asyncio.sleep(0)
    assert work.count == 1
