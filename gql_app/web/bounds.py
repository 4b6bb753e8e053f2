"""How much of the server one peer may take."""

import resource
import socket
import struct
from asyncio import AbstractEventLoop, BaseTransport, TimerHandle, WriteTransport
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Final, Self

from gql_app.lib.network.addresses import Networks
from gql_app.settings import Settings

MAX_HEADERS: Final = 100
MAX_WAITING: Final = 100
"""Requests of one connection that may wait for the answers before theirs."""
LAST_CALL: Final = 3
"""Seconds that a request may go on arriving once the server has been told to stop."""
LAST_CHANCE: Final = 1
"""Seconds that an idle connection stays open then, for what its peer may have sent already."""
TICK: Final = 0.001
"""Seconds by which a loop's timer may ring too early."""
SPARE_FILES: Final = 100
"""Files that are left for the database, the log and whatever else is open."""
PACE: Final = 1024
"""Bytes a second that a peer takes of an answer, and sends of a body, at the least."""
UNSENT_BYTES: Final = 64 * 1024
"""Bytes of an answer that the kernel holds beyond what is on its way."""
PAUSE: Final = 10
"""Seconds over which the pace of a body is measured, and as many may pass before it."""
DRAINED_BYTES: Final = 16 * 1024 * 1024
"""Bytes that a peer may still send after the last answer, so that it gets to read that."""
DRAINED_SECONDS: Final = 5
"""Seconds that it may go on for."""
MAX_REFUSED: Final = 32
"""Connections beyond a limit that are drained at once; any more are closed as they are."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the operator has decided of it."""

    connections: int
    seconds: int
    """For a request's head to arrive, for its body, and for its answer to be taken."""
    head_bytes: int
    body_bytes: int
    pending_body_bytes: int
    """Of all bodies that are not whole yet, or wait for their turn."""
    connections_per_address: int
    proxies: Networks = field(default_factory=Networks)
    """Whose connections are not counted by address."""
    management_port: int | None = None
    """The port of those who watch, whose connections are not counted."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Take them from the settings, and connections no more than there are files for."""
        files = _raise_files(settings.max_connections + SPARE_FILES)
        return cls(
            connections=max(1, min(settings.max_connections, files - SPARE_FILES)),
            seconds=settings.receive_timeout,
            head_bytes=settings.max_header_bytes,
            body_bytes=settings.max_body_bytes,
            pending_body_bytes=max(settings.max_pending_body_bytes, settings.max_body_bytes),
            connections_per_address=settings.max_connections_per_address,
            proxies=Networks.of(settings.trusted_proxies),
            management_port=settings.management_port,
        )


class Usage:
    """What the connections of one process take together."""

    def __init__(self) -> None:
        self.pending_body_bytes = 0
        self._connections: Counter[str] = Counter()

    def connect(self, client: str) -> int:
        """Count a connection, and return how many the client has."""
        self._connections[client] += 1
        return self._connections[client]

    def disconnect(self, client: str) -> None:
        """Count a connection no more."""
        self._connections[client] -= 1
        if not self._connections[client]:
            del self._connections[client]


class Deadline:
    """A moment by which something is due; a new one takes the place of the last.

    Most of them never come, and are only written down: one timer runs, and when it rings it is
    put off to the moment that is due by then, if there is one.
    """

    def __init__(self, loop: AbstractEventLoop, late: Callable[[], None]) -> None:
        self._loop = loop
        self._late = late
        self.pending = False
        """Whether anything is due."""
        self._moment = 0.0
        self._rings = 0.0
        self._timer: TimerHandle | None = None

    def set(self, seconds: float) -> None:
        """Have it due in so many seconds from now."""
        self.pending = True
        self._moment = monotonic() + seconds
        if self._timer is None or self._moment < self._rings:
            self._arm(seconds)

    def clear(self) -> None:
        """Have nothing due."""
        self.pending = False

    def end(self) -> None:
        """Have nothing due, and be held by no timer either."""
        self.pending = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings = self._moment
        self._timer = self._loop.call_later(seconds, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if not self.pending:
            return
        left = self._moment - monotonic()
        if left > TICK:
            self._arm(left)
        else:
            self.pending = False
            self._late()


def keep_unsent(transport: BaseTransport) -> None:
    """Have the kernel take little of an answer before the peer does, so that its pace shows."""
    peer = transport.get_extra_info("socket")
    with suppress(AttributeError, OSError):  # not every system knows it, nor every family
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)


def cut_off(transport: WriteTransport) -> None:
    """Cut off a peer that has not taken its last answer, and drop what the kernel holds."""
    if transport.get_write_buffer_size():
        peer = transport.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()


def _raise_files(wanted: int) -> int:
    """Have the system let the process open more files, and tell how many it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft
