"""The growth of the time before execution with a document's size, by `make bench-limits`.

Parsing, limiting and validating each kind of hostile document, in milliseconds, best of
five. It is measured twice: with the default limits, and with limits so wide that they refuse
nothing but tokens, length and comparisons, so that validation is reached. Then come hostile
texts in variables, by code points: the milliseconds of CPU time in the event loop until the
answer.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx

from bench.hostile import KINDS, TEXTS, hostile
from bench.timing import serving
from gql_app.app import build_engine
from gql_app.lib.engine import InvalidDocument
from gql_app.settings import Settings

SIZES = (250, 500, 1000, 2000)
ROUNDS = 5
LENGTHS = (100, 1_000, 10_000, 131_072)
QUERIES = {
    "login": "mutation($text: String!) { login(email: $text, password: $text) { status } }",
    "register": (
        "mutation($text: String!) { "
        "register(input: {name: $text, email: $text, password: $text, phone: $text}) { status } }"
    ),
    "requestPasswordReset": (
        "mutation($text: String!) { requestPasswordReset(email: $text) { status } }"
    ),
}
MOST = 50
"""The most milliseconds for any document or text."""
WIDENED = (
    "max_operations",
    "max_depth",
    "max_aliases",
    "max_root_fields",
    "max_directives",
    "max_spreads",
    "max_cost",
)
WIDE = 10**9


def main() -> None:
    """Print both tables, and the worst row of all."""
    settings = Settings.model_construct()
    wide = settings.model_copy(update=dict.fromkeys(WIDENED, WIDE))
    served = _table("as served", settings)
    validated = _table("limits wide open", wide)
    variables = asyncio.run(_variables())
    worst = max(served, validated, variables)
    print(f"\nThe worst takes {worst:.1f} ms; {MOST} are granted.")


def _table(title: str, settings: Settings) -> float:
    """Print the milliseconds by size, and return the worst."""
    print(f"\n{title:28}" + "".join(f"{size:>8}" for size in SIZES))
    worst = 0.0
    for kind, make in KINDS.items():
        times = [_best(_preparing(hostile(make, size), settings)) for size in SIZES]
        print(f"{kind:28}" + "".join(f"{time:8.1f}" for time in times))
        worst = max(worst, *times)
    return worst


async def _variables() -> float:
    """Print the event loop's milliseconds for hostile texts, and return the worst."""
    print(f"\n{'texts in variables':40}" + "".join(f"{length:>8}" for length in LENGTHS))
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        async with serving(Path(folder) / "limits.db") as (client, _):
            for name, query in QUERIES.items():
                for kind, text in TEXTS.items():
                    times = [
                        await _answering(client, query, (text * length)[:length])
                        for length in LENGTHS
                    ]
                    row = "".join(f"{time:8.1f}" for time in times)
                    print(f"{f'{name}: {kind}':40}{row}")
                    worst = max(worst, *times)
    return worst


async def _answering(client: httpx.AsyncClient, query: str, text: str) -> float:
    """Return this thread's CPU time for an answer, without that of password hashing."""
    times = []
    for _ in range(ROUNDS):
        started = time.thread_time()
        await client.post("/graphql", json={"query": query, "variables": {"text": text}})
        times.append((time.thread_time() - started) * 1000)
    return min(times)


def _preparing(document: str, settings: Settings) -> Callable[[], None]:
    """Return a function that does all the work before an execution, without caches."""

    def prepare() -> None:
        validator = build_engine(settings).validator
        with suppress(InvalidDocument):
            validator.validate(document, None, {})

    return prepare


def _best(work: Callable[[], None]) -> float:
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        times.append((time.perf_counter() - started) * 1000)
    return min(times)


if __name__ == "__main__":
    main()
