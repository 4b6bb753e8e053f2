"""The speed of this server compared with others, by `make bench`.

Each server process has a processor core to itself; the database and the load generator share
the others. In each round every server is asked every question in turn, so that other load
on the machine slows all of them equally.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from rich.console import Console
from rich.progress import track

from bench import load, logins, stores
from bench.cores import peak_memory, pin_rest
from bench.people import PASSWORD, People
from bench.questions import REFUSALS, Question
from bench.questions import chosen as question_of
from bench.report import Cell, Report
from bench.servers import KINDS, ROOT, Kind, Server, add_beside, ask, require_equal, running
from bench.stores import Store

FLOOD: Final = "flood"
ALWAYS: Final = ("50", "500", "me", *REFUSALS, "login", FLOOD)


def main() -> None:
    """Measure by the command line's arguments."""
    chosen = _arguments()
    pin_rest()
    console = Console(width=120)
    signings = []
    with ExitStack() as stack:
        people = People.make_up()
        servers, opened = _started(stack, [KINDS[name] for name in chosen.only], people)
        questions = [
            question_of(name, people.emails, PASSWORD) for name in chosen.questions if name != FLOOD
        ]
        _check(servers, questions, people)
        report = _measure(servers, questions, people, opened, chosen)
        if FLOOD in chosen.questions:
            signings = logins.measure(servers, people, report.cells)
    report.print(console)
    if signings:
        console.print(logins.table(signings))
    print(report.markdown())


def _started(
    stack: ExitStack, kinds: Sequence[Kind], people: People
) -> tuple[list[Server], Mapping[str, Store]]:
    folder = Path(stack.enter_context(TemporaryDirectory()))
    opened = stack.enter_context(stores.opened([kind.database for kind in kinds]))
    for store in opened.values():
        stores.fill(store, people)
    servers = []
    for kind in kinds:
        store = opened[kind.database]
        if kind.root != ROOT:  # its tables may differ
            store = stores.fill_beside(store, people, kind.root)
        servers.append(stack.enter_context(running(kind, store, people, folder)))
    return servers, opened


def _arguments() -> Namespace:
    parser = ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", type=_names, default=list(KINDS), help=", ".join(KINDS))
    parser.add_argument(
        "--questions",
        type=_names,
        default=list(ALWAYS),
        help=f"any page size, {', '.join(ALWAYS)}",
    )
    parser.add_argument(
        "--beside",
        type=Path,
        help="another checkout of this program, in which make .venv/run has been called",
    )
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=1, help="of each load")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--quick", action="store_true", help="3 rounds of 0.7 seconds")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.rounds, chosen.seconds = 3, 0.7
    if chosen.beside:
        chosen.only += add_beside(chosen.beside.resolve())
    return chosen


def _names(text: str) -> list[str]:
    return text.split(",")


def _can(server: Server, question: Question) -> bool:
    return server.kind.signs_in or question.name != "login"


def _check(servers: Sequence[Server], questions: Sequence[Question], people: People) -> None:
    """Require, before any is timed, that all servers answer the same and refuse bad tokens."""
    for question in questions:
        able = [each for each in servers if _can(each, question)]
        said = {each.kind.name: ask(each, question, people.tokens) for each in able}
        if question.name in REFUSALS:
            said = {"a server that refuses": ["UNAUTHENTICATED"]} | said
        require_equal(said, question.name)


def _measure(
    servers: Sequence[Server],
    questions: Sequence[Question],
    people: People,
    opened: Mapping[str, Store],
    chosen: Namespace,
) -> Report:
    cells = {
        (server.kind.name, question.name): Cell(server.kind.name, question.name)
        for server in servers
        for question in questions
        if _can(server, question)
    }
    turns = [
        (server, question)
        for _ in range(chosen.rounds)
        for question in questions
        for server in servers
        if _can(server, question)
    ]
    for server, question in track(turns, "Measuring", transient=True):
        database = opened[server.kind.database].pid
        outcome = load.run(
            load.Task(
                server.port,
                question.requests(server.kind.style, people.tokens),
                [server.process.pid, *([database] if database else [])],
                seconds=chosen.seconds,
                connections=chosen.connections,
            )
        )
        refused = outcome.answers if question.name in REFUSALS else 0
        assert outcome.refused == refused, f"{server.kind.name}, {question.name}: {outcome}"
        cells[server.kind.name, question.name].add(outcome)
    return Report(
        list(cells.values()),
        {server.kind.name: peak_memory(server.process.pid) for server in servers},
        {server.kind.name: server.start_seconds for server in servers},
    )


if __name__ == "__main__":
    main()
