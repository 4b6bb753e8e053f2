"""Passwords: Argon2id off the event loop, in turns."""

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

from gql_app.lib.hashes import formats
from gql_app.lib.text.normalization import TextTooLong, TooManyMarks
from gql_app.security.fair_queue import FairQueue, Party
from gql_app.security.password_policy import normalise

_Answer = TypeVar("_Answer")

NO_PASSWORD: Final = ""
"""What stands for a hash where there is no password: it takes as long, and never matches."""
STEP: Final = 10
"""How much nicer (sched(7)) the threads that hash are than the rest of the process."""
_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def _nobodys() -> str:
    """Make up a hash of today's form, to compare with where there is none.

    Nobody knows a password that comes to its random bytes. To hash one would take as much
    memory as a sign-in does, which no worker needs before the first.
    """
    salt, digest = (
        b64encode(secrets.token_bytes(size)).rstrip(b"=").decode()
        for size in (_HASHER.salt_len, _HASHER.hash_len)
    )
    cost = f"m={_HASHER.memory_cost},t={_HASHER.time_cost},p={_HASHER.parallelism}"
    return f"$argon2id$v={ARGON2_VERSION}${cost}${salt}${digest}"


def _step_back() -> None:
    """Let the event loop go first: it needs the cores for moments, a password for long.

    Where that is not allowed, everything works as it would without.
    """
    with suppress(OSError):
        nice = os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), nice + STEP)


class Passwords:
    """Argon2id (RFC 9106) in a bounded pool of threads.

    At most `threads` run at once, 19 MiB each, and at most `queue` wait, in turns and within the
    shares of FairQueue; whoever comes on top of these is told to come back, so that a flood of
    sign-ins costs nobody else their answer, or their sign-in.
    """

    def __init__(self, *, threads: int, queue: int) -> None:
        self._dummy = _nobodys()
        # Only on Linux has a thread a priority of its own; elsewhere the whole process would step.
        first = _step_back if sys.platform == "linux" else None
        self._pool = ThreadPoolExecutor(threads, "password", initializer=first)
        self._queue = FairQueue(places=threads, waiting=queue)

    @property
    def full(self) -> bool:
        """Whether the next password is turned away."""
        return self._queue.full

    @property
    def use(self) -> dict[str, int]:
        """How many are hashed at the moment, and how many wait."""
        return {"running": self._queue.taken, "waiting": self._queue.waiting}

    async def hash(self, password: str, party: Party) -> str:
        """Return the hash of an accepted password. Raise TooManyAttempts."""
        return await self._run(partial(_hash, password), party)

    async def verify(self, typed: str, hashed: str | None, party: Party) -> bool:
        """Return whether a password as it was typed matches a hash, and not where there is none.

        That takes as long where there is no hash, or the text can be no password. A hash from
        elsewhere takes the time that it takes. Raise TooManyAttempts.
        """
        matches = await self._run(partial(self._matches, typed, hashed or self._dummy), party)
        return matches and hashed is not None

    def outdated(self, hashed: str) -> bool:
        """Tell whether a hash was made with other parameters than today's, or elsewhere."""
        try:
            return _HASHER.check_needs_rehash(hashed)
        except InvalidHashError:
            return True

    def close(self) -> None:
        """Let the threads go; what still waits is dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _matches(self, typed: str, hashed: str) -> bool:
        """Compare; another system may have hashed what was typed as it was typed."""
        try:
            password = normalise(typed)
        except (TextTooLong, TooManyMarks):
            password, hashed = "", self._dummy
        try:
            if self.outdated(hashed):
                return formats.matches(hashed, tuple(dict.fromkeys((password, typed))))
            return _HASHER.verify(hashed, password)
        except (VerificationError, UnicodeEncodeError):
            return False

    async def _run(self, work: Callable[[], _Answer], party: Party) -> _Answer:
        async with self._queue.place(party):
            within = partial(copy_context().run, work)  # whose lines in the log it is then in
            return await asyncio.get_running_loop().run_in_executor(self._pool, within)


def _hash(password: str) -> str:
    return _HASHER.hash(normalise(password))
