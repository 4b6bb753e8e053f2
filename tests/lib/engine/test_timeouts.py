"""Timeouts: what takes too long is cancelled, and nothing else."""

import asyncio

import pytest

from gql_app.lib.engine.engine import Timeout

SOON = 0.05
LATE = 10


async def wait(seconds: float, gone_on: asyncio.Event) -> None:
    """Wait until somebody says to go on, but no longer than so many seconds."""
    with Timeout(seconds):
        await gone_on.wait()


async def test_what_takes_too_long_is_cancelled() -> None:
    with pytest.raises(TimeoutError):
        await wait(SOON, asyncio.Event())


async def test_what_is_done_in_time_is_not() -> None:
    gone_on = asyncio.Event()
    gone_on.set()
    for _ in range(3):
        await wait(SOON, gone_on)
    await asyncio.sleep(2 * SOON)
    await wait(SOON, gone_on)


async def test_each_has_its_own_time_whenever_it_begins() -> None:
    never, go = asyncio.Event(), asyncio.Event()
    first = asyncio.create_task(wait(SOON, never))
    await asyncio.sleep(SOON / 2)
    second = asyncio.create_task(wait(SOON, never))
    await asyncio.wait([first])
    third = asyncio.create_task(wait(SOON, go))
    await asyncio.sleep(0)
    go.set()
    async with asyncio.timeout(LATE):
        done, _ = await asyncio.wait([first, second, third])
    outcomes = [type(task.exception()) for task in (first, second, third)]
    assert outcomes == [TimeoutError, TimeoutError, type(None)]
    assert len(done) == 3


async def test_who_begins_while_another_is_at_work_is_cancelled_as_well() -> None:
    never = asyncio.Event()
    first = asyncio.create_task(wait(SOON, never))
    await asyncio.sleep(SOON / 2)
    second = asyncio.create_task(wait(SOON, never))
    async with asyncio.timeout(LATE):
        await asyncio.wait([first, second])
    assert isinstance(second.exception(), TimeoutError)


async def test_who_is_cancelled_by_others_stays_so() -> None:
    task = asyncio.create_task(wait(LATE, asyncio.Event()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_who_is_cancelled_by_others_as_well_stays_so() -> None:
    task: asyncio.Task[None]

    async def wait_on() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            task.cancel()
            raise

    async def work() -> None:
        with Timeout(SOON):
            await wait_on()

    task = asyncio.create_task(work())
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_fails_in_time_fails_as_it_does() -> None:
    async def fail() -> None:
        with Timeout(LATE):
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 — it is the very one
        await fail()
