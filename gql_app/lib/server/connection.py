"""A connection's transport: limits, flow control, read and write deadlines, lingering close."""

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import inf
from operator import attrgetter
from time import monotonic
from typing import Final, Self

from gql_app.lib.network import Networks, canonical

MIN_BYTES_PER_SECOND: Final = 1024
"""The lowest rate at which a peer may send a body or read a response."""
UNREAD_BYTES: Final = 64 * 1024 * 1024
"""The most bytes of responses that all peers together may leave unread."""
LINGER_BYTES: Final = 16 * 1024 * 1024
"""The most bytes that are discarded after the last response, so that the peer can read it."""
SPARE_FILES: Final = 100
"""Open files that are reserved for the database, the log and the rest."""
NEVER: Final = inf
SWEEP_INTERVAL: Final = 0.1
"""Seconds between two checks of all deadlines; a timer for each would cost 7 µs a request."""
_UNSENT_BYTES: Final = 64 * 1024
"""Bytes of a response in the kernel's buffer beyond those in flight (TCP_NOTSENT_LOWAT)."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Limits on the connections of one process."""

    connections: int
    connections_per_address: int
    timeout: float
    """Seconds for a request's head to arrive, for its body, and for its response to be read."""
    header_bytes: int
    body_bytes: int
    pending_body_bytes: int
    """Bytes of all bodies that are incomplete, and of all requests that are queued."""
    keep_alive_timeout: float = 5
    """Seconds that a connection may be idle after a response."""
    proxies: Networks = field(default_factory=Networks)
    """Addresses whose connections are not counted by address."""
    uncounted_port: int | None = None
    """The management port, whose connections are not counted at all."""

    def within_open_files(self) -> Self:
        """Return these limits, with no more connections than the limit of open files allows.

        That limit of the process is raised first, as far as needed and as the system allows;
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
    """Resources that all connections of one process use together."""

    pending_body_bytes: int = 0
    pending_of: Counter[str | None] = field(default_factory=Counter)
    """The same by client; None is all that are not counted, and who has nothing has no entry."""
    connections: Counter[str] = field(default_factory=Counter)
    """Their number by client; a client without any has no entry."""
    timer: asyncio.TimerHandle | None = None
    """The timer of the next sweep; None while there are no connections."""

    def sweep(self, connections: AbstractSet["Connection"]) -> None:
        """Check every deadline, and schedule the next sweep while there are connections.

        Beyond UNREAD_BYTES, those connections are reset whose responses are unread for longest, but
        not the newest: one response may be larger.
        """
        self.timer = None
        if connections:
            again = asyncio.get_running_loop().call_later
            self.timer = again(SWEEP_INTERVAL, self.sweep, connections)
        now = monotonic()
        for connection in tuple(connections):
            connection.check(now)
        unread = {each: each.unread for each in connections if each.unread_since < NEVER}
        excess = sum(unread.values()) - UNREAD_BYTES
        if excess > 0:
            for each in sorted(unread, key=attrgetter("unread_since"))[:-1]:
                if excess > 0 and unread[each]:
                    excess -= unread[each]
                    each.reset()


class Connection(asyncio.Protocol):
    """A transport with read and write deadlines, and a lingering close."""

    transport: asyncio.Transport
    client: tuple[str, int] | None
    server: tuple[str, int] | None

    def __init__(self, timeout: float) -> None:
        self.due_at = NEVER
        """The deadline for the peer to send what is awaited, on the monotonic clock."""
        self._timeout: Final = timeout
        self._drain_due_at = NEVER
        """The deadline for the peer to read what is written."""
        self.unread_since = NEVER
        """The time of a response that the peer has not read yet."""
        self._unsent = self._discarded = 0
        self.writable: Final = asyncio.Event()
        """Set unless the write buffer is full."""
        self.writable.set()
        self._is_closing = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep the kernel's send buffer small, so that the peer's rate of reading shows here."""
        self.transport = transport
        self.client, self.server = (_address(transport, end) for end in ("peername", "sockname"))
        peer = transport.get_extra_info("socket")
        with suppress(AttributeError, OSError):  # not every system knows it, nor every family
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 — asyncio's
        """Clear the deadlines, and wake the writers, which find that the peer is gone."""
        self.due_at = self._drain_due_at = NEVER
        self.writable.set()

    @property
    def is_closing(self) -> bool:
        """Whether the connection is closed, or about to be."""
        return self._is_closing or self.transport.is_closing()

    @property
    def unread(self) -> int:
        """The bytes that wait in memory until the peer reads."""
        return self.transport.get_write_buffer_size()

    def expect(self, seconds: float) -> None:
        """Set the deadline for the peer to send what is awaited, in seconds from now."""
        self.due_at = monotonic() + seconds

    def check(self, now: float) -> None:
        """Act on the deadlines that have passed, and note whether all is read."""
        if self.unread_since < NEVER and not self.unread:
            self.unread_since = NEVER
        if self._drain_due_at <= now:
            self._drain_due_at = NEVER
            self._check_drain()
        if self.due_at <= now:
            self.due_at = NEVER
            self.on_timeout()

    def on_timeout(self) -> None:
        """Close the connection, whose time to linger is over."""
        self.transport.close()

    def pause_writing(self) -> None:
        """Stop the writers, and set the deadline for the peer to read what is buffered."""
        self.writable.clear()
        self._unsent = self.unread
        self.unread_since = monotonic()
        self._drain_due_at = self.unread_since + self._timeout

    def resume_writing(self) -> None:
        """Let the writers go on; the rest of the buffer has a deadline, too."""
        self.writable.set()
        self.expect_drain()

    def expect_drain(self) -> None:
        """Set the deadline for the peer to read a whole response."""
        if self.writable.is_set():
            self.unread_since = monotonic()
            self._drain_due_at = self.unread_since + self._timeout

    def close(self, linger: float = 0) -> None:
        """Close the connection once all is sent, after `linger` seconds of discarding what arrives.

        Closing with bytes unread would reset the connection, and the peer might lose the response
        (RFC 9112 section 9.6).
        """
        if self.is_closing:
            return
        self._is_closing = True
        self.expect_drain()
        if linger and self._discarded <= LINGER_BYTES:
            self.transport.write_eof()
            self.transport.resume_reading()
            self.expect(linger)
        else:
            self.transport.close()

    def discard(self, size: int) -> None:
        """Count bytes that came after the last request; beyond LINGER_BYTES, stop reading."""
        self._discarded += size
        if self._discarded > LINGER_BYTES:
            if self._is_closing:
                self.transport.close()
            else:
                self.transport.pause_reading()

    def _check_drain(self) -> None:
        """Reset the connection, unless the peer reads a long response at the lowest rate."""
        unsent = self.unread
        enough = MIN_BYTES_PER_SECOND * self._timeout
        if not self.writable.is_set() and self._unsent - unsent >= enough:
            self._unsent = unsent
            self._drain_due_at = monotonic() + self._timeout
        elif unsent:
            self.reset()

    def reset(self) -> None:
        """Reset the connection, so that the kernel drops its buffer, too."""
        peer = self.transport.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


def _address(transport: asyncio.Transport, end: str) -> tuple[str, int] | None:
    """Return the address and port of one end; None for a pipe, or a peer that is gone."""
    name = transport.get_extra_info(end)
    return (canonical(str(name[0])), int(name[1])) if isinstance(name, tuple) else None
