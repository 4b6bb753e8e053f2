"""Throttles: counted to the second, for each subject, whoever counts at once."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from gql_app.accounts.throttle import Limit, Throttle
from gql_app.db.engine import Database
from gql_app.db.tables import ThrottleRow
from gql_app.errors import TooManyAttempts
from tests.accounts.conftest import NOON
from tests.conftest import SetClock
from tests.databases import looking
from tests.locks import until_it_waits

WINDOW = 900
THROTTLE = Throttle(key=b"a key of the tests", attempts=5, client_attempts=50, window=WINDOW)
ADA = THROTTLE.of_typed("sign-in", "ada@example.com")
BOB = THROTTLE.of_typed("sign-in", "bob@example.com")


async def count(database: Database, *limits: Limit, throttle: Throttle = THROTTLE) -> bool:
    """Count a failure in a transaction of its own."""
    async with database.write() as db:
        return await throttle.count(db, *limits)


async def fill(database: Database, limit: Limit) -> None:
    """Count failures until a limit is reached."""
    for _ in range(limit.attempts):
        await count(database, limit)


async def wait(database: Database, *limits: Limit, throttle: Throttle = THROTTLE) -> int | None:
    """Tell the seconds to wait until there is room, or None if there is some."""
    async with database.read() as db:
        try:
            await throttle.require_room(db, *limits)
        except TooManyAttempts as why:
            return why.retry_after
    return None


async def times(database: Database, limit: Limit) -> list[float]:
    """Tell when a subject failed."""
    async with looking(database) as db:
        row = await db.get(ThrottleRow, limit.subject)
    return row.times if row else []


async def test_five_attempts_are_judged_and_the_sixth_is_refused(noon: Database) -> None:
    for attempt in range(1, 6):
        assert await wait(noon, ADA) is None
        assert await count(noon, ADA) is (attempt == 5)
    assert await wait(noon, ADA) == WINDOW
    assert await wait(noon, BOB) is None


async def test_refused_attempt_is_not_counted(noon: Database, set_clock: SetClock) -> None:
    await fill(noon, ADA)
    set_clock(NOON + timedelta(seconds=60))
    with pytest.raises(TooManyAttempts) as refused:
        await count(noon, BOB, ADA)
    assert refused.value.retry_after == WINDOW - 60
    assert await times(noon, ADA) == [NOON.timestamp()] * 5
    assert await times(noon, BOB) == []


@pytest.mark.parametrize(
    ("seconds", "retry_after"),
    [
        (0, WINDOW),
        (0.25, WINDOW),
        (1, WINDOW - 1),
        (WINDOW - 1, 1),
        (WINDOW - 0.001, 1),
        (WINDOW, None),
        (WINDOW + 1, None),
    ],
)
async def test_wait_is_until_the_oldest_failure_leaves_the_window(
    noon: Database, set_clock: SetClock, seconds: float, retry_after: int | None
) -> None:
    await count(noon, ADA)
    set_clock(NOON + timedelta(seconds=0.5))
    for _ in range(4):
        await count(noon, ADA)
    set_clock(NOON + timedelta(seconds=seconds))
    assert await wait(noon, ADA) == retry_after


async def test_failures_leave_the_window_one_by_one(noon: Database, set_clock: SetClock) -> None:
    for minute in range(5):
        set_clock(NOON + timedelta(minutes=minute))
        await count(noon, ADA)
    set_clock(NOON + timedelta(minutes=15))
    assert await wait(noon, ADA) is None
    assert await count(noon, ADA)
    assert await wait(noon, ADA) == 60


async def test_waiting_as_long_as_told_is_enough(noon: Database, set_clock: SetClock) -> None:
    await fill(noon, ADA)
    set_clock(NOON + timedelta(seconds=100.5))
    told = await wait(noon, ADA)
    assert told == WINDOW - 100
    set_clock(NOON + timedelta(seconds=100.5 + told))
    assert await wait(noon, ADA) is None


async def test_of_two_limits_the_longer_wait_is_told(noon: Database, set_clock: SetClock) -> None:
    await fill(noon, ADA)
    set_clock(NOON + timedelta(seconds=300))
    await fill(noon, BOB)
    assert await wait(noon, ADA, BOB) == await wait(noon, BOB, ADA) == WINDOW
    assert await wait(noon, ADA) == WINDOW - 300


async def test_lowered_limit_waits_for_as_many_as_it_grants(
    noon: Database, set_clock: SetClock
) -> None:
    for minute in range(4):
        set_clock(NOON + timedelta(minutes=minute))
        await count(noon, ADA)
    lowered = replace(THROTTLE, attempts=2)
    limit = lowered.of_typed("sign-in", "ada@example.com")
    assert await wait(noon, limit, throttle=lowered) == WINDOW - 60


async def test_clearing_forgets_one_subject_only(noon: Database) -> None:
    await fill(noon, ADA)
    await fill(noon, BOB)
    async with noon.write() as db:
        await THROTTLE.clear(db, ADA)
    assert await wait(noon, ADA) is None
    assert await wait(noon, BOB) == WINDOW


async def test_twenty_failures_at_once_never_pass_the_limit(noon: Database) -> None:
    client = THROTTLE.of_client("sign-in", "192.0.2.1")
    outcomes = await asyncio.gather(
        *(count(noon, *pair) for pair in [(ADA, client), (client, ADA)] * 10),
        return_exceptions=True,
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, TooManyAttempts)]
    assert (len(refused), outcomes.count(False), outcomes.count(True)) == (15, 4, 1)
    assert len(await times(noon, ADA)) == len(await times(noon, client)) == 5


async def test_failure_that_races_with_a_success_is_counted(noon: Database) -> None:
    await count(noon, ADA)
    async with noon.write() as db:
        await THROTTLE.hold_room(db, ADA)
        failing = asyncio.create_task(count(noon, ADA))
        await until_it_waits(db, failing)
        await THROTTLE.clear(db, ADA)
    assert await failing is False
    assert await times(noon, ADA) == [NOON.timestamp()]


async def test_purge_deletes_forgotten_counts_in_batches(
    noon: Database, set_clock: SetClock
) -> None:
    for number in range(5):
        await count(noon, THROTTLE.of_typed("sign-in", f"{number}@example.com"))
    set_clock(NOON + timedelta(seconds=1))
    await count(noon, ADA)
    deleted = []
    for seconds in (WINDOW, WINDOW + 1, WINDOW + 1, WINDOW + 1, WINDOW + 1):
        set_clock(NOON + timedelta(seconds=seconds))
        async with noon.write() as db:
            deleted.append(await THROTTLE.purge(db, batch=2))
    assert deleted == [0, 2, 2, 1, 0]
    assert await times(noon, ADA) == [NOON.timestamp() + 1]


async def test_what_was_typed_is_kept_as_a_keyed_hash_only(noon: Database) -> None:
    await count(noon, ADA, THROTTLE.of_client("sign-in", "192.0.2.1"))
    async with looking(noon) as db:
        rows = (await db.scalars(select(ThrottleRow))).all()
    for told in ("ada", "example", "192.0.2.1", "sign-in"):
        assert told not in repr(rows)
    other_key = replace(THROTTLE, key=b"another key of the tests")
    assert other_key.of_typed("sign-in", "ada@example.com").subject != ADA.subject
    assert [len(row.subject) for row in rows] == [64, 64]


def test_deeds_and_kinds_of_subject_are_counted_apart() -> None:
    subjects = {
        limit.subject
        for deed in ("sign-in", "reset")
        for limit in (THROTTLE.of_typed(deed, "192.0.2.1"), THROTTLE.of_client(deed, "192.0.2.1"))
    }
    assert len(subjects) == 4
    assert (ADA.attempts, THROTTLE.of_client("sign-in", None).attempts) == (5, 50)


@pytest.mark.parametrize(
    ("one", "another", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", True),
        ("2001:db8:1:2::1", "2001:DB8:1:2:0:0:0:9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("::ffff:192.0.2.1", "::ffff:c000:201", True),
        ("junk", "junk", True),
        ("junk", "rubbish", False),
        ("junk:", "rubbish:", False),
        ("", None, True),
        ("junk", None, False),
        ("192.0.2.1", None, False),
    ],
)
def test_addresses_of_one_client_are_one_subject(
    one: str | None, another: str | None, *, same: bool
) -> None:
    subjects = {THROTTLE.of_client("sign-in", address).subject for address in (one, another)}
    assert (len(subjects) == 1) is same


async def test_count_that_came_to_nothing_is_given_back(noon: Database) -> None:
    letters = THROTTLE.of_letters("password_reset", "ada@example.com", a_day=2)
    for _ in range(3):
        await count(noon, letters)
        async with noon.write() as db:
            await THROTTLE.give_back(db, letters)
    assert await times(noon, letters) == []
    await fill(noon, letters)
    assert await wait(noon, letters) == 24 * 3600


async def test_count_that_is_forgotten_by_now_can_not_be_given_back(noon: Database) -> None:
    async with noon.write() as db:
        await THROTTLE.give_back(db, ADA)
    assert await times(noon, ADA) == []
