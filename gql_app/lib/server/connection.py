"""A connection's transport: its limits, flow control, the time to take what is written, its end."""

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import inf
from time import monotonic
from typing import Final, Self

from gql_app.lib.network import Networks, canonical

MIN_BYTES_PER_SECOND: Final = 1024
"""The least pace at which a peer sends a body and takes a response."""
LINGER_BYTES: Final = 16 * 1024 * 1024
"""Bytes that a peer may still send after the last response, so that it gets to read that."""
SPARE_FILES: Final = 100
"""Open files that are left for the database, the log and the rest."""
NEVER: Final = inf
SWEEP_INTERVAL: Final = 0.1
"""Seconds between two looks at all deadlines; a timer for each one costs 7 µs a request."""
_UNSENT_BYTES: Final = 64 * 1024
"""Bytes of a response that the kernel holds beyond what is on its way."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What the operator allows the connections of one process."""

    connections: int
    connections_per_address: int
    timeout: float
    """Seconds for a request's head to arrive, for its body, and for its response to be taken."""
    header_bytes: int
    body_bytes: int
    pending_body_bytes: int
    """Bytes of all bodies that are incomplete, or whose requests wait for their turn."""
    keep_alive_timeout: float = 5
    """Seconds that a connection may be idle after a response."""
    proxies: Networks = field(default_factory=Networks)
    """Addresses whose connections are not counted by address."""
    uncounted_port: int | None = None
    """The port of those who watch the server, whose connections are not counted at all."""

    def within_open_files(self) -> Self:
        """Return them with no more connections than there are files for.

        The process's limit of open files is raised as far as that needs and the system allows;
        Windows has none.
        """
        try:
            import resource  # noqa: PLC0415 — as above
        except ImportError:
            return self
        wanted = self.connections + SPARE_FILES
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft == resource.RLIM_INFINITY:
            return self
        if soft < wanted:
            soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        return replace(self, connections=max(1, min(self.connections, soft - SPARE_FILES)))


@dataclass(slots=True)
class Usage:
    """What the connections of one process take together."""

    pending_body_bytes: int = 0
    connections: Counter[str] = field(default_factory=Counter)
    """By their clients; of those who have none there is nothing."""
    timer: asyncio.TimerHandle | None = None
    """What sweeps next; None while there are no connections."""

    def sweep(self, connections: AbstractSet["Connection"]) -> None:
        """Look at every deadline, again and again for as long as there are connections."""
        self.timer = None
        if connections:
            again = asyncio.get_running_loop().call_later
            self.timer = again(SWEEP_INTERVAL, self.sweep, connections)
        now = monotonic()
        for connection in tuple(connections):
            connection.check(now)


class Connection(asyncio.Protocol):
    """A transport whose peer takes what is written in time, and gets to read the last of it."""

    transport: asyncio.Transport
    client: tuple[str, int] | None
    server: tuple[str, int] | None

    def __init__(self, timeout: float) -> None:
        self.due_at = NEVER
        """When the peer has to have sent what is waited for."""
        self._timeout: Final = timeout
        self._taken_at = NEVER
        """When it has to have taken what is written."""
        self._unsent = self._discarded = 0
        self.writable: Final = asyncio.Event()
        """Set unless the peer has yet to take what is written."""
        self.writable.set()
        self._is_closing = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin: the kernel takes little in advance, so that the peer's pace shows here."""
        self.transport = transport
        self.client, self.server = (_address(transport, end) for end in ("peername", "sockname"))
        peer = transport.get_extra_info("socket")
        with suppress(AttributeError, OSError):  # not every system knows it, nor every family
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 — asyncio's
        """Wait for the peer no more; whoever writes finds out that it is gone."""
        self.due_at = self._taken_at = NEVER
        self.writable.set()

    @property
    def is_closing(self) -> bool:
        """Whether it is closed, or about to be."""
        return self._is_closing or self.transport.is_closing()

    def expect(self, seconds: float) -> None:
        """Give the peer so many seconds to send what is waited for."""
        self.due_at = monotonic() + seconds

    def check(self, now: float) -> None:
        """Give up what is late by now."""
        if self._taken_at <= now:
            self._taken_at = NEVER
            self._check_taken()
        if self.due_at <= now:
            self.due_at = NEVER
            self.on_late()

    def on_late(self) -> None:
        """Close what has lingered."""
        self.transport.close()

    def pause_writing(self) -> None:
        """Begin to wait for the peer, which has yet to take what is written."""
        self.writable.clear()
        self._unsent = self.transport.get_write_buffer_size()
        self._taken_at = monotonic() + self._timeout

    def resume_writing(self) -> None:
        """Let writers go on; what is left is due in time, too."""
        self.writable.set()
        self.expect_taken()

    def expect_taken(self) -> None:
        """Give the peer its time to take a whole response."""
        if self.writable.is_set():
            self._taken_at = monotonic() + self._timeout

    def close(self, linger: float = 0) -> None:
        """Close it once all is sent, and take for so many seconds what the peer still sends.

        To close it with bytes unread would reset it, and the peer might lose the response
        (RFC 9112 section 9.6).
        """
        if self.is_closing:
            return
        self._is_closing = True
        self.expect_taken()
        if linger and self._discarded <= LINGER_BYTES:
            self.transport.write_eof()
            self.transport.resume_reading()
            self.expect(linger)
        else:
            self.transport.close()

    def discard(self, size: int) -> None:
        """Count bytes that came after the last request; beyond a bound nothing more is read."""
        self._discarded += size
        if self._discarded > LINGER_BYTES:
            if self._is_closing:
                self.transport.close()
            else:
                self.transport.pause_reading()

    def _check_taken(self) -> None:
        """Cut the peer off, unless it takes a long response at no less than the least pace."""
        unsent = self.transport.get_write_buffer_size()
        enough = MIN_BYTES_PER_SECOND * self._timeout
        if not self.writable.is_set() and self._unsent - unsent >= enough:
            self._unsent = unsent
            self._taken_at = monotonic() + self._timeout
        elif unsent:  # and reset it, so that the kernel drops what it holds
            peer = self.transport.get_extra_info("socket")
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()


def _address(transport: asyncio.Transport, end: str) -> tuple[str, int] | None:
    """Return the address and port of one end; a pipe's has none, nor has a peer that is gone."""
    name = transport.get_extra_info(end)
    return (canonical(str(name[0])), int(name[1])) if isinstance(name, tuple) else None
