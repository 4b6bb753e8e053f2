"""Throttles: counted to the second, for each subject, whoever counts at once."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from gql_app.accounts.mail.letters import Kind
from gql_app.accounts.throttling import HOUR, LOCKOUT_MEMORY, LOCKOUT_PAUSE, Throttle
from gql_app.db.tables import ThrottleRow
from gql_app.errors import TooManyAttempts
from gql_app.lib.clock import new_id
from gql_app.lib.database import Database
from gql_app.lib.rate_limits import Limit
from tests.accounts.conftest import NOON
from tests.conftest import SetClock
from tests.locks import until_it_waits
from tests.rows import get_row

WINDOW = 900
DAY = timedelta(days=1)
THROTTLE = Throttle(key=b"a key of the tests", attempts=5, client_attempts=50, window=WINDOW)
ADA = THROTTLE.limit("sign-in", "ada@example.com")
BOB = THROTTLE.limit("sign-in", "bob@example.com")


async def count(database: Database, *limits: Limit, throttle: Throttle = THROTTLE) -> bool:
    """Count a failure in a transaction of its own."""
    async with database.transaction() as db:
        return await throttle.count(db, *limits)


async def fill(database: Database, limit: Limit) -> None:
    """Count failures until a limit is reached."""
    for _ in range(limit.attempts):
        await count(database, limit)


async def wait(database: Database, *limits: Limit, throttle: Throttle = THROTTLE) -> int | None:
    """Return the seconds to wait until there is room, or None if there is some."""
    try:
        await throttle.require_room(database, *limits)
    except TooManyAttempts as why:
        return why.retry_after
    return None


async def times(database: Database, limit: Limit) -> list[float]:
    """Return when a subject failed."""
    row = await get_row(database, ThrottleRow, limit.subject)
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


async def test_waiting_as_long_as_answered_is_enough(noon: Database, set_clock: SetClock) -> None:
    await fill(noon, ADA)
    set_clock(NOON + timedelta(seconds=100.5))
    told = await wait(noon, ADA)
    assert told == WINDOW - 100
    set_clock(NOON + timedelta(seconds=100.5 + told))
    assert await wait(noon, ADA) is None


async def test_of_two_limits_the_longer_wait_is_answered(
    noon: Database, set_clock: SetClock
) -> None:
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
    limit = lowered.limit("sign-in", "ada@example.com")
    assert await wait(noon, limit, throttle=lowered) == WINDOW - 60


async def test_clearing_forgets_one_subject_only(noon: Database) -> None:
    await fill(noon, ADA)
    await fill(noon, BOB)
    async with noon.transaction() as db:
        await THROTTLE.clear(db, ADA)
    assert await wait(noon, ADA) is None
    assert await wait(noon, BOB) == WINDOW


async def test_twenty_failures_at_once_never_pass_the_limit(noon: Database) -> None:
    (client,) = THROTTLE.of_client("sign-in", "192.0.2.1")
    outcomes = await asyncio.gather(
        *(count(noon, *pair) for pair in [(ADA, client), (client, ADA)] * 10),
        return_exceptions=True,
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, TooManyAttempts)]
    assert (len(refused), outcomes.count(False), outcomes.count(True)) == (15, 4, 1)
    assert len(await times(noon, ADA)) == len(await times(noon, client)) == 5


async def test_failure_that_races_with_a_success_is_counted(noon: Database) -> None:
    limits = THROTTLE.of_password("sign-in", "ada@example.com", "192.0.2.1")
    await count(noon, *limits.all)
    async with noon.transaction() as db:
        failed = await THROTTLE.hold_failures(db, limits)
        failing = asyncio.create_task(count(noon, *limits.all))
        await until_it_waits(db, failing)
        await THROTTLE.clear(db, *failed)
    assert await failing is False
    counts = [len(await times(noon, limit)) for limit in limits.all]
    assert counts == [1, 2, 1]


async def test_purge_deletes_forgotten_counts_in_batches(
    noon: Database, set_clock: SetClock
) -> None:
    for number in range(5):
        await count(noon, THROTTLE.limit("sign-in", f"{number}@example.com"))
    set_clock(NOON + timedelta(seconds=1))
    await count(noon, ADA)
    deleted = []
    for seconds in (WINDOW, WINDOW + 1, WINDOW + 1, WINDOW + 1, WINDOW + 1):
        set_clock(NOON + timedelta(seconds=seconds))
        async with noon.transaction() as db:
            deleted.append(await THROTTLE.purge(db, batch=2))
    assert deleted == [0, 2, 2, 1, 0]
    assert await times(noon, ADA) == [NOON.timestamp() + 1]


async def test_no_window_is_longer_than_its_counts_are_kept(
    noon: Database, set_clock: SetClock
) -> None:
    address, customer_id = "2001:db8::1", new_id()
    for throttle in (THROTTLE, replace(THROTTLE, window=2 * HOUR)):
        limits = [
            *throttle.of_password("sign-in", "ada@example.com", address).all,
            *throttle.of_taken(address, customer_id),
            throttle.of_account("refresh", customer_id),
        ]
        set_clock(NOON)
        async with noon.transaction() as db:
            await throttle.count(db, *limits)
        for window in sorted({limit.window for limit in limits}):
            set_clock(NOON + timedelta(seconds=window - 1))
            async with noon.transaction() as db:
                await throttle.purge(db, batch=100)
            kept = [limit for limit in limits if limit.window >= window]
            assert [len(await times(noon, limit)) for limit in kept] == [1] * len(kept)
        set_clock(NOON + timedelta(seconds=LOCKOUT_MEMORY + 1))
        async with noon.transaction() as db:
            await throttle.purge(db, batch=100)
        assert await noon.fetch_all(select(ThrottleRow)) == []


async def test_what_was_typed_is_kept_as_a_keyed_hash_only(noon: Database) -> None:
    lockout = THROTTLE.of_password("sign-in", "ada@example.com", None).lockout
    await count(noon, ADA, lockout, *THROTTLE.of_client("sign-in", "192.0.2.1"))
    rows = await noon.fetch_all(select(ThrottleRow))
    for told in ("ada", "example", "192.0.2.1", "sign-in"):
        assert told not in repr(rows)
    other_key = replace(THROTTLE, key=b"another key of the tests")
    assert other_key.limit("sign-in", "ada@example.com").subject != ADA.subject
    assert [len(row.subject) for row in rows] == [64, 64, 64]


def limit_of(name: str, who: UUID) -> Limit:
    """Return a limit by its name, as the rules ask for it."""
    kind, _, scope = name.rpartition(" ")
    match scope:
        case "from":
            return THROTTLE.of_client(kind, str(who))[0]
        case "by":
            return THROTTLE.of_account(kind, who)
        case "anywhere":
            return THROTTLE.of_password(kind, str(who), None).lockout
        case _:
            return THROTTLE.limit(name, str(who))


def test_every_limit_counts_subjects_of_its_own() -> None:
    who = new_id()
    limits = [limit_of(name, who) for name in THROTTLE.limits]
    names = [limit.name for limit in limits]
    assert names == [limit.name for limit in THROTTLE.limits.values()]
    assert len({*names}) == len(names)
    limits += [THROTTLE.of_password(kind, str(who), None).pair for kind in ("sign-in", "proof")]
    limits += [THROTTLE.of_letters(kind, str(who), a_day=5) for kind in Kind]
    assert (
        len({limit.subject for limit in limits})
        == len(limits)
        == len(THROTTLE.limits) + 2 + len(Kind)
    )
    assert ADA.attempts == 5
    assert [limit.attempts for limit in THROTTLE.of_client("sign-in", None)] == [50]


@pytest.mark.parametrize(
    ("one", "another", "shared"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", [50, 100, 200]),
        ("2001:db8:1:2::1", "2001:DB8:1:2:0:0:0:9", [50, 100, 200]),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", [100, 200]),
        ("2001:db8:1:2::1", "2001:db8:1:ff02::1", [200]),
        ("2001:db8:1:2::1", "2001:db8:2:2::1", []),
        ("fe80::1%eth0", "fe80::2%eth1", [50, 100, 200]),
        ("192.0.2.1", "192.0.2.1", [50]),
        ("192.0.2.1", "192.0.2.2", []),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", []),
        ("::ffff:192.0.2.1", "::ffff:c000:201", [50]),
        ("::ffff:192.0.2.1", "192.0.2.1", [50]),
        ("junk", "junk", [50]),
        ("junk", "rubbish", []),
        ("junk:", "rubbish:", []),
        ("", None, [50]),
        ("junk", None, []),
        ("192.0.2.1", None, []),
    ],
)
def test_what_one_client_may_have_is_one_subject(
    one: str | None, another: str | None, shared: list[int]
) -> None:
    first, second = (THROTTLE.of_client("sign-in", address) for address in (one, another))
    assert [limit.attempts for limit in first if limit in second] == shared


@pytest.mark.parametrize(
    ("networks", "judged"),
    [
        (["192.0.2.1"], 10),
        (["2001:db8:77:1::1"], 10),
        ([f"2001:db8:77:{n:x}::1" for n in range(32)], 20),
        ([f"2001:db8:77:{n << 8:x}::1" for n in range(50)], 40),
        ([f"2001:db8:{n:x}::1" for n in range(50)], 50),
    ],
    ids=["address", "network", "home", "site", "sites"],
)
async def test_wider_network_is_granted_little_more_than_one_client(
    noon: Database, networks: list[str], judged: int
) -> None:
    refused, throttle = 0, replace(THROTTLE, client_attempts=10)
    for number in range(50):
        limits = throttle.of_client("sign-in", networks[number % len(networks)])
        try:
            await count(noon, *limits, throttle=throttle)
        except TooManyAttempts:
            refused += 1
    assert 50 - refused == judged


@pytest.mark.parametrize("kind", ["sign-in", "proof"])
@pytest.mark.parametrize(
    ("networks", "judged"),
    [
        (["192.0.2.1"], 5),
        (["2001:db8:77:1::1"], 5),
        ([f"2001:db8:77:{n:x}::1" for n in range(30)], 10),
        ([f"2001:db8:77:{n << 8:x}::1" for n in range(30)], 20),
        ([f"2001:db8:{n:x}::1" for n in range(30)], 30),
    ],
    ids=["address", "network", "home", "site", "sites"],
)
async def test_wider_network_is_granted_little_more_at_one_account(
    noon: Database, kind: str, networks: list[str], judged: int
) -> None:
    refused = 0
    for number in range(30):
        limits = THROTTLE.of_password(kind, "ada", networks[number % len(networks)])
        try:
            await count(noon, *limits.counting)
        except TooManyAttempts:
            refused += 1
    assert 30 - refused == judged
    neighbour, other = (
        THROTTLE.of_password(kind, account, networks[0].replace("::1", ":1::1"))
        for account in ("ada", "bob")
    )
    assert await wait(noon, *other.counting) is None
    assert await wait(noon, *neighbour._replace(known=True).counting) == (
        WINDOW if len(networks) == 1 else None
    )


async def test_failures_of_a_known_client_write_as_much_and_reach_no_limit_of_strangers(
    noon: Database,
) -> None:
    limits = THROTTLE.of_password("sign-in", "ada@example.com", "2001:db8:1:2::1")
    known = limits._replace(known=True)
    assert len(known.counted) == len(limits.counted) == len(limits.all)
    stand_ins = [each for each in known.counted if each not in limits.all]
    for _ in range(4):
        assert not await count(noon, *known.counted)
        assert [len(await times(noon, each)) for each in stand_ins] == [1] * len(stand_ins)
    assert await count(noon, *known.counted)  # the limit of the account and this client
    exempt = [each for each in limits.all if each not in known.counted]
    assert len(exempt) == len(stand_ins) == 3
    assert [await times(noon, each) for each in exempt] == [[]] * 3


async def test_right_password_clears_all_counts_of_the_account_and_none_of_the_client(
    noon: Database,
) -> None:
    limits = THROTTLE.of_password("sign-in", "ada@example.com", "2001:db8:1:2::1")
    await count(noon, *limits.all)
    async with noon.transaction() as db:
        await THROTTLE.clear(db, *await THROTTLE.hold_failures(db, limits))
    left = {limit.name: len(await times(noon, limit)) for limit in limits.all}
    assert left == {"sign_in_address": 0, "sign_in_client": 1, "sign_in_lockout": 0}
    assert len(limits.all) == 7


def lockout(*, mail: bool = True) -> Limit:
    """Limit the failures of Ada's in a row."""
    throttle = replace(THROTTLE, mail=mail)
    return throttle.of_password("sign-in", "ada@example.com", "192.0.2.1").lockout


