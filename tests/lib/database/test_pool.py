"""Slots of a pool: how many are in use and waited for, and who gets the next one."""

import asyncio

import pytest

from gql_app.lib.database import Busy
from gql_app.lib.database.pool import PoolSlots


async def test_slots_are_counted_also_of_who_gives_up() -> None:
    slots = PoolSlots(1, 10)
    assert slots.try_acquire()
    assert not slots.try_acquire()
    waiting = asyncio.create_task(slots.acquire())
    await asyncio.sleep(0)
    assert (slots.in_use, slots.waiting) == (1, 1)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert (slots.in_use, slots.waiting) == (1, 0)
    slots.release()
    assert (slots.in_use, slots.waiting) == (0, 0)
    assert slots.try_acquire()


async def test_a_slot_is_handed_to_who_waits_longest() -> None:
    slots, served = PoolSlots(1, 10), []
    slots.try_acquire()

    async def wait(name: str) -> None:
        await slots.acquire()
        served.append(name)
        slots.release()

    waiting = [asyncio.create_task(wait(name)) for name in "abc"]
    await asyncio.sleep(0)
    waiting[0].cancel()
    slots.release()
    assert not slots.try_acquire(), "it was handed on"
    await asyncio.wait(waiting)
    assert served == ["b", "c"]
    assert slots.try_acquire()


async def test_a_slot_that_comes_too_late_is_handed_on() -> None:
    slots = PoolSlots(1, 10)
    slots.try_acquire()
    gone, next_one = (asyncio.create_task(slots.acquire()) for _ in range(2))
    await asyncio.sleep(0)
    slots.release()  # to the first, who is told to go before it can take it
    gone.cancel()
    await asyncio.wait([gone, next_one])
    assert gone.cancelled()
    assert next_one.exception() is None
    assert (slots.in_use, slots.waiting) == (1, 0)


async def test_nobody_waits_longer_than_their_patience() -> None:
    slots = PoolSlots(1, 0.01)
    slots.try_acquire()
    with pytest.raises(Busy):
        await slots.acquire()
    assert slots.waiting == 0


async def test_all_slots_are_taken_when_they_are_released_or_after_a_time() -> None:
    slots = PoolSlots(2, 0.01)
    await slots.acquire()
    await slots.drain(0.05)
    assert (slots.in_use, slots.waiting) == (2, 0)
    slots = PoolSlots(2, 0.01)
    await slots.acquire()
    draining = asyncio.create_task(slots.drain(60))
    await asyncio.sleep(0.02)
    assert not draining.done()
    slots.release()
    await draining
    with pytest.raises(Busy):
        await slots.acquire()
