"""The speed of the compiled executor compared with graphql-core's, by `make bench-execution`.

Each operation is executed by a plain schema of graphql-core and by Strawberry, with their own
executor and with the compiled one, in turns and in one event loop. Documents are parsed and
validated beforehand, and answers compared. Printed are milliseconds of CPU time, medians of the
rounds, and the median of the rounds' ratios.
"""

import asyncio
import gc
import json
import statistics
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from rich.progress import track

from bench.compiled_executor import CompiledExecutor
from bench.graphs import COLUMNS, CUSTOMERS, FINDINGS, ITEMS, Way, by_strawberry

PAGE: Final = f"query Q($n: Int!) {{ customers(first: $n) {{ {' '.join(COLUMNS)} }} }}"
INCLUDED: Final = " ".join(f"{name} @include(if: ${name})" for name in COLUMNS)
FLAGS: Final = {name: bool(number % 3) for number, name in enumerate(COLUMNS)}
SECONDS: Final = 0.15
"""The least seconds of a turn of the slower executor."""


class Operation(NamedTuple):
    """An operation to execute."""

    title: str
    query: str
    variables: Mapping[str, Any] = {}


OPERATIONS: Final[Mapping[str, Operation]] = {
    "page-50": Operation("page of 50, ten attributes", PAGE, {"n": 50}),
    "page-500": Operation("page of 500, ten attributes", PAGE, {"n": 500}),
    "loaders": Operation(
        f"{CUSTOMERS} customers, their orders and lines, by loaders",
        """query Q($n: Int!) {
          customers(first: $n) { id name orders { id total lines { title amount } } }
        }""",
        {"n": CUSTOMERS},
    ),
    "attributes": Operation(f"{ITEMS:,} objects, three attributes", "{ items { id name size } }"),
    "resolver": Operation(f"{ITEMS:,} objects, a resolver on each", "{ items { id name label } }"),
    "info": Operation(
        f"{ITEMS:,} objects, a resolver on each that asks for its info",
        "{ items { id name told } }",
    ),
    "coroutine": Operation(
        f"{ITEMS:,} objects, an async resolver on each", "{ items { id name later } }"
    ),
    "union": Operation(
        f"{FINDINGS:,} objects of a union of three types",
        """{ findings {
          __typename ... on Book { title pages } ... on Film { title minutes } ...S
        } } fragment S on Song { title artist }""",
    ),
    "include": Operation(
        "page of 500, ten `@include`",
        f"query Q($n: Int!, {', '.join(f'${name}: Boolean!' for name in COLUMNS)}) "
        f"{{ customers(first: $n) {{ {INCLUDED} }} }}",
        {"n": 500, **FLAGS},
    ),
}


@dataclass(slots=True)
class Row:
    """The times of an operation: seconds of CPU time, by round."""

    title: str
    theirs: list[float] = field(default_factory=list)
    compiled: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """The ratio of graphql-core's time to the compiled executor's."""
        rounds = zip(self.theirs, self.compiled, strict=True)
        return statistics.median(theirs / compiled for theirs, compiled in rounds)

    def markdown(self) -> str:
        """Return the row of the Markdown table."""
        theirs, compiled = (statistics.median(each) * 1000 for each in (self.theirs, self.compiled))
        return f"| {self.title} | {theirs:.2f} | {compiled:.2f} | {self.ratio:.1f} |"


def main() -> None:
    """Measure by the command line's arguments, and print the table for the docs."""
    chosen = _arguments()
    gc.collect()
    gc.freeze()  # as the server does
    rows = asyncio.run(_measure(chosen))
    print("| | its executor, ms | compiled, ms | times as fast |")
    print("|---|---|---|---|")
    for row in rows:
        print(row.markdown())


def _arguments() -> Namespace:
    parser = ArgumentParser(prog="make bench-execution", description=__doc__)
    names = ", ".join(OPERATIONS)
    parser.add_argument("--only", default=names.replace(" ", ""), help=f"some of {names}")
    parser.add_argument("--rounds", type=int, default=7)
    return parser.parse_args()


async def _measure(chosen: Namespace) -> list[Row]:
    theirs, compiled = by_strawberry(None), by_strawberry(CompiledExecutor)
    rows = []
    for name in track(chosen.only.split(","), "Measuring", transient=True):
        operation = OPERATIONS[name]
        assert await _answer(compiled, operation) == await _answer(theirs, operation), operation
        row = Row(operation.title)
        times = max(1, round(SECONDS / await _timed(theirs, operation, 1)))
        for _ in range(chosen.rounds):
            row.theirs.append(await _timed(theirs, operation, times))
            row.compiled.append(await _timed(compiled, operation, times))
        rows.append(row)
    return rows


async def _answer(way: Way, operation: Operation) -> str:
    """Return the data as JSON, so that the order of fields is compared."""
    result = await way(operation.query, dict(operation.variables))
    assert not result.errors, result.errors
    return json.dumps(result.data)


async def _timed(way: Way, operation: Operation, times: int) -> float:
    """Return the CPU time of an execution, in seconds."""
    variables = dict(operation.variables)
    started = time.process_time()
    for _ in range(times):
        await way(operation.query, variables)
    return (time.process_time() - started) / times


if __name__ == "__main__":
    main()
