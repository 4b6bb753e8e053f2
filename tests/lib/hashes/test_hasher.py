"""Argon2id, off the event loop, and no more of it at once than there is room for."""

import asyncio
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator

import pytest
from argon2 import PasswordHasher, Type, extract_parameters

from gql_app.lib.fair_queue import LOCAL, Party
from gql_app.lib.hashes import Hasher
from gql_app.lib.hashes.hasher import NICENESS
from tests.processes import ROOT

PASSWORD = "a password of the tests"
PEAKS = """
import asyncio
from pathlib import Path
from gql_app.lib.fair_queue import LOCAL, Party
from gql_app.lib.hashes import Hasher

def peak():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])

started = peak()
passwords = Hasher(threads=1, queue=0)
made = peak()
asyncio.run(passwords.verify("a password", None, LOCAL))
print(made - started, peak() - made)
passwords.close()
"""
"""Prints how many KiB it takes to be ready for passwords, and then to verify nobody's."""
Work = Callable[[Hasher], Coroutine[None, None, object]]


@pytest.fixture
def passwords() -> Iterator[Hasher]:
    """Make room for one at work and one waiting."""
    passwords = Hasher(threads=1, queue=1)
    yield passwords
    passwords.close()


async def hash_it(passwords: Hasher) -> str:
    """Hash the password."""
    return await passwords.hash(PASSWORD, LOCAL)


async def verify_nobody(passwords: Hasher) -> bool:
    """Verify the password of an address that nobody has."""
    return await passwords.verify(PASSWORD, None, LOCAL)


async def test_queue_is_full_while_one_is_at_work_and_one_waits(passwords: Hasher) -> None:
    assert not passwords.full
    both = asyncio.gather(hash_it(passwords), hash_it(passwords))
    await asyncio.sleep(0)
    assert passwords.full
    await both
    assert not passwords.full


async def test_hash_is_argon2id_of_19_mib_twice_over(passwords: Hasher) -> None:
    made = extract_parameters(await passwords.hash(PASSWORD, LOCAL))
    assert made.type is Type.ID
    assert (made.memory_cost, made.time_cost, made.parallelism) == (19456, 2, 1)


async def test_right_password_matches_its_hash_and_a_wrong_one_does_not(
    passwords: Hasher,
) -> None:
    hashed = await passwords.hash(PASSWORD, LOCAL)
    assert await passwords.verify(PASSWORD, hashed, LOCAL) is True
    assert await passwords.verify(PASSWORD + " ", hashed, LOCAL) is False
    assert await passwords.verify(PASSWORD[:-1], hashed, LOCAL) is False


async def test_same_password_is_hashed_to_something_else_each_time(passwords: Hasher) -> None:
    assert await passwords.hash(PASSWORD, LOCAL) != await passwords.hash(PASSWORD, LOCAL)


async def test_long_password_is_hashed_to_its_last_character(passwords: Hasher) -> None:
    hashed = await passwords.hash("x" * 199 + "y", LOCAL)
    assert await passwords.verify("x" * 199 + "z", hashed, LOCAL) is False


async def test_nobody_s_password_is_never_right(passwords: Hasher) -> None:
    assert await passwords.verify(PASSWORD, None, LOCAL) is False
    assert await passwords.verify("", None, LOCAL) is False


@pytest.mark.parametrize("typed", ["x" * 100_000, "e" + "\u0301" * 200])
async def test_password_that_is_no_text_costs_a_hash_as_well(
    passwords: Hasher, typed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[str] = []
    verify = PasswordHasher.verify

    def noting(hasher: PasswordHasher, hashed: str, password: str) -> bool:
        verified.append(password)
        return verify(hasher, hashed, password)

    monkeypatch.setattr(PasswordHasher, "verify", noting)
    assert await passwords.verify(typed, await hash_it(passwords), LOCAL) is False
    assert verified == [""]


def test_nobody_s_password_takes_the_memory_of_a_hash_but_not_before_it_is_typed() -> None:
    told = subprocess.check_output([sys.executable, "-c", PEAKS], cwd=ROOT, encoding="utf-8")  # noqa: S603 — the code above
    ready, verified = map(int, told.split())
    assert ready < 4 * 1024
    assert 18 * 1024 < verified < 30 * 1024


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "garbage",
        "gärbage",
        "$argon2id$v=19$m=19456,t=2,p=1$",
        "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$!",
        "$2b$12$KIXQ4y7u0p8m9fQ2wq5l4uY3m9a1o2b3c4d5e6f7g8h9i0j1k2l3m",
    ],
)
async def test_stored_garbage_matches_nothing(passwords: Hasher, garbage: str) -> None:
    assert await passwords.verify(PASSWORD, garbage, LOCAL) is False


