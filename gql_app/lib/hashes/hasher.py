"""The hasher of passwords: Argon2id off the event loop, in a fair queue."""

import asyncio
import os
import secrets
import sys
import threading
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import ARGON2_VERSION

from gql_app.lib.fair_queue import FairQueue, Party
from gql_app.lib.hashes.other_systems import matches
from gql_app.lib.password_policy import normalise_password
from gql_app.lib.text import TextTooLong, TooManyMarks

_Answer = TypeVar("_Answer")

NICENESS: Final = 10
"""The niceness (sched(7)) of the threads that hash, above that of the process."""
_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def _dummy_hash() -> str:
    """Return a random text in the form of a hash, to verify against where there is none (OWASP).

    It is not made by hashing, which would take as much memory as a sign-in.
    """
    salt, digest = (
        b64encode(secrets.token_bytes(size)).rstrip(b"=").decode()
        for size in (_HASHER.salt_len, _HASHER.hash_len)
    )
    cost = f"m={_HASHER.memory_cost},t={_HASHER.time_cost},p={_HASHER.parallelism}"
    return f"$argon2id$v={ARGON2_VERSION}${cost}${salt}${digest}"


def _lower_priority() -> None:
    """Lower the priority of this thread below that of the event loop.

    Nothing happens where the system forbids it, or where priorities are those of whole processes.
    """
    if sys.platform != "linux":
        return
    with suppress(OSError):
        nice = os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), nice + NICENESS)


class Hasher:
    """Argon2id (RFC 9106) in a bounded pool of threads.

    At most `threads` run at once, 19 MiB each, and at most `queue` wait, within the shares of
    FairQueue. The rest is refused, so that a flood of sign-ins does not starve other requests.
    """

    def __init__(self, *, threads: int, queue: int) -> None:
        self._dummy = _dummy_hash()
        self._pool = ThreadPoolExecutor(threads, "password", initializer=_lower_priority)
        self._queue = FairQueue(places=threads, waiting=queue)

    @property
    def full(self) -> bool:
        """Whether the queue is full, so that the next password is refused."""
        return self._queue.full

    @property
    def use(self) -> dict[str, int]:
        """The number of passwords that are being hashed, and that wait."""
        return {"running": self._queue.taken, "waiting": self._queue.waiting}

    async def hash(self, password: str, party: Party) -> str:
        """Return the hash of a password that was checked. Raise refusal()."""
        normal = normalise_password(password)
        return await self._run(partial(_HASHER.hash, normal), party)

    async def verify(self, typed: str, hashed: str | None, party: Party) -> bool:
        """Return whether a password as it was typed matches a hash; False where there is none.

        It takes as long without a hash, or if the text can't be a password. Only the hash of
        another system takes a different time. Raise refusal().
        """
        matches = await self._run(partial(self._matches, typed, hashed or self._dummy), party)
        return matches and hashed is not None

    def outdated(self, hashed: str) -> bool:
        """Return whether a hash was made with other parameters than now, or by another system."""
        try:
            return _HASHER.check_needs_rehash(hashed)
        except InvalidHashError:
            return True

    def refusal(self) -> Exception:
        """Return the exception for a password that finds the queue full."""
        return asyncio.QueueFull()

    def close(self) -> None:
        """Close the pool; passwords that wait are cancelled."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _matches(self, typed: str, hashed: str) -> bool:
        """Return whether they match, for another system's hash also without normalisation."""
        try:
            password = normalise_password(typed)
        except (TextTooLong, TooManyMarks):
            password, hashed = "", self._dummy
        try:
            if self.outdated(hashed):
                return matches(hashed, tuple(dict.fromkeys((password, typed))))
            return _HASHER.verify(hashed, password)
        except (VerificationError, UnicodeEncodeError):
            return False

    async def _run(self, work: Callable[[], _Answer], party: Party) -> _Answer:
        try:
            async with self._queue.place(party):
                within = partial(copy_context().run, work)  # for the request id of log lines
                return await asyncio.get_running_loop().run_in_executor(self._pool, within)
        except asyncio.QueueFull:
            raise self.refusal() from None
