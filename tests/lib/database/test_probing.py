"""Checks of a database: how long a result is waited for, and who shares it."""

import asyncio

import pytest

from gql_app.lib.database import SharedResult, probing
from gql_app.lib.database.probing import within


async def test_question_that_is_late_is_ended() -> None:
    ended = asyncio.Event()

    async def ask() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(TimeoutError):
        await within(ask(), 0.02)
    assert ended.is_set()


async def test_fault_of_a_question_is_its_askers_also_while_it_is_ended() -> None:
    async def fail() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise LookupError

    async def fail_at_once() -> None:
        raise LookupError

    with pytest.raises(TimeoutError):
        await within(fail(), 0.02)
    with pytest.raises(LookupError):
        await within(fail_at_once(), 60)


async def test_answer_is_shared_until_it_is_no_longer_fresh(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, moment, gate = 0, 100.0, asyncio.Event()
    monkeypatch.setattr(probing, "monotonic", lambda: moment)

    async def ask() -> int:
        nonlocal asked
        asked += 1
        await gate.wait()
        return asked

    shared = SharedResult(ask)
    waiting = [asyncio.create_task(shared.get()) for _ in range(5)]
    await asyncio.sleep(0)
    waiting.pop().cancel()
    moment += 10  # whoever asks while it is asked for waits with the others, however long
    waiting.append(asyncio.create_task(shared.get()))
    await asyncio.sleep(0)
    gate.set()
    assert await asyncio.gather(*waiting) == [1] * 5
    assert await shared.get() == 2
    moment += probing.MAX_AGE / 2
    assert await shared.get() == 2
    moment += probing.MAX_AGE / 2
    assert await shared.get() == 3
