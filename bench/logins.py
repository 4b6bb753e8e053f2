"""Sign-in: its cost in addition to Argon2, and the effect of a flood of it on other requests."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from rich.table import Table

from bench import load
from bench.cores import first_thread
from bench.peers.passwords import HASHER
from bench.people import PASSWORD, People
from bench.questions import ME, Question, login
from bench.report import Cell
from bench.servers import KINDS, Server

TIMES: Final = 30
FLOOD: Final = 32
"""Connections that sign in repeatedly."""


@dataclass(frozen=True, slots=True)
class Signing:
    """The results of one server."""

    server: str
    beside: float
    """Microseconds of the event loop thread's CPU time per sign-in; hashing is in other threads."""
    share: float
    """Sign-ins a second, as a share of what Argon2 allows on one core."""
    under_flood: float
    """Answers to `me` a second during a flood of sign-ins, as a share of those without it."""


def measure(servers: Sequence[Server], people: People, cells: Sequence[Cell]) -> list[Signing]:
    """Return the results, by the rounds' measurements and by flooding each server."""
    argon2 = argon2_alone(people)
    found = {cell.server: cell for cell in cells if cell.question == "login" and cell.costs}
    return [
        Signing(
            name,
            beside=_beside(server, people),
            share=median(cell.rates) * argon2 / 1e6,
            under_flood=_flooded(server, people),
        )
        for server in servers
        if (cell := found.get(name := server.kind.name))
    ]


def argon2_alone(people: People) -> float:
    """Return the CPU time of one verification, in microseconds."""
    times = []
    for _ in range(TIMES):
        started = time.thread_time()
        HASHER.verify(people.password_hash, PASSWORD)
        times.append((time.thread_time() - started) * 1e6)
    return median(times)


def table(found: Sequence[Signing]) -> Table:
    """Return a table of all results."""
    columns = ("server", "CPU µs in the event loop", "share of Argon2's pace", "me under a flood")
    shown = Table(*columns, title="login")
    for each in found:
        shown.add_row(
            KINDS[each.server].title,
            f"{each.beside:,.0f}",
            f"{each.share:.0%}",
            f"{each.under_flood:.0%}",
        )
    return shown


def _beside(server: Server, people: People) -> float:
    """Return the event loop's time per sign-in; subtracting Argon2's time would be less exact."""
    before = first_thread(server.process.pid)
    signing = _task(server, people, login(people.emails, PASSWORD), seconds=3, warming=0)
    outcome = load.run(signing)
    return (first_thread(server.process.pid) - before) / outcome.answers * 1e6


def _flooded(server: Server, people: People) -> float:
    """Return the rate of `me` during a flood, as a share of the rate without it."""
    me = _task(server, people, Question("me", "/me", ME), seconds=1.5)
    alone = load.run(me)
    flooding = _task(server, people, login(people.emails, PASSWORD), seconds=4, connections=FLOOD)
    flood = load.start(flooding)
    time.sleep(1)
    beside = load.run(me)
    load.finish(flood)
    assert not alone.refused + beside.refused, "me was refused"
    return beside.rate / alone.rate


def _task(
    server: Server,
    people: People,
    question: Question,
    *,
    seconds: float,
    warming: float = load.WARMING,
    connections: int = 8,
) -> load.Task:
    requests = question.requests(server.kind.style, people.tokens)
    processes = [server.process.pid]
    return load.Task(server.port, requests, processes, seconds, warming, connections)
