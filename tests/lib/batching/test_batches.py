"""Batches: one reading for all who ask at the time, and what becomes of it."""

import asyncio
from collections.abc import Hashable, Sequence
from typing import Final, TypeVar

import pytest

from gql_app.lib.batching import Batches, group
from gql_app.lib.faults import WorkCancelled
from tests.colliding import COLLIDING, comparisons
from tests.processes import PATIENCE

V = TypeVar("V")
PAIRS: Final[list[Hashable]] = [(each, "text") for each in COLLIDING]


class Source:
    """What is read of, and what was asked of it."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.error: BaseException | None = None
        self.lacks = 0
        self.open = asyncio.Event()
        self.open.set()

    async def read(self, keys: list[int]) -> Sequence[str]:
        """Return a text for each key."""
        self.asked.append(keys)
        await self.open.wait()
        if self.error:
            raise self.error
        return [str(key) for key in keys[self.lacks :]]


async def test_what_is_asked_at_a_time_is_read_at_once_and_kept() -> None:
    source = Source()
    batches = Batches(source.read)
    assert await asyncio.gather(*(batches.load(key) for key in (1, 2, 1, 3))) == [*"1213"]
    assert await batches.load(2) == "2"
    assert await batches.load(4) == "4"
    assert source.asked == [[1, 2, 3], [4]]


async def test_tasks_that_begin_together_share_a_batch() -> None:
    source = Source()
    batches = Batches(source.read)

    async def twice(key: int) -> str:
        return await batches.load(key) + await batches.load(key + 10)

    async with asyncio.TaskGroup() as tasks:
        made = [tasks.create_task(twice(key)) for key in range(3)]
    assert [each.result() for each in made] == ["010", "111", "212"]
    assert source.asked == [[0, 1, 2], [10, 11, 12]]


async def test_what_is_asked_while_a_batch_is_read_is_the_next() -> None:
    source = Source()
    batches = Batches(source.read)
    source.open.clear()
    first = batches.load(1)
    await asyncio.sleep(0)  # the batch begins
    await asyncio.sleep(0)  # and is read
    assert source.asked == [[1]]
    second = batches.load(2)
    source.open.set()
    assert (await first, await second) == ("1", "2")
    assert source.asked == [[1], [2]]


async def test_error_is_raised_by_all_who_wait_and_is_kept() -> None:
    source = Source()
    batches = Batches(source.read)
    source.error = LookupError("gone")
    errors = await asyncio.gather(batches.load(1), batches.load(2), return_exceptions=True)
    assert [*errors] == [source.error, source.error]
    with pytest.raises(LookupError):
        await batches.load(1)
    assert source.asked == [[1, 2]]


async def test_cancellation_of_the_reading_is_an_error_of_all_who_wait() -> None:
    source = Source()
    batches = Batches(source.read)
    source.error = asyncio.CancelledError()
    async with asyncio.timeout(PATIENCE):
        errors = await asyncio.gather(batches.load(1), batches.load(2), return_exceptions=True)
    assert [type(each) for each in errors] == [WorkCancelled, WorkCancelled]


async def test_too_few_values_are_an_error() -> None:
    source = Source()
    batches = Batches(source.read)
    source.lacks = 1
    found = await asyncio.gather(batches.load(1), batches.load(2), return_exceptions=True)
    assert [type(each) for each in found] == [ValueError, ValueError]


async def test_keys_that_nobody_waits_for_are_not_read() -> None:
    source = Source()
    batches = Batches(source.read)
    batches.load(1).cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert source.asked == []
    gone, other = batches.load(1), batches.load(2)
    gone.cancel()
    assert await other == "2"
    assert await batches.load(1) == "1"
    assert source.asked == [[1, 2], [1]]


async def test_key_that_is_asked_again_before_the_reading_is_read_once() -> None:
    source = Source()
    batches = Batches(source.read)
    batches.load(1).cancel()
    first, second = await asyncio.gather(batches.load(1), batches.load(2))
    assert (first, second) == ("1", "2")
    assert source.asked == [[1, 2]]


@pytest.mark.parametrize("keys", [[*COLLIDING], PAIRS])
async def test_keys_of_one_hash_are_not_compared_with_each_other(keys: list[Hashable]) -> None:
    assert len({hash(each) for each in keys}) == 1

    async def read(given: list[Hashable]) -> list[Hashable]:
        asked.append([*given])
        return given

    asked: list[list[Hashable]] = []
    batches = Batches(read)
    with comparisons() as compared:
        for _ in range(2):
            found = await asyncio.gather(*map(batches.load, keys))
        grouped = group(keys, keys, by=lambda key: key)
    assert compared == []
    assert found == keys
    assert grouped == [[key] for key in keys]
    assert asked == [keys]


@pytest.mark.parametrize("gone", [0, 1])
async def test_who_is_cancelled_takes_the_value_from_nobody(gone: int) -> None:
    source = Source()
    source.open.clear()
    batches = Batches(source.read)
    tasks = [asyncio.ensure_future(_awaited(batches, 1)) for _ in range(2)]
    for _ in range(3):
        await asyncio.sleep(0)
    assert source.asked == [[1]]
    tasks.append(asyncio.ensure_future(_awaited(batches, 1)))
    await asyncio.sleep(0)
    tasks[gone].cancel()
    await asyncio.wait([tasks[gone]])
    source.open.set()
    del tasks[gone]
    assert await asyncio.gather(*tasks) == ["1", "1"]
    assert await batches.load(1) == "1"
    assert source.asked == [[1]]


@pytest.mark.parametrize("keys", [(1, 2), (1, 1)])
async def test_reading_that_nobody_waits_for_any_more_is_cancelled(keys: tuple[int, int]) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def read(given: list[int]) -> list[int]:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return given

    batches = Batches(read)
    one, other = (asyncio.ensure_future(_awaited(batches, key)) for key in keys)
    async with asyncio.timeout(PATIENCE):
        await began.wait()
        one.cancel()
        await asyncio.wait([one])
        await asyncio.sleep(0)
        assert not ended.is_set(), "somebody waits still"
        other.cancel()
        await ended.wait()


async def _awaited(batches: Batches[int, V], key: int) -> V:
    return await batches.load(key)
