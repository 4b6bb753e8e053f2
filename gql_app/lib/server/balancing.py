"""Load balancing: several processes accept from one socket, each an even share of connections.

Without it, the process that wakes first accepts all that are pending: of 32 connections that
stay open, one process often had 28.
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
"""Seconds that a process leaves new connections to others, for each that it has too many."""
LONGEST_PAUSE: Final = 0.01
"""The most seconds of one pause, because the other processes may hang."""
RETRY_PAUSE: Final = 1
"""Seconds until the next try to accept, after files or memory for it ran out."""
_SPARE: Final = 8
"""Spare slots: while a process is replaced, both it and its successor may hold one."""
_NONE_LEFT: Final = frozenset({EMFILE, ENFILE, ENOBUFS, ENOMEM})


class Shares:
    """The number of open connections of each process, in shared memory.

    There is no lock, which a killed process could leave held: each writes to its own slot alone.
    """

    def __init__(self, processes: int) -> None:
        self._slots: Final = 2 * processes + _SPARE
        self._table: Final = get_context("spawn").RawArray("q", 2 * self._slots)
        """For each slot, the process's id, 0 if it is free, and its number of connections."""
        self._slot: int | None = None

    def join(self) -> None:
        """Take a slot for this process: a free one, or that of a process that is gone.

        The search begins at a slot that depends on the process's id, so that no two take the same.
        """
        first = os.getpid() % self._slots
        slots = [*range(first, self._slots), *range(first)]
        free = (slot for slot in slots if not _is_running(self._table[2 * slot]))
        self._slot = next(free, None)
        if self._slot is not None:
            self._table[2 * self._slot : 2 * self._slot + 2] = [os.getpid(), 0]

    def leave(self) -> None:
        """Free the slot."""
        if self._slot is not None:
            self._table[2 * self._slot] = 0
            self._slot = None

    def excess(self, count: int) -> int:
        """Return by how many connections this process exceeds the least loaded and a tolerance.

        That is an eighth and one: where every request opens a connection, numbers always differ.
        """
        if self._slot is None:
            return 0
        self.publish(count)
        table = self._table[:]
        least: int = min(number for pid, number in zip(table[::2], table[1::2], strict=True) if pid)
        return max(0, count - least - least // 8 - 1)

    def publish(self, count: int) -> None:
        """Publish how many connections this process has."""
        if self._slot is not None:
            self._table[2 * self._slot + 1] = count


class Acceptor:
    """Accepts a socket's connections one by one, and pauses while another process has fewer."""

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
        self._loop.add_reader(listener, self._on_readable)

    def close(self) -> None:
        """Stop accepting connections."""
        self._loop.remove_reader(self._listener)
        if self._paused:
            self._paused.cancel()

    async def wait_closed(self) -> None:
        """Wait until each accepted connection is open."""
        await asyncio.gather(*self._opening, return_exceptions=True)

    def _on_readable(self) -> None:
        if excess := self._shares.excess(len(self._connections) + len(self._opening)):
            self._pause(min(excess * PAUSE, LONGEST_PAUSE))
        else:
            self._accept()

    def _pause(self, seconds: float) -> None:
        self._loop.remove_reader(self._listener)
        self._paused = self._loop.call_later(seconds, self._resume)

    def _resume(self) -> None:
        """Accept a connection that no other process has accepted meanwhile."""
        self._loop.add_reader(self._listener, self._on_readable)
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


def _is_running(pid: int) -> bool:
    """Return whether a process with this id exists."""
    if not pid:
        return False
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
