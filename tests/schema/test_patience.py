"""Patience: who takes too long is cancelled, and nobody else."""

import asyncio

import pytest

from gql_app.lib.engine.timeouts import Patience

SOON = 0.05
LATE = 10


async def wait(patience: Patience, gone_on: asyncio.Event) -> None:
    """Take as long as it takes until somebody says to go on."""
    async with patience:
        await gone_on.wait()


async def test_what_takes_too_long_is_cancelled() -> None:
    with pytest.raises(TimeoutError):
        await wait(Patience(SOON), asyncio.Event())


async def test_what_is_done_in_time_is_not() -> None:
    patience, gone_on = Patience(SOON), asyncio.Event()
    gone_on.set()
    for _ in range(3):
        await wait(patience, gone_on)
    await asyncio.sleep(2 * SOON)
    await wait(patience, gone_on)


async def test_each_has_its_own_time_whenever_it_begins() -> None:
    patience, never, go = Patience(SOON), asyncio.Event(), asyncio.Event()
    first = asyncio.create_task(wait(patience, never))
    await asyncio.sleep(SOON / 2)
    second = asyncio.create_task(wait(patience, never))
    await asyncio.wait([first])
    third = asyncio.create_task(wait(patience, go))
    await asyncio.sleep(0)
    go.set()
    async with asyncio.timeout(LATE):
        done, _ = await asyncio.wait([first, second, third])
    outcomes = [type(task.exception()) for task in (first, second, third)]
    assert outcomes == [TimeoutError, TimeoutError, type(None)]
    assert len(done) == 3


async def test_who_begins_while_another_is_at_work_is_cancelled_as_well() -> None:
    patience, never = Patience(SOON), asyncio.Event()
    first = asyncio.create_task(wait(patience, never))
    await asyncio.sleep(SOON / 2)
    second = asyncio.create_task(wait(patience, never))
    async with asyncio.timeout(LATE):
        await asyncio.wait([first, second])
    assert isinstance(second.exception(), TimeoutError)


async def test_who_is_cancelled_by_others_stays_so() -> None:
    patience = Patience(LATE)
    task = asyncio.create_task(wait(patience, asyncio.Event()))
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
        async with Patience(SOON):
            await wait_on()

    task = asyncio.create_task(work())
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_fails_in_time_fails_as_it_does() -> None:
    async def fail() -> None:
        async with Patience(LATE):
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 — it is the very one
        await fail()