async def test_hundred_failures_in_a_row_are_too_many_however_slow_they_are(
    noon: Database, set_clock: SetClock
) -> None:
    for day in range(100):
        set_clock(NOON + day * DAY)
        assert await wait(noon, lockout()) is None
        assert await count(noon, lockout()) is (day == 99)
    assert await wait(noon, lockout()) == LOCKOUT_MEMORY
    set_clock(NOON + 99 * DAY + timedelta(seconds=LOCKOUT_MEMORY - 1))
    assert await wait(noon, lockout()) == 1
    set_clock(NOON + 99 * DAY + timedelta(seconds=LOCKOUT_MEMORY))
    assert await wait(noon, lockout()) is None


async def test_without_mail_one_more_failure_is_judged_after_each_pause(
    noon: Database, set_clock: SetClock
) -> None:
    for _ in range(100):
        await count(noon, lockout(mail=False))
    for moment in (NOON, NOON + timedelta(seconds=LOCKOUT_PAUSE)):
        set_clock(moment + timedelta(seconds=LOCKOUT_PAUSE - 0.5))
        assert await wait(noon, lockout(mail=False)) == 1
        set_clock(moment + timedelta(seconds=LOCKOUT_PAUSE))
        racers = [count(noon, lockout(mail=False)) for _ in range(5)]
        told = await asyncio.gather(*racers, return_exceptions=True)
        assert sorted(map(repr, told))[-1:] == ["True"]
        assert [isinstance(each, TooManyAttempts) for each in told].count(True) == 4


