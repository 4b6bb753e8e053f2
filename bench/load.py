"""The load generator: keep-alive connections that each send the next request after an answer.

It runs in its own process, reads a task from standard input and prints the outcome, both
as JSON. It does as little work as possible: requests are bytes made beforehand, and of an
answer it reads only the status and the length.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import cycle
from typing import Final, cast

import uvloop

from bench.cores import cpu_times, taken

HEAD_END: Final = b"\r\n\r\n"
LENGTH: Final = b"content-length:"
ERRORS: Final = b'"errors":'
WARMING: Final = 0.3
NEAR: Final = 1024
"""Bytes at the start of a chunk that are searched for errors."""
PATIENCE: Final = 120
"""Time-out of a load, in seconds."""


@dataclass(frozen=True, slots=True)
class Task:
    """The requests to send, the server's port, and the duration."""

    port: int
    requests: Sequence[str]
    """Complete requests, sent in turn."""
    processes: Sequence[int]
    """Ids of the processes whose CPU time is counted, with that of their descendants."""
    seconds: float = 1.5
    warming: float = WARMING
    """Seconds of load before anything is counted."""
    connections: int = 8


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a load."""

    answers: int
    seconds: float
    cpu: Sequence[float]
    """Seconds of CPU time of each of the processes."""
    statuses: dict[str, int]
    refused: int
    """Answers that hold errors."""

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds

    @property
    def cost(self) -> float:
        """Microseconds of the first process's CPU time per answer."""
        return self.cpu[0] / self.answers * 1e6


@dataclass(slots=True)
class Tally:
    """The counts that all connections share."""

    turns: Iterator[bytes]
    until: float = 0.0
    statuses: Counter[str] = field(default_factory=Counter)
    refused: int = 0


class Connection(asyncio.Protocol):
    """A connection that sends a request, reads the whole answer, and repeats until time is up."""

    def __init__(self, tally: Tally, done: asyncio.Event) -> None:
        self._tally = tally
        self._done = done
        self._transport: asyncio.Transport | None = None
        self._head = b""
        self._refused = False
        self._missing = 0
        """Bytes of the body that have not arrived yet."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        # uvloop's transports are of no class of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(next(self._tally.turns))

    def data_received(self, data: bytes) -> None:
        """Read on, and send the next request once the answer is complete."""
        self._refused = self._refused or ERRORS in data[:NEAR]
        if self._missing:
            self._missing -= len(data)
        else:
            self._head += data
            end = self._head.find(HEAD_END)
            if end < 0:
                return
            self._missing = _length(self._head[:end]) - (len(self._head) - end - len(HEAD_END))
        if not self._missing:
            self._next()

    def connection_lost(self, _: Exception | None) -> None:
        """Mark the connection as done."""
        self._done.set()

    def _next(self) -> None:
        assert self._transport
        self._tally.statuses[self._head[9:12].decode()] += 1
        self._tally.refused += self._refused
        self._refused = False
        closing = b"\r\nconnection: close" in self._head.lower()
        self._head = b""
        if time.perf_counter() >= self._tally.until:
            self._transport.close()
        elif not closing:
            self._transport.write(next(self._tally.turns))


def run(task: Task) -> Outcome:
    """Put a load on a server, from another process, and return its outcome."""
    return finish(start(task))


def start(task: Task) -> "subprocess.Popen[str]":
    """Start a load in the background."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.load"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    assert process.stdin
    process.stdin.write(json.dumps(asdict(task)) + "\n")
    process.stdin.flush()
    return process


def finish(process: "subprocess.Popen[str]") -> Outcome:
    """Wait for a load to end, and return its outcome."""
    printed, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, printed
    return Outcome(**json.loads(printed))


async def _load(task: Task) -> Outcome:
    tally = Tally(cycle([request.encode("latin-1") for request in task.requests]))
    await _ask(task, tally, task.warming)
    tally.statuses.clear()
    tally.refused = 0
    before = [cpu_times(pid) for pid in task.processes]
    started = time.perf_counter()
    await _ask(task, tally, task.seconds)
    seconds = time.perf_counter() - started
    after = [cpu_times(pid) for pid in task.processes]
    return Outcome(
        answers=tally.statuses.total(),
        seconds=seconds,
        cpu=[taken(*each) for each in zip(before, after, strict=True)],
        statuses=dict(tally.statuses),
        refused=tally.refused,
    )


async def _ask(task: Task, tally: Tally, seconds: float) -> None:
    """Keep every connection busy for some seconds, and wait for the last answers."""
    tally.until = time.perf_counter() + seconds
    await asyncio.gather(*(_keep_asking(task, tally) for _ in range(task.connections)))


async def _keep_asking(task: Task, tally: Tally) -> None:
    """Reconnect whenever the server closes the connection, as one without keep-alive does."""
    loop = asyncio.get_running_loop()
    while time.perf_counter() < tally.until:
        done = asyncio.Event()
        await loop.create_connection(lambda: Connection(tally, done), "127.0.0.1", task.port)  # noqa: B023 — called at once
        await done.wait()


def _length(head: bytes) -> int:
    """Return the Content-Length (RFC 9110 section 8.6)."""
    lowered = head.lower()
    start = lowered.index(LENGTH) + len(LENGTH)
    end = lowered.find(b"\r\n", start)
    return int(lowered[start:] if end < 0 else lowered[start:end])


def main() -> None:
    """Read a task, run it, and print its outcome."""
    task = Task(**json.loads(sys.stdin.readline()))
    print(json.dumps(asdict(uvloop.run(_load(task)))))


if __name__ == "__main__":
    main()
