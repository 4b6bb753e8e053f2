"""The load: keep-alive connections that each ask again as soon as they are answered.

It runs in a process of its own, reads what to do from standard input and prints what came
of it, both as JSON. It does as little as can be: requests are bytes made beforehand, and of
an answer it reads the status and the length.
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
"""Bytes of what comes at once in which errors are looked for."""
PATIENCE: Final = 120
"""Seconds after which a load is taken to hang."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be asked, of whom, and for how long."""

    port: int
    requests: Sequence[str]
    """Whole requests, sent in turn."""
    processes: Sequence[int]
    """Whose processor's time is counted, with that of their children."""
    seconds: float = 1.5
    warming: float = WARMING
    """Seconds of asking before anything is counted."""
    connections: int = 8


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it."""

    answers: int
    seconds: float
    cpu: Sequence[float]
    """Seconds of the processor's time that each of the processes took."""
    statuses: dict[str, int]
    refused: int
    """Answers that hold errors."""

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds

    @property
    def cost(self) -> float:
        """Microseconds that the first process took for an answer."""
        return self.cpu[0] / self.answers * 1e6


@dataclass(slots=True)
class Tally:
    """What all connections share."""

    turns: Iterator[bytes]
    until: float = 0.0
    statuses: Counter[str] = field(default_factory=Counter)
    refused: int = 0


class Connection(asyncio.Protocol):
    """Asks, reads one whole answer, and asks again until time is up."""

    def __init__(self, tally: Tally, done: asyncio.Event) -> None:
        self._tally = tally
        self._done = done
        self._transport: asyncio.Transport | None = None
        self._head = b""
        self._refused = False
        self._missing = 0
        """Bytes of the body that have yet to come."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask the first question."""
        # uvloop's transports are of no class of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(next(self._tally.turns))

    def data_received(self, data: bytes) -> None:
        """Read on, and ask again once the answer is whole."""
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
        """Note that no more comes of this connection."""
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
    """Put a load on a server, from another process, and return what came of it."""
    return finish(start(task))


def start(task: Task) -> "subprocess.Popen[str]":
    """Start a load that goes on while one does something else."""
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
    """Wait for a load to end, and return what came of it."""
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
    """Connect anew if the server hangs up, as one without keep-alive does."""
    loop = asyncio.get_running_loop()
    while time.perf_counter() < tally.until:
        done = asyncio.Event()
        await loop.create_connection(lambda: Connection(tally, done), "127.0.0.1", task.port)  # noqa: B023 — called at once
        await done.wait()


def _length(head: bytes) -> int:
    """Read how long the body is (RFC 9110 section 8.6)."""
    lowered = head.lower()
    start = lowered.index(LENGTH) + len(LENGTH)
    end = lowered.find(b"\r\n", start)
    return int(lowered[start:] if end < 0 else lowered[start:end])


def main() -> None:
    """Read a task, do it, and print what came of it."""
    task = Task(**json.loads(sys.stdin.readline()))
    print(json.dumps(asdict(uvloop.run(_load(task)))))


if __name__ == "__main__":
    main()