async def test_clock_that_is_set_back_locks_nobody_out_for_as_long_as_it_was_ahead(
    noon: Database, set_clock: SetClock
) -> None:
    for _ in range(100):
        await count(noon, lockout(mail=False))
    set_clock(NOON - timedelta(seconds=LOCKOUT_PAUSE))
    assert await wait(noon, lockout(mail=False)) == 2 * LOCKOUT_PAUSE
    set_clock(NOON - timedelta(seconds=LOCKOUT_PAUSE + 1))
    assert await wait(noon, lockout(mail=False)) is None


async def test_count_that_came_to_nothing_is_given_back(noon: Database) -> None:
    letters = THROTTLE.of_letters("password_reset", "ada@example.com", a_day=2)
    for _ in range(3):
        await count(noon, letters)
        async with noon.transaction() as db:
            await THROTTLE.give_back(db, letters)
    assert await times(noon, letters) == []
    await fill(noon, letters)
    assert await wait(noon, letters) == 24 * 3600


async def test_count_that_is_forgotten_by_now_can_not_be_given_back(noon: Database) -> None:
    async with noon.transaction() as db:
        await THROTTLE.give_back(db, ADA)
    assert await times(noon, ADA) == []


def test_account_that_was_signed_in_to_too_often_waits_for_the_oldest_to_pass(
    set_clock: SetClock,
) -> None:
    set_clock(NOON)
    THROTTLE.check_oldest("sign-in by", None)
    with pytest.raises(TooManyAttempts) as refused:
        THROTTLE.check_oldest("sign-in by", NOON - timedelta(seconds=60))
    assert (refused.value.retry_after, refused.value.limit) == (3540, "sign_in_account")
