"""The queue: what is due, whose turn it is, and what another process takes meanwhile."""

from datetime import timedelta

import pytest

from gql_app.lib.database import Database
from gql_app.lib.outbox.delivery import BATCH, LEASE, LONGEST_PAUSE
from tests.conftest import SetClock
from tests.lib.outbox.post import NOON, QUEUE, left, post


@pytest.fixture(autouse=True)
def noon(set_clock: SetClock) -> None:
    """Let it be noon."""
    set_clock(NOON)


async def owners(database: Database) -> list[str]:
    """Return whose letters are next, in a transaction of its own."""
    async with database.transaction() as db:
        return [row.owner for row in await QUEUE.next_due(db)]


@pytest.mark.parametrize(
    ("seconds", "due"),
    [
        (-1, True),
        (0, True),
        (1, False),
        (LONGEST_PAUSE + LEASE, False),
        (LONGEST_PAUSE + LEASE + 1, True),
    ],
)
async def test_letter_is_due_by_its_moment_or_where_the_clock_was_set_back(
    post_office: Database, seconds: int, *, due: bool
) -> None:
    await post(post_office, "ada", due_at=NOON + timedelta(seconds=seconds))
    assert await QUEUE.any_due(post_office) is due
    assert await owners(post_office) == ["ada"] * due


async def test_owners_take_turns(post_office: Database) -> None:
    for seconds, many in enumerate([["ada"] * 2 * BATCH, ["bob"] * 2, ["cleo"]]):
        await post(post_office, *many, due_at=NOON - timedelta(seconds=9 - seconds))
    assert "".join(owner[0] for owner in await owners(post_office)) == "abcab" + "a" * 5


async def test_leased_letter_is_due_again_when_its_lease_is_over(
    post_office: Database, set_clock: SetClock
) -> None:
    ids = await post(post_office, "ada", "bob")
    async with post_office.transaction() as db:
        await QUEUE.lease(db, ids[:1])
    assert await owners(post_office) == ["bob"]
    set_clock(NOON + timedelta(seconds=LEASE))
    assert sorted(await owners(post_office)) == ["ada", "bob"]
    async with post_office.transaction() as db:
        row = await QUEUE.locked(db, ids[0])
    assert row is not None
    assert row.attempts == 1


async def test_pauses_double_up_to_the_longest_until_the_last_try(post_office: Database) -> None:
    [letter_id] = await post(post_office, "ada")
    pauses = []
    for _ in range(13):
        async with post_office.transaction() as db:
            await QUEUE.lease(db, [letter_id])
            row = await QUEUE.locked(db, letter_id)
            assert await QUEUE.postpone(db, row, last_try=NOON + timedelta(seconds=LONGEST_PAUSE))
            row = await QUEUE.locked(db, letter_id)
            assert row is not None
            pauses.append((row.due_at - NOON).total_seconds())
    assert pauses == [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600]
    async with post_office.transaction() as db:
        row = await QUEUE.locked(db, letter_id)
        assert not await QUEUE.postpone(db, row, last_try=NOON)
        assert await QUEUE.locked(db, letter_id) is None
    assert await left(post_office) == []


async def test_letters_of_nobody_are_none(post_office: Database) -> None:
    async with post_office.transaction() as db:
        await QUEUE.lease(db, [])
        await QUEUE.forget(db, [])
    assert not await QUEUE.any_due(post_office)
