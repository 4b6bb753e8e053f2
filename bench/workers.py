"""The spread of connections over workers, and the gain by a second worker: `make bench-workers`.

Workers, load and database share all cores of the machine, as in a deployment on one machine.
"""

from argparse import ArgumentParser
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import sleep
from typing import Final

from rich.console import Console
from rich.table import Table

from bench import load, stores
from bench.cores import family
from bench.people import PASSWORD, People
from bench.questions import chosen
from bench.servers import KINDS, Server, running

CONNECTIONS: Final = (16, 32)
SECONDS: Final = 2.0
KIND: Final = KINDS["ours"]
_ESTABLISHED: Final = "01"


@dataclass(frozen=True, slots=True)
class Round:
    """The results of one load."""

    rate: float
    """Answers a second."""
    open: Sequence[int]
    """Open connections of each worker."""
    busy: Sequence[float]
    """Seconds of CPU time of each worker."""


def main() -> None:
    """Measure by the command line's arguments."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    people = People.make_up()
    found: dict[tuple[int, int], list[Round]] = {}
    with TemporaryDirectory() as folder, stores.opened([KIND.database]) as opened:
        store = opened[KIND.database]
        stores.fill(store, people)
        for workers in (1, 2) * rounds:
            command = [*KIND.command(0)[:-1], "{port}", "--workers", str(workers)]
            with running(KIND, store, people, Path(folder), command, pinned=False) as server:
                _await_workers(server, Path(folder), workers)
                for connections in CONNECTIONS:
                    measured = _measure(server, people, connections)
                    found.setdefault((workers, connections), []).append(measured)
    _print(found)


def _measure(server: Server, people: People, connections: int) -> Round:
    """Put a load on a server for a while, and return which worker has the connections."""
    question = chosen("me", people.emails, PASSWORD)
    requests = question.requests(KIND.style, people.tokens)
    pids = _workers(server)
    task = load.Task(server.port, requests, pids, SECONDS, connections=connections)
    loading = load.start(task)
    sleep(load.WARMING + SECONDS / 2)
    counts = [_connections(pid, server.port) for pid in pids]
    outcome = load.finish(loading)
    assert outcome.statuses.keys() == {"200"}, outcome
    return Round(outcome.rate, counts, outcome.cpu)


def _print(found: dict[tuple[int, int], list[Round]]) -> None:
    table = Table("connections", "workers", "answers/s", "of one", "open per worker", "CPU s")
    for connections in CONNECTIONS:
        one = median(each.rate for each in found[1, connections])
        for workers in (1, 2):
            rounds = found[workers, connections]
            rate = median(each.rate for each in rounds)
            opened = ", ".join("/".join(map(str, each.open)) for each in rounds)
            busy = ", ".join("/".join(f"{seconds:.2f}" for seconds in each.busy) for each in rounds)
            table.add_row(
                str(connections), str(workers), f"{rate:,.0f}", f"{rate / one:.2f}", opened, busy
            )
    Console(width=150).print(table)


def _await_workers(server: Server, folder: Path, workers: int) -> None:
    log = folder / f"{KIND.name}.log"
    while log.read_text(encoding="utf-8").count("Application startup complete") < workers:
        assert server.process.poll() is None
        sleep(0.05)


def _workers(server: Server) -> list[int]:
    """Return the ids of the worker processes: the server's children, or itself."""
    _, *others = family(server.process.pid)
    served = [pid for pid in others if b"spawn_main" in _command(pid)]
    return served or [server.process.pid]


def _command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def _connections(pid: int, port: int) -> int:
    """Return the number of a process's open connections on a port."""
    files = set()
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):  # it may be closed meanwhile
            files.add(str(each.readlink()))
    lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    rows = (line.split() for line in lines)
    return sum(
        row[3] == _ESTABLISHED and row[1].endswith(f":{port:04X}") and f"socket:[{row[9]}]" in files
        for row in rows
    )


if __name__ == "__main__":
    main()
