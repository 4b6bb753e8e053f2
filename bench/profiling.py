"""A profile of a request, by `make bench-profile ARGS="--question me"`.

The server runs as in production, with a profiler, while the load sends one question.
"""

import json
import signal
import sys
import time
from argparse import ArgumentParser, Namespace
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from bench import load, questions, stores
from bench.cores import pin_rest
from bench.people import PASSWORD, People
from bench.questions import Question
from bench.servers import KINDS, Server, running


def main() -> None:
    """Profile by the command line's arguments."""
    chosen = _arguments()
    pin_rest()
    kind, people = KINDS[chosen.server], People.make_up()
    question = questions.chosen(chosen.question, people.emails, PASSWORD)
    with TemporaryDirectory() as name, stores.opened([kind.database]) as opened:
        folder, store = Path(name), opened[kind.database]
        stores.fill(store, people)
        output = folder / "profile"
        command = [sys.executable, "-m", "bench.profiled", str(output)]
        command += ["serve", "--port", "{port}"]
        with running(kind, store, people, folder) as server:
            _tell(chosen, "without a profiler", _ask(server, question, people, chosen))
        with running(kind, store, people, folder, command) as server:
            _ask(server, question, people, chosen, seconds=0.5)
            server.process.send_signal(signal.SIGUSR1)
            outcome = _ask(server, question, people, chosen)
            server.process.send_signal(signal.SIGUSR2)
            _tell(chosen, "with it", outcome)
            _await(output)
        _print_samples(output, chosen, outcome)


def _arguments() -> Namespace:
    parser = ArgumentParser(prog="make bench-profile", description=__doc__)
    parser.add_argument("--question", default="50", help="50, 500, me, login or any page size")
    ours = sorted(name for name, kind in KINDS.items() if not kind.module)
    parser.add_argument("--server", default="ours", choices=ours)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rows", type=int, default=35, help="lines of each table")
    parser.add_argument("--connections", type=int, default=8)
    return parser.parse_args()


def _ask(
    server: Server,
    question: Question,
    people: People,
    chosen: Namespace,
    seconds: float | None = None,
) -> load.Outcome:
    outcome = load.run(
        load.Task(
            server.port,
            question.requests(server.kind.style, people.tokens),
            [server.process.pid],
            seconds=chosen.seconds if seconds is None else seconds,
            connections=chosen.connections,
        )
    )
    assert not outcome.refused, outcome
    return outcome


def _tell(chosen: Namespace, how: str, outcome: load.Outcome) -> None:
    print(
        f"{chosen.server}, {chosen.question}, {how}: {outcome.cost:.0f} µs of the processor, "
        f"{outcome.rate:.0f} answers a second"
    )


def _await(file: Path) -> None:
    while not file.exists() or not file.stat().st_size:
        time.sleep(0.05)
    time.sleep(0.2)


def _print_samples(file: Path, chosen: Namespace, outcome: load.Outcome) -> None:
    """Print the event loop thread's microseconds per answer, with the profiler's overhead."""
    found = json.loads(file.read_text(encoding="utf-8"))
    total = sum(found["own"].values())
    warmed = 1 + load.WARMING / outcome.seconds
    loop = total / 1000 / (outcome.answers * warmed)
    print(f"{loop:.0f} µs of them in the event loop's thread")
    titles = {"own": "on its own lines, and in C called from there", "within": "and all it calls"}
    for key, title in titles.items():
        table = Table("µs", "%", "function", "file", title=title, title_justify="left")
        counts = sorted(found[key].items(), key=lambda item: -item[1])
        for name, count in counts[: chosen.rows]:
            function, _, where = name.partition("\t")
            share = count / total
            table.add_row(f"{share * loop:.1f}", f"{share * 100:.1f}", function, where)
        Console(width=130).print(table)


if __name__ == "__main__":
    main()
