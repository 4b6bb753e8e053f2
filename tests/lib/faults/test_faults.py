"""Faults: all of them are told, each on a line of its own; a cancellation of work is one."""

import asyncio

import pytest

from gql_app.lib.faults import CancellationsAsFaults, CannotStart, WorkCancelled, sentence


def test_every_fault_is_a_line() -> None:
    why = CannotStart(["PORT: must be a number", "FOLDER: is missing"])
    assert why.faults == ("PORT: must be a number", "FOLDER: is missing")
    assert str(why) == "PORT: must be a number\nFOLDER: is missing"


@pytest.mark.parametrize("text", ["It is.", "Is it?", "It is!"])
def test_sentence_has_one_stop(text: str) -> None:
    assert sentence(text) == text
    assert sentence("It is") == "It is."


async def waiting(task: asyncio.Task[None]) -> None:
    """Wait for a task in a block."""
    with CancellationsAsFaults():
        await task


def endless() -> asyncio.Task[None]:
    """Return a task that never ends."""

    async def wait() -> None:
        await asyncio.Event().wait()

    return asyncio.create_task(wait())


async def test_cancellation_of_what_is_awaited_is_a_fault() -> None:
    task = endless()
    task.cancel()
    with pytest.raises(WorkCancelled) as caught:
        await waiting(task)
    assert isinstance(caught.value.__cause__, asyncio.CancelledError)


async def test_cancellation_of_who_awaits_goes_on() -> None:
    task = asyncio.create_task(waiting(endless()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_time_out_around_the_block_is_one() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await waiting(endless())


async def test_other_errors_are_raised_as_they_are() -> None:
    with pytest.raises(LookupError), CancellationsAsFaults():
        raise LookupError
