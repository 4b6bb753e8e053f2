"""Balance: connections that several processes accept from one socket, spread evenly over them.

Left to themselves, the process that wakes first takes all that is there: of 32 connections that
stay open, one often had 28.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Sized
from contextlib import suppress
from errno import EMFILE, ENFILE, ENOBUFS, ENOMEM
from multiprocessing import get_context
from typing import Final

PAUSE: Final = 0.002
"""Seconds for which a process leaves a new connection to others, for each that it has too many."""
LONGEST_PAUSE: Final = 0.01
"""Seconds for which it does at most: others may hang."""
RETRY_PAUSE: Final = 1
"""Seconds from when there is no file left for a connection to the next try."""
_SPARE: Final = 8
"""Places for processes beyond those at the start: each that is replaced takes one for a while."""
_NONE_LEFT: Final = frozenset({EMFILE, ENFILE, ENOBUFS, ENOMEM})


class Shares:
    """The number of open connections of each process, in memory that all of them share.

    There is no lock, which a process that is killed could hold: each writes in its own place.
    """

    def __init__(self, processes: int) -> None:
        self._places: Final = 2 * processes + _SPARE
        self._table: Final = get_context("spawn").RawArray("q", 2 * self._places)
        """Of each place the process's id, 0 if nobody has it, and its number of connections."""
        self._place: int | None = None

    def join(self) -> None:
        """Take a place for this process: a free one, or that of a process which is gone.

        Where it looks first differs from one process to the next, so that no two take the same.
        """
        first = os.getpid() % self._places
        places = [*range(first, self._places), *range(first)]
        free = (place for place in places if not _lives(self._table[2 * place]))
        self._place = next(free, None)
        if self._place is not None:
            self._table[2 * self._place : 2 * self._place + 2] = [os.getpid(), 0]

    def leave(self) -> None:
        """Leave the place."""
        if self._place is not None:
            self._table[2 * self._place] = 0
            self._place = None

    def excess(self, count: int) -> int:
        """Return how many more connections this process has than another, beyond an eighth and one.

        Where each request has a connection of its own, numbers differ by some all the time.
        """
        if self._place is None:
            return 0
        self.tell(count)
        table = self._table[:]
        least: int = min(number for pid, number in zip(table[::2], table[1::2], strict=True) if pid)
        return max(0, count - least - least // 8 - 1)

    def tell(self, count: int) -> None:
        """Publish how many connections this process has."""
        if self._place is not None:
            self._table[2 * self._place + 1] = count


class Acceptor:
    """Accepts connections of a socket one by one, and leaves them to others that have fewer."""

    def __init__(
        self,
        listener: socket.socket,
        backlog: int,
        protocol: Callable[[], asyncio.Protocol],
        shares: Shares,
        connections: Sized,
    ) -> None:
        self._listener: Final = listener
        self._protocol: Final = protocol
        self._shares: Final = shares
        self._connections: Final = connections
        self._loop: Final = asyncio.get_running_loop()
        self._opening: Final[set[asyncio.Task[object]]] = set()
        self._paused: asyncio.TimerHandle | None = None
        listener.settimeout(0)
        listener.listen(backlog)
        self._loop.add_reader(listener, self._look)

    def close(self) -> None:
        """Accept no more."""
        self._loop.remove_reader(self._listener)
        if self._paused:
            self._paused.cancel()

    async def wait_closed(self) -> None:
        """Wait for connections that were accepted and are not open yet."""
        await asyncio.gather(*self._opening, return_exceptions=True)

    def _look(self) -> None:
        if excess := self._shares.excess(len(self._connections) + len(self._opening)):
            self._pause(min(excess * PAUSE, LONGEST_PAUSE))
        else:
            self._accept()

    def _pause(self, seconds: float) -> None:
        self._loop.remove_reader(self._listener)
        self._paused = self._loop.call_later(seconds, self._resume)

    def _resume(self) -> None:
        """Accept what nobody else has."""
        self._loop.add_reader(self._listener, self._look)
        self._accept()

    def _accept(self) -> None:
        try:
            peer, _ = self._listener.accept()
        except OSError as error:  # another process had it, or the peer is gone already
            if error.errno in _NONE_LEFT:
                self._pause(RETRY_PAUSE)
            return
        peer.settimeout(0)
        opened = self._loop.connect_accepted_socket(self._protocol, peer)
        task = self._loop.create_task(opened)
        self._opening.add(task)
        task.add_done_callback(self._opened)

    def _opened(self, task: asyncio.Task[object]) -> None:
        self._opening.discard(task)
        with suppress(asyncio.CancelledError, OSError):  # the peer is gone already
            task.result()


def _lives(pid: int) -> bool:
    """Return whether there is such a process."""
    if not pid:
        return False
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
