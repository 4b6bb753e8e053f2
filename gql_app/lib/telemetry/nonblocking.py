"""A stream that is written to without waiting for whoever reads it."""

import atexit
import os
import select
import socket
import weakref
from collections.abc import Callable
from stat import S_ISFIFO, S_ISSOCK
from typing import Final, TextIO

MAX_BACKLOG: Final = 1024 * 1024
"""Bytes that are kept for a reader that is behind; what comes on top is dropped."""
PIECE: Final = 64 * 1024
"""Bytes that are offered at once."""
LAST_WAIT: Final = 1
"""Seconds that the reader has for them when the process ends."""


class NonBlockingStream:
    """A pipe or a socket that is written what it takes at once, and the rest with what follows."""

    def __init__(
        self, descriptor: int, send: Callable[[bytes], int], note: Callable[[int], str]
    ) -> None:
        self._descriptor = descriptor
        self._send = send
        self._note = note
        self._backlog = bytearray()
        self._dropped = 0
        atexit.register(_end, weakref.ref(self))

    def write(self, text: str) -> int:
        """Write a line, or drop it if too many wait; how many is written in their place."""
        if len(self._backlog) > MAX_BACKLOG:
            self._flush()
        if len(self._backlog) > MAX_BACKLOG:
            self._dropped += 1
            return len(text)
        if self._dropped:
            self._backlog += self._note(self._dropped).encode()
            self._dropped = 0
        self._backlog += text.encode(errors="backslashreplace")
        self._flush()
        return len(text)

    def flush(self) -> None:
        """Do nothing: all is written that can be."""

    def end(self) -> None:
        """Wait a last time for the reader to take the rest."""
        while self._backlog and select.select([], [self._descriptor], [], LAST_WAIT)[1]:
            self._flush()

    def _flush(self) -> None:
        try:
            while self._backlog:
                sent = self._send(bytes(self._backlog[:PIECE]))
                del self._backlog[:sent]
        except BlockingIOError:
            return
        except OSError:  # nobody reads it any more
            self._backlog.clear()


def non_blocking(stream: TextIO, note: Callable[[int], str]) -> TextIO | NonBlockingStream:
    """Return a stream to the same pipe or socket that never waits, and any other stream as it is.

    `note` returns the line that stands for so many dropped ones.
    """
    try:
        descriptor = stream.fileno()
        mode = os.fstat(descriptor).st_mode
        if S_ISFIFO(mode):  # opened anew, for the way it is open is shared with other processes
            flags = os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC
            own = os.open(f"/proc/self/fd/{descriptor}", flags)
            sink = NonBlockingStream(own, lambda data: os.write(own, data), note)
            weakref.finalize(sink, os.close, own)
            return sink
        if S_ISSOCK(mode):
            peer = socket.socket(fileno=os.dup(descriptor))
            sink = NonBlockingStream(
                peer.fileno(), lambda data: peer.send(data, socket.MSG_DONTWAIT), note
            )
            weakref.finalize(sink, peer.close)
            return sink
    except (OSError, ValueError):  # it has no descriptor, or the system has no such way to it
        pass
    return stream


def _end(sink: weakref.ref[NonBlockingStream]) -> None:
    if found := sink():
        found.end()
