"""A connection's transport: flow control, the time to take what is written, and its end."""

import asyncio
import socket
import struct
from contextlib import suppress
from typing import Final

from gql_app.lib.network import canonical
from gql_app.lib.server.deadline import Deadline
from gql_app.lib.server.limits import LINGER_BYTES, MIN_BYTES_PER_SECOND

_UNSENT_BYTES: Final = 64 * 1024
"""Bytes of a response that the kernel holds beyond what is on its way."""


class Connection:
    """A transport whose peer takes what is written in time, and gets to read the last of it."""

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, timeout: float
    ) -> None:
        self.write: Final = transport.write
        self.is_reading = True
        self._transport = transport
        self._timeout = timeout
        self._taken = Deadline(loop, self._check_taken)
        self._linger = Deadline(loop, transport.close)
        self._unsent = self._discarded = 0
        self._writable: asyncio.Event | None = None
        """Set when the peer has taken enough; None as long as there is no need to wait."""
        self._is_closing = False
        self.client: Final = _address(transport, "peername")
        self.server: Final = _address(transport, "sockname")
        peer = transport.get_extra_info("socket")
        # The kernel takes little in advance, so that the peer's pace shows in the buffer here.
        with suppress(AttributeError, OSError):  # not every system knows it, nor every family
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)

    @property
    def is_closing(self) -> bool:
        """Whether it is closed, or about to be."""
        return self._is_closing or self._transport.is_closing()

    def pause_reading(self) -> None:
        """Read nothing until resume_reading is called."""
        if self.is_reading:
            self.is_reading = False
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        if not self.is_reading:
            self.is_reading = True
            self._transport.resume_reading()

    def pause_writing(self) -> None:
        """Begin to wait for the peer, which has yet to take what is written."""
        self._writable = asyncio.Event()
        self._unsent = self._transport.get_write_buffer_size()
        self._taken.set(self._timeout)

    def resume_writing(self) -> None:
        """Let writers go on; what is left is due in time, too."""
        self._release_writers()
        self._taken.set(self._timeout)

    async def drain(self) -> None:
        """Wait until the peer has taken enough."""
        if self._writable is not None:
            await self._writable.wait()

    def expect_taken(self) -> None:
        """Give the peer its time to take a whole response."""
        if self._writable is None:
            self._taken.set(self._timeout)

    def close(self, linger: float = 0) -> None:
        """Close it once all is sent, and take for so many seconds what the peer still sends.

        To close it with bytes unread would reset it, and the peer might lose the response
        (RFC 9112 section 9.6).
        """
        if self.is_closing:
            return
        self._is_closing = True
        if not self._taken.pending:
            self._taken.set(self._timeout)
        if linger and self._discarded <= LINGER_BYTES:
            self._transport.write_eof()
            self.resume_reading()
            self._linger.set(linger)
        else:
            self._transport.close()

    def close_within(self, seconds: float) -> None:
        """Linger no longer than so many seconds from now."""
        self._linger.set(seconds)

    def discard(self, size: int) -> None:
        """Count bytes that came after the last request; beyond a bound nothing more is read."""
        self._discarded += size
        if self._discarded > LINGER_BYTES:
            if self._is_closing:
                self._transport.close()
            else:
                self.pause_reading()

    def lost(self) -> None:
        """Wait for the peer no more; whoever writes finds out that it is gone."""
        self._taken.end()
        self._linger.end()
        self._release_writers()

    def _release_writers(self) -> None:
        if self._writable is not None:
            self._writable.set()
            self._writable = None

    def _check_taken(self) -> None:
        """Cut the peer off, unless it takes a long response at no less than the least pace."""
        unsent = self._transport.get_write_buffer_size()
        enough = MIN_BYTES_PER_SECOND * self._timeout
        if self._writable is not None and self._unsent - unsent >= enough:
            self._unsent = unsent
            self._taken.set(self._timeout)
        elif unsent:  # and reset it, so that the kernel drops what it holds
            peer = self._transport.get_extra_info("socket")
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()


def _address(transport: asyncio.Transport, which: str) -> tuple[str, int]:
    """Return the address and port of one end; an empty one where it has none."""
    name = transport.get_extra_info(which)
    return (canonical(str(name[0])), int(name[1])) if isinstance(name, tuple) else ("", 0)
