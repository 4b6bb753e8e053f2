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
        self.pause_reading: Final = transport.pause_reading
        self.resume_reading: Final = transport.resume_reading
        self.linger: Final = Deadline(loop, transport.close)
        self._transport = transport
        self._timeout = timeout
        self._taken = Deadline(loop, self._check_taken)
        self._unsent = self._discarded = 0
        self._writable: Final = asyncio.Event()
        """Set unless the peer has yet to take what is written."""
        self._writable.set()
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

    @property
    def is_reading(self) -> bool:
        """Whether what the peer sends is read."""
        return self._transport.is_reading()

    def pause_writing(self) -> None:
        """Begin to wait for the peer, which has yet to take what is written."""
        self._writable.clear()
        self._unsent = self._transport.get_write_buffer_size()
        self._taken.set(self._timeout)

    def resume_writing(self) -> None:
        """Let writers go on; what is left is due in time, too."""
        self._writable.set()
        self._taken.set(self._timeout)

    async def drain(self) -> None:
        """Wait until the peer has taken enough."""
        await self._writable.wait()

    def expect_taken(self) -> None:
        """Give the peer its time to take a whole response."""
        if self._writable.is_set():
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
            self.linger.set(linger)
        else:
            self._transport.close()

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
        self.linger.end()
        self._writable.set()

    def _check_taken(self) -> None:
        """Cut the peer off, unless it takes a long response at no less than the least pace."""
        unsent = self._transport.get_write_buffer_size()
        enough = MIN_BYTES_PER_SECOND * self._timeout
        if not self._writable.is_set() and self._unsent - unsent >= enough:
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