async def test_hash_of_today_is_not_outdated(passwords: Hasher) -> None:
    assert passwords.outdated(await passwords.hash(PASSWORD, LOCAL)) is False


@pytest.mark.parametrize(
    "before",
    [
        PasswordHasher(time_cost=1, memory_cost=19456, parallelism=1),
        PasswordHasher(time_cost=2, memory_cost=9728, parallelism=1),
        PasswordHasher(time_cost=2, memory_cost=19456, parallelism=2),
        PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1, type=Type.I),
        PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1, hash_len=16),
    ],
    ids=["time", "memory", "parallelism", "type", "length"],
)
async def test_hash_of_other_parameters_matches_but_is_outdated(
    passwords: Hasher, before: PasswordHasher
) -> None:
    hashed = before.hash(PASSWORD)
    assert await passwords.verify(PASSWORD, hashed, LOCAL) is True
    assert passwords.outdated(hashed) is True


@pytest.mark.parametrize("work", [hash_it, verify_nobody])
async def test_third_at_once_is_refused(passwords: Hasher, work: Work) -> None:
    first, second, third = await asyncio.gather(
        *(work(passwords) for _ in range(3)), return_exceptions=True
    )
    assert not isinstance(first, BaseException)
    assert not isinstance(second, BaseException)
    assert isinstance(third, asyncio.QueueFull)


async def test_room_is_given_back_after_work(passwords: Hasher) -> None:
    for _ in range(3):
        await asyncio.gather(hash_it(passwords), verify_nobody(passwords))


async def test_room_is_given_back_after_a_failure(passwords: Hasher) -> None:
    for _ in range(3):
        with pytest.raises(UnicodeEncodeError):
            await passwords.hash("\ud800", LOCAL)
    assert await hash_it(passwords)


async def test_room_is_given_back_after_a_cancellation(passwords: Hasher) -> None:
    for _ in range(3):
        started = asyncio.create_task(hash_it(passwords))
        await asyncio.sleep(0)
        started.cancel()
        with pytest.raises(asyncio.CancelledError):
            await started
    assert await hash_it(passwords)


@pytest.mark.parametrize("work", [hash_it, verify_nobody])
async def test_event_loop_turns_while_a_password_is_hashed(passwords: Hasher, work: Work) -> None:
    task = asyncio.create_task(work(passwords))
    await asyncio.sleep(0)
    assert not task.done()
    await task


@pytest.mark.parametrize("platform", [sys.platform, "darwin"])
async def test_event_loop_goes_before_the_threads_that_hash_where_threads_have_priorities(
    platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, mine = set(threading.enumerate()), niceness(threading.get_native_id())
    passwords = Hasher(threads=2, queue=24)
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(sys, "platform", platform)
        await asyncio.gather(*(hash_it(passwords) for _ in range(8)))
    hashing = [thread.native_id for thread in set(threading.enumerate()) - before]
    expected = min(mine + NICENESS, 19) if platform == "linux" else mine
    assert len(hashing) == 2
    assert {niceness(native_id) for native_id in hashing} == {expected}
    assert niceness(threading.get_native_id()) == mine
    passwords.close()


def niceness(native_id: int | None) -> int:
    """Return how nice a thread is, or its process where the two are one."""
    which = native_id if sys.platform == "linux" else 0
    return os.getpriority(os.PRIO_PROCESS, which or 0)


async def test_nothing_is_hashed_once_closed(passwords: Hasher) -> None:
    passwords.close()
    with pytest.raises(RuntimeError):
        await hash_it(passwords)


async def test_flood_never_has_more_at_work_or_waiting_than_there_is_room_for() -> None:
    passwords = Hasher(threads=2, queue=3)
    before = {thread.ident for thread in threading.enumerate()}
    asking = (passwords.hash(PASSWORD, Party.of(f"192.0.2.{n}")) for n in range(100))
    told = await asyncio.gather(*asking, return_exceptions=True)
    workers = [thread for thread in threading.enumerate() if thread.ident not in before]
    assert 1 <= len(workers) <= 2
    assert Counter(type(one) for one in told) == {str: 5, asyncio.QueueFull: 95}
    assert await hash_it(passwords)
    passwords.close()
