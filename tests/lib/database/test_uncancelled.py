"""Coroutines that go on when whoever awaits them is cancelled."""

import asyncio
import gc
from contextlib import suppress
from weakref import ref

import pytest

from gql_app.lib.database.uncancelled import Cancelled, Uncancelled

Steps = list[asyncio.Future[int]]


@pytest.fixture
async def steps() -> Steps:
    """Make what a coroutine waits for, one after the other."""
    loop = asyncio.get_running_loop()
    return [loop.create_future() for _ in range(3)]


async def total(steps: Steps) -> int:
    """Return the sum of what comes, with a pause of the event loop between."""
    found = 0
    for each in steps:
        found += await each
        await asyncio.sleep(0)
    return found


async def awaited(work: Uncancelled[int]) -> int:
    """Return what a coroutine returns, to a task that can be cancelled."""
    return await work


async def waiting_for(work: Uncancelled[int]) -> "asyncio.Task[int]":
    """Return a task that waits for a coroutine."""
    task = asyncio.create_task(awaited(work))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not task.done()
    return task


async def test_coroutine_returns_and_raises_as_ever(steps: Steps) -> None:
    for number, each in enumerate(steps):
        asyncio.get_running_loop().call_soon(each.set_result, number)
    work = Uncancelled(total(steps))
    assert not work.is_over
    assert (await work, work.is_over) == (3, True)
    steps[1] = asyncio.get_running_loop().create_future()
    steps[1].set_exception(KeyError("gone"))
    work = Uncancelled(total(steps))
    with pytest.raises(KeyError, match="gone"):
        await work
    assert work.is_over


async def test_who_is_cancelled_leaves_it_to_the_next_where_it_was(steps: Steps) -> None:
    work = Uncancelled(total(steps))
    for number, each in enumerate(steps):
        task = await waiting_for(work)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        each.set_result(number)
    assert await work == 3


async def test_what_comes_as_one_is_cancelled_wakes_nobody_twice(steps: Steps) -> None:
    work = Uncancelled(total(steps))
    task = await waiting_for(work)
    task.cancel()
    steps[0].set_result(1)
    with pytest.raises(asyncio.CancelledError):
        await task
    steps[1].set_result(1)
    steps[2].set_result(1)
    assert await work == 3


async def test_coroutine_itself_is_cancelled_at_each_step_that_is_left(steps: Steps) -> None:
    async def stubborn() -> int:
        try:
            return await steps[0]
        except asyncio.CancelledError:
            return await steps[1]

    work = Uncancelled(stubborn())
    task = await waiting_for(work)
    work.cancel()
    with pytest.raises(Cancelled):
        await task
    assert [each.cancelled() for each in steps] == [True, True, False]
    assert work.is_over


async def test_who_waits_is_interrupted_and_the_coroutine_is_not(steps: Steps) -> None:
    work = Uncancelled(total(steps))
    work.interrupt(KeyError("nobody waits yet"))
    task = await waiting_for(work)
    work.interrupt(KeyError("silence"))
    work.interrupt(KeyError("once is enough"))
    with pytest.raises(KeyError, match="silence"):
        await task
    for each in steps:
        each.set_result(1)
    assert await work == 3


async def test_error_is_freed_with_all_that_it_saw_once_it_is_handled() -> None:
    class Large: ...

    seen: list[ref[Large]] = []

    async def fail() -> int:
        large = Large()
        seen.append(ref(large))
        await asyncio.sleep(0)
        raise KeyError(large)

    gc.disable()
    try:
        with suppress(KeyError):
            await Uncancelled(fail())
        assert [each() for each in seen] == [None]
    finally:
        gc.enable()


@pytest.mark.parametrize("fails", [False, True])
async def test_tasks_that_await_it_together_have_the_same_result(
    steps: Steps, *, fails: bool
) -> None:
    work = Uncancelled(total(steps))
    tasks = [await waiting_for(work) for _ in range(3)]
    tasks.append(asyncio.create_task(awaited(work)))
    for number, each in enumerate(steps):
        if number and fails:
            each.set_exception(KeyError("gone"))
            break
        each.set_result(number)
        for _ in range(5):
            await asyncio.sleep(0)
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [repr(each) for each in found] == ["KeyError('gone')" if fails else "3"] * 4
