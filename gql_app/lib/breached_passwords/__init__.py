"""Breached passwords: whether a list of stolen ones has a password, asked by k-anonymity."""

import asyncio
import hashlib
import re
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from enum import StrEnum
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from time import monotonic
from typing import Final
from urllib.parse import SplitResult, urlsplit

from gql_app.lib.telemetry import get_logger, is_configured

__all__ = ["NOBODY", "BreachedPasswords", "Lookup"]

DEADLINE: Final = 1.0
"""Seconds for connecting, asking and reading, all of it together."""
THREADS: Final = 8
"""Questions of one process at one time; others wait for a thread within their deadline."""
MAX_ANSWER_BYTES: Final = 256 * 1024
LOG_INTERVAL: Final = 60
"""Seconds from one line in the log about a failure to the next."""
PREFIX_LENGTH: Final = 5
"""Characters of a digest that are asked for, a million of them; each has hundreds of passwords."""
_HEADERS: Final = {"Add-Padding": "true", "User-Agent": "gql_app"}
_LINE: Final = re.compile(rb"([0-9A-F]{35}):([0-9]{1,20})")
_log: Final = get_logger(__name__)


class Lookup(StrEnum):
    """What came of looking a password up."""

    CLEAN = "clean"
    BREACHED = "breached"
    FAILED = "failed"
    """The service could not be asked, or its answer was of no use."""


class OddAnswer(Exception):
    """The service answered something that says nothing about a password."""


class BreachedPasswords:
    """A service of ranges of digests, asked in threads of a bounded number."""

    def __init__(
        self,
        address: str | None,
        *,
        count: Callable[[Lookup], object] = lambda _: None,
        deadline: float = DEADLINE,
    ) -> None:
        """Take the http:// or https:// address above /range/, and what counts each lookup.

        Without an address nobody is asked, and nothing counted.
        """
        parts = urlsplit(address) if address else None
        self._connection: Final = _connections(parts, timeout=deadline) if parts else None
        self._path: Final = f"{parts.path.rstrip('/')}/range/" if parts else ""
        self._count: Final = count
        self._deadline: Final = deadline
        self._threads: Final = ThreadPoolExecutor(THREADS, "breached-password")
        self._logged = -float(LOG_INTERVAL)

    async def hold(self, password: str) -> bool:
        """Return whether the list has a password; False where the service can't say."""
        if self._connection is None:
            return False
        digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
        try:
            found = await self._ask(Question(self._connection(), self._path, digest))
        except (OSError, HTTPException, ValueError, OddAnswer) as error:
            self._log_failure(error)
            lookup = Lookup.FAILED
        else:
            lookup = Lookup.BREACHED if found else Lookup.CLEAN
        self._count(lookup)
        return lookup is Lookup.BREACHED

    def close(self) -> None:
        """End the threads. What still waits is cancelled, and what runs ends by its deadline."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _ask(self, question: "Question") -> bool:
        """Return the answer to a question. Raise TimeoutError, or why there is none.

        A thread whose question is given up finds its connection shut, and ends.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._deadline):
                return await loop.run_in_executor(self._threads, question.ask)
        finally:
            question.give_up()

    def _log_failure(self, error: Exception) -> None:
        """Write a line once a minute, which has nothing that the service sent."""
        if monotonic() < self._logged + LOG_INTERVAL or not is_configured():
            return
        self._logged = monotonic()
        why = error.strerror if isinstance(error, OSError) else None
        why = str(error) if isinstance(error, OddAnswer) else why or type(error).__name__
        _log.warning("The service of breached passwords can't be asked", problem=why)


NOBODY: Final = BreachedPasswords(None)
"""Knows no password, and asks nobody."""


def _connections(address: SplitResult, *, timeout: float) -> Callable[[], HTTPConnection]:
    """Return what makes a connection to an address, which is opened later."""
    host, port = address.hostname or "", address.port
    if address.scheme == "http":
        return partial(HTTPConnection, host, port, timeout=timeout)
    context = ssl.create_default_context()
    return partial(HTTPSConnection, host, port, timeout=timeout, context=context)


class Question:
    """One question to the service, asked by a thread and given up by another."""

    def __init__(self, connection: HTTPConnection, path: str, digest: str) -> None:
        self._connection: Final = connection
        self._path: Final = path + digest[:PREFIX_LENGTH]
        self._suffix: Final = digest[PREFIX_LENGTH:].encode()
        self._given_up = False
        self._socket: socket.socket | None = None
        """The connection has it no longer once it reads an answer that ends with it."""

    def ask(self) -> bool:
        """Return whether the list has the digest. Raise OSError, HTTPException or OddAnswer."""
        try:
            self._connection.connect()
            self._socket = self._connection.sock
            if self._given_up:  # before there was a socket to shut
                raise TimeoutError
            self._connection.request("GET", self._path, headers=_HEADERS)
            return _has(self._body(), self._suffix)
        finally:
            self._connection.close()

    def give_up(self) -> None:
        """Shut the connection, or have it shut once it is open, so that nothing is waited for."""
        self._given_up = True
        if self._socket:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _body(self) -> bytes:
        with self._connection.getresponse() as answer:
            if answer.status != HTTPStatus.OK:
                message = f"it answers with the status {answer.status}"
                raise OddAnswer(message)
            body = answer.read(MAX_ANSWER_BYTES)
            if not answer.isclosed():
                message = f"its answer has no end within {MAX_ANSWER_BYTES} bytes"
                raise OddAnswer(message)
        return body


def _has(body: bytes, suffix: bytes) -> bool:
    """Return whether a line has a suffix and a count; lines that pad have none."""
    found = False
    for line in body.upper().splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            message = "its answer has a line that is no SUFFIX:COUNT"
            raise OddAnswer(message)
        found |= match[1] == suffix and int(match[2]) > 0
    return found
