"""Passwords: what a good one is, and Argon2id off the event loop."""

import asyncio
import os
import secrets
import sys
import threading
import unicodedata
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from functools import cache, partial
from importlib.machinery import SourceFileLoader
from importlib.metadata import distribution
from types import ModuleType
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import ARGON2_VERSION

from gql_app.errors import Fault, TooManyAttempts, UserErrorCode
from gql_app.security import foreign

_Answer = TypeVar("_Answer")

MIN_LENGTH: Final = 10
MAX_LENGTH: Final = 200
NO_PASSWORD: Final = ""
"""What stands for a hash where there is no password: it takes as long, and never matches."""
RETRY_AFTER: Final = 1
"""Seconds after which a turned-away caller finds the queue shorter."""
STEP: Final = 10
"""How much nicer (sched(7)) the threads that hash are than the rest of the process."""
_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def normalise(password: str) -> str:
    """Bring a password to NFC, so that every keyboard types the same one."""
    return unicodedata.normalize("NFC", password)


def too_long(password: str) -> bool:
    """Tell whether a normalised password is longer than any that is ever accepted."""
    return len(password) > MAX_LENGTH


def judge(password: str, *, email: str, name: str) -> Fault | None:
    """Judge a new, normalised password as NIST SP 800-63B section 3.1.1.2 has it.

    Length and a list of common passwords decide; there are no rules of composition.
    """
    folded = password.casefold()
    if not password:
        code, message = UserErrorCode.REQUIRED, "Choose a password."
    elif len(password) < MIN_LENGTH:
        code = UserErrorCode.WEAK_PASSWORD
        message = f"Choose a password of at least {MIN_LENGTH} characters."
    elif too_long(password):
        code = UserErrorCode.TOO_LONG
        message = f"Choose a password of at most {MAX_LENGTH} characters."
    elif any(unicodedata.category(character) in {"Cc", "Cs"} for character in password):
        code = UserErrorCode.INVALID
        message = "A password cannot hold control characters."
    elif folded in {email.casefold(), name.casefold()}:
        code = UserErrorCode.WEAK_PASSWORD
        message = "Choose a password that is not your name or e-mail address."
    elif folded in _common():
        code = UserErrorCode.WEAK_PASSWORD
        message = "This password is one of the most common. Choose another."
    else:
        return None
    return Fault(code, message, "password")


@cache
def _common() -> frozenset[str]:
    """Read the list of common passwords, of which few are long enough to matter.

    Its file is run alone and let go: imported, the package would rank all of its lists, and
    keep a dozen MiB of them.
    """
    file = distribution("zxcvbn").locate_file("zxcvbn/frequency_lists.py")
    lists = ModuleType("frequency_lists")
    SourceFileLoader(lists.__name__, str(file)).exec_module(lists)
    return frozenset(
        password for password in lists.FREQUENCY_LISTS["passwords"] if len(password) >= MIN_LENGTH
    )


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

    At most `threads` run at once, 19 MiB each, and at most `queue` wait; whoever comes
    on top of these is told to come back, so that a flood of sign-ins costs nobody else
    their answer.
    """

    def __init__(self, *, threads: int, queue: int) -> None:
        self._dummy = _nobodys()
        # Only on Linux has a thread a priority of its own; elsewhere the whole process would step.
        first = _step_back if sys.platform == "linux" else None
        self._pool = ThreadPoolExecutor(threads, "password", initializer=first)
        self._threads = threads
        self._queue = queue
        self._room = threads + queue

    @property
    def full(self) -> bool:
        """Whether the next password is turned away."""
        return not self._room

    @property
    def use(self) -> dict[str, int]:
        """How many are hashed at the moment, and how many wait."""
        taken = self._threads + self._queue - self._room
        running = min(taken, self._threads)
        return {"running": running, "waiting": taken - running}

    async def hash(self, password: str) -> str:
        """Hash a normalised password. Raises TooManyAttempts."""
        return await self._run(partial(_HASHER.hash, password))

    async def verify(self, password: str, hashed: str | None) -> bool:
        """Compare a password as it was typed with a hash, or take as long where there is none.

        A hash from elsewhere takes the time that it takes. Raises TooManyAttempts.
        """
        matches = await self._run(partial(self._matches, password, hashed or self._dummy))
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
        password = normalise(typed)
        try:
            if self.outdated(hashed):
                return foreign.matches(hashed, tuple(dict.fromkeys((password, typed))))
            return _HASHER.verify(hashed, password)
        except (VerificationError, UnicodeEncodeError):
            return False

    async def _run(self, work: Callable[[], _Answer]) -> _Answer:
        if self.full:
            raise TooManyAttempts(retry_after=RETRY_AFTER, limit="passwords")
        self._room -= 1
        try:
            within = partial(copy_context().run, work)  # whose lines in the log it is then in
            return await asyncio.get_running_loop().run_in_executor(self._pool, within)
        finally:
            self._room += 1
