"""Passwords: a full queue is a rate limit, and no password matches none."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator

import pytest

from gql_app.errors import TooManyAttempts, UserErrorCode
from gql_app.lib.fair_queue import LOCAL
from gql_app.security.passwords import NO_PASSWORD, Passwords

PASSWORD = "a password of the tests"
Work = Callable[[Passwords], Coroutine[None, None, object]]


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    """Make room for one at work and one waiting."""
    passwords = Passwords(threads=1, queue=1)
    yield passwords
    passwords.close()


async def hash_it(passwords: Passwords) -> str:
    """Hash the password."""
    return await passwords.hash(PASSWORD, LOCAL)


async def verify_nobody(passwords: Passwords) -> bool:
    """Verify the password of an address that nobody has."""
    return await passwords.verify(PASSWORD, None, LOCAL)


@pytest.mark.parametrize("work", [hash_it, verify_nobody])
async def test_third_at_once_is_asked_to_come_back(passwords: Passwords, work: Work) -> None:
    first, second, third = await asyncio.gather(
        *(work(passwords) for _ in range(3)), return_exceptions=True
    )
    assert not isinstance(first, BaseException)
    assert not isinstance(second, BaseException)
    assert isinstance(third, TooManyAttempts)
    assert third.retry_after >= 1
    assert third.limit == "password_queue"
    assert [fault.code for fault in third.faults] == [UserErrorCode.TOO_MANY_ATTEMPTS]


async def test_no_password_is_matched_by_none(passwords: Passwords) -> None:
    for typed in ("", " ", "\0", NO_PASSWORD, "password"):
        assert await passwords.verify(typed, NO_PASSWORD, LOCAL) is False
