"""Breached passwords: look-ups in a list of stolen passwords, by k-anonymity."""

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

__all__ = ["NO_LOOKUPS", "BreachedPasswords", "Lookup"]

DEADLINE: Final = 1.0
"""Seconds for connecting, sending and reading together."""
THREADS: Final = 8
"""The most concurrent look-ups of a process; others wait for a thread within their deadline."""
MAX_ANSWER_BYTES: Final = 256 * 1024
LOG_INTERVAL: Final = 60
"""Seconds from one line in the log about a failure to the next."""
PREFIX_LENGTH: Final = 5
"""Characters of a digest that are sent: a million prefixes, each of hundreds of passwords."""
_HEADERS: Final = {"Add-Padding": "true", "User-Agent": "gql_app"}
_LINE: Final = re.compile(rb"([0-9A-F]{35}):([0-9]{1,20})")
_log: Final = get_logger(__name__)


class Lookup(StrEnum):
    """The result of looking up a password."""

    CLEAN = "clean"
    BREACHED = "breached"
    FAILED = "failed"
    """The service could not be asked, or its response was invalid."""


class InvalidResponse(Exception):
    """The service's response is not a list of suffixes and counts."""


class BreachedPasswords:
    """A range API of digests, queried by a bounded pool of threads."""

    def __init__(
        self,
        address: str | None,
        *,
        count: Callable[[Lookup], object] = lambda _: None,
        deadline: float = DEADLINE,
    ) -> None:
        """Take the http:// or https:// address above /range/, and what counts each lookup.

        Without an address no service is asked, and nothing is counted.
        """
        parts = urlsplit(address) if address else None
        self._connection: Final = _connections(parts, timeout=deadline) if parts else None
        self._path: Final = f"{parts.path.rstrip('/')}/range/" if parts else ""
        self._count: Final = count
        self._deadline: Final = deadline
        self._threads: Final = ThreadPoolExecutor(THREADS, "breached-password")
        self._logged = -float(LOG_INTERVAL)

    async def contains(self, password: str) -> bool:
        """Return whether the list has a password; False if the service fails."""
        if self._connection is None:
            return False
        digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
        try:
            found = await self._ask(Question(self._connection(), self._path, digest))
        except (OSError, HTTPException, ValueError, InvalidResponse) as error:
            self._log_failure(error)
            lookup = Lookup.FAILED
        else:
            lookup = Lookup.BREACHED if found else Lookup.CLEAN
        self._count(lookup)
        return lookup is Lookup.BREACHED

    def close(self) -> None:
        """End the threads. Queued look-ups are cancelled; running ones end by their deadline."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _ask(self, question: "Question") -> bool:
        """Return the answer to a question. Raise TimeoutError, or the error of ask().

        A thread whose question is given up finds its connection shut, and ends.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._deadline):
                return await loop.run_in_executor(self._threads, question.ask)
        finally:
            question.give_up()

    def _log_failure(self, error: Exception) -> None:
        """Log a failure, once a minute, without anything that the service sent."""
        if monotonic() < self._logged + LOG_INTERVAL or not is_configured():
            return
        self._logged = monotonic()
        why = error.strerror if isinstance(error, OSError) else None
        why = str(error) if isinstance(error, InvalidResponse) else why or type(error).__name__
        _log.warning("The service of breached passwords can't be asked", problem=why)


NO_LOOKUPS: Final = BreachedPasswords(None)
"""Contains no password, and asks no service."""


def _connections(address: SplitResult, *, timeout: float) -> Callable[[], HTTPConnection]:
    """Return a function that makes connections to an address, which are opened later."""
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
        """Kept here, because the connection drops it while it reads a response that closes it."""

    def ask(self) -> bool:
        """Return whether the digest is listed. Raise OSError, HTTPException or InvalidResponse."""
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
        """Shut the connection, now or once it is open, so that the thread waits for nothing."""
        self._given_up = True
        if self._socket:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _body(self) -> bytes:
        with self._connection.getresponse() as answer:
            if answer.status != HTTPStatus.OK:
                message = f"it answers with the status {answer.status}"
                raise InvalidResponse(message)
            body = answer.read(MAX_ANSWER_BYTES)
            if not answer.isclosed():
                message = f"its answer has no end within {MAX_ANSWER_BYTES} bytes"
                raise InvalidResponse(message)
        return body


def _has(body: bytes, suffix: bytes) -> bool:
    """Return whether a line has a suffix and a count above 0, which padding lines don't have."""
    found = False
    for line in body.upper().splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            message = "its answer has a line that is no SUFFIX:COUNT"
            raise InvalidResponse(message)
        found |= match[1] == suffix and int(match[2]) > 0
    return found
