"""How fast is this server beside others? `make bench` measures.

Each server is a process with a processor of its own; the database and the load share the
others. In each round every server is asked every question in turn, so that whatever else
the machine does slows all of them alike.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from rich.console import Console
from rich.progress import track

from bench import answers, load, stores
from bench.cores import peak_memory, pin_rest
from bench.people import PASSWORD, People
from bench.questions import QUESTIONS, Question, login, pages
from bench.report import Cell, Report
from bench.servers import KINDS, Server, running
from bench.stores import Store

ALWAYS: Final = ("50", "500", "me")
OUTPUT: Final = Path("build/bench.json")


def main() -> None:
    """Measure as the arguments say."""
    chosen = _arguments()
    pin_rest()
    kinds = [KINDS[name] for name in chosen.only]
    people = People.make_up()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        opened = stack.enter_context(stores.opened([kind.database for kind in kinds]))
        for store in opened.values():
            stores.fill(store, people)
        servers = [
            stack.enter_context(running(kind, opened[kind.database], people, folder))
            for kind in kinds
        ]
        questions = [_question(name, people) for name in chosen.questions]
        _check(servers, questions, people)
        report = _measure(servers, questions, people, opened, chosen)
    report.write(chosen.output)
    report.print(Console(width=120))
    if chosen.markdown:
        print(report.markdown())


def _arguments() -> Namespace:
    parser = ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", type=_names, default=list(KINDS), help=", ".join(KINDS))
    parser.add_argument(
        "--questions", type=_names, default=list(ALWAYS), help="50, 500, me, login, any page size"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each load")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--quick", action="store_true", help="3 rounds of 0.7 seconds")
    parser.add_argument("--markdown", action="store_true", help="print the table for the docs")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="where the JSON goes")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.rounds, chosen.seconds = 3, 0.7
    return chosen


def _names(text: str) -> list[str]:
    return text.split(",")


def _question(name: str, people: People) -> Question:
    if name == "login":
        return login(people.email, PASSWORD)
    return QUESTIONS.get(name) or pages(int(name))


def _can(server: Server, question: Question) -> bool:
    return server.kind.signs_in or question.name != "login"


def _check(servers: Sequence[Server], questions: Sequence[Question], people: People) -> None:
    """See that all answer alike before any is timed, and refuse what they should."""
    for question in questions:
        able = [each for each in servers if _can(each, question)]
        said = {each.kind.name: answers.asked(each, question, people.token) for each in able}
        answers.require_alike(said, question.name)
    for what, token in people.bad_tokens.items():
        said = {each.kind.name: answers.asked(each, QUESTIONS["me"], token) for each in servers}
        answers.require_alike({"expected": ["UNAUTHENTICATED"]} | said, f"a token that is {what}")


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
                [question.put(server.kind.style, people.token)],
                [server.process.pid, *([database] if database else [])],
                seconds=chosen.seconds,
                connections=chosen.connections,
            )
        )
        assert outcome.statuses == {"200": outcome.answers}, outcome.statuses
        cells[server.kind.name, question.name].add(outcome)
    return Report(
        list(cells.values()),
        {server.kind.name: peak_memory(server.process.pid) for server in servers},
        {server.kind.name: server.start_seconds for server in servers},
    )


if __name__ == "__main__":
    main()
