"""Listening, and ceasing to: who has connected by then is still let in.

Whom the kernel has let in, but nobody accepted, would be cut off with the request that they
have sent. So newcomers are kept out first, and only then is nobody accepted any more.
"""

import asyncio
import ctypes
import os
import socket
import struct
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import parent_process
from typing import Any, Final, Protocol, cast

if sys.platform == "win32":
    from asyncio import SelectorEventLoop as _Loop
else:
    from uvloop import Loop as _Loop

OWN_END: Final = 0.25
"""Seconds for who is just connecting; they find a socket of our own closed after that."""
SHARED_END: Final = 1
"""Seconds after which a worker accepts nobody: by then its parent keeps newcomers out."""
_NO_NEWCOMERS: Final = (
    (0x30, 0, 0, 13),  # load the flags of the TCP header
    (0x45, 0, 1, 0x02),  # is SYN among them?
    (0x06, 0, 0, 0),  # then drop it
    (0x06, 0, 0, 0xFFFF),  # or else take it
)
"""A filter (bpf(4)): code, jump if true, jump if false, operand."""
_SO_ATTACH_FILTER: Final = 26


class Stoppable(Protocol):
    """A connection that can be told that the server stops."""

    def shutdown(self) -> None:
        """Finish soon."""


def keep_newcomers_out(listener: socket.socket) -> None:
    """Have the kernel drop what newcomers send first; it is sent again, to whoever listens then.

    Where there are no such filters, as outside Linux, some may be cut off in the end.
    """
    program = ctypes.create_string_buffer(
        b"".join(struct.pack("HBBI", *one) for one in _NO_NEWCOMERS)
    )
    attached = struct.pack("@HP", len(_NO_NEWCOMERS), ctypes.addressof(program))
    with suppress(OSError):  # a sandbox may know of none either
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, attached)


class Listener:
    """A server that goes on accepting for a moment after it was told not to."""

    def __init__(self, factory: Callable[[], Stoppable], *, own: bool) -> None:
        self._factory = factory
        self._own = own
        self._stopping = False
        self._closed = asyncio.Event()
        self.server: asyncio.Server

    @property
    def sockets(self) -> Sequence[socket.socket]:
        """What it listens on."""
        return self.server.sockets

    def connect(self) -> Stoppable:
        """Make the connection of who is accepted; the last ones know that they are."""
        connection = self._factory()
        if self._stopping:
            connection.shutdown()
        return connection

    def close(self) -> None:
        """Accept nobody soon; newcomers to a socket that is shared are not ours to keep out."""
        self._stopping = True
        if self._own:
            for listener in self.sockets:
                with socket.socket(fileno=os.dup(listener.fileno())) as ours:
                    keep_newcomers_out(ours)
        self.server.get_loop().call_later(OWN_END if self._own else SHARED_END, self._end)

    async def wait_closed(self) -> None:
        """Wait until nobody is accepted any more."""
        await self._closed.wait()

    def _end(self) -> None:
        self.server.close()
        self._closed.set()


class Loop(_Loop):
    """The event loop, whose servers cease to listen without cutting anybody off."""

    async def create_server(  # type: ignore[override]  # as uvicorn calls it, and nobody else
        self,
        factory: Callable[[], Stoppable],
        *where: Any,  # noqa: ANN401 — the loop's own
        **how: Any,  # noqa: ANN401 — the loop's own
    ) -> Listener:
        """Listen."""
        listener = Listener(factory, own=parent_process() is None)
        # A connection that can be stopped is a protocol, which the loop calls for.
        connect = cast("Callable[[], asyncio.Protocol]", listener.connect)
        opened = await super().create_server(connect, *where, **how)
        listener.server = cast("asyncio.Server", opened)
        return listener
