"""The size from which compression pays, and its cost, by `make bench-compression`.

Pages of customers and the schema are requested, on SQLite and in one process, by a client that
accepts gzip and one that doesn't, in turns. Printed are the bytes of an answer, plain and in gzip,
the CPU time of its compression by isal, which the server uses, and by zlib, and the ratio of the
requests' times.
"""

import asyncio
import gc
import json
import statistics
import time
import zlib
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from graphql import get_introspection_query
from isal import isal_zlib
from rich.progress import track
from starlette.types import ASGIApp, Message

from bench import stores
from bench.people import DAY, People
from bench.questions import ME, PAGE
from bench.stores import Store
from gql_app.app import create_app
from gql_app.settings import Settings

SIZES: Final = (1, 2, 5, 10, 20, 50, 100, 500)
QUESTIONS: Final[Mapping[str, tuple[str, Mapping[str, object]]]] = {
    "me": (ME, {}),
    **{f"page of {size}": (PAGE, {"first": size}) for size in SIZES},
    "the schema": (get_introspection_query(), {}),
}
GZIP: Final = 31
"""zlib's wbits for the largest window and a gzip header."""
CODINGS: Final = (b"identity", b"gzip, deflate, br, zstd")
SECONDS: Final = 0.1
"""The least seconds of a turn."""


class Client:
    """A client of the application in the same process."""

    def __init__(self, app: ASGIApp, state: Mapping[str, Any], token: str) -> None:
        self._app, self._state, self._token = app, state, token

    async def ask(
        self, query: str, variables: Mapping[str, object], *, coding: bytes
    ) -> Sequence[Message]:
        """Return an answer in this content coding, if the server applies it."""
        body, sent = json.dumps({"query": query, "variables": variables}).encode(), list[Message]()
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": "/graphql",
            "query_string": b"",
            "headers": [
                (b"host", b"127.0.0.1"),
                (b"user-agent", b"bench"),
                (b"accept", b"application/json"),
                (b"accept-encoding", coding),
                (b"authorization", b"Bearer " + self._token.encode()),
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
            ],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8000),
            "state": dict(self._state),
        }

        async def receive() -> Message:
            return {"type": "http.request", "body": body}

        async def send(message: Message) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        return sent


def main() -> None:
    """Measure by the command line's arguments."""
    chosen, people = _arguments(), People.make_up(1_000)
    with stores.opened([stores.SQLITE]) as opened:
        store = opened[stores.SQLITE]
        stores.fill(store, people)
        asyncio.run(_measure(store, people, chosen.rounds))


def _arguments() -> Namespace:
    parser = ArgumentParser(prog="make bench-compression", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    return parser.parse_args()


async def _measure(store: Store, people: People, rounds: int) -> None:
    token = people.tokens["good"]
    assert token
    settings = Settings(
        database_url=store.url,
        secret_key=people.secret,
        access_token_ttl=DAY,
        log_level="WARNING",
    )
    app = create_app(settings)
    async with app.router.lifespan_context(app) as state:
        assert state
        client = Client(app, state, token)
        print("| | bytes | in gzip | isal, µs | zlib 1, µs | zlib 6, µs | request, times |")
        print("|---|---|---|---|---|---|---|")
        for title, question in track(QUESTIONS.items(), "Measuring", transient=True):
            print(await _row(title, question, client, rounds))


async def _row(
    title: str, question: tuple[str, Mapping[str, object]], client: Client, rounds: int
) -> str:
    plain, packed = [(await client.ask(*question, coding=each))[1]["body"] for each in CODINGS]
    assert plain == packed or plain == zlib.decompress(packed, GZIP), plain[:300]
    assert plain.startswith(b'{"data":'), plain[:300]
    times = [
        _cost(lambda: isal_zlib.compress(plain, 2, GZIP), rounds),
        _cost(lambda: zlib.compress(plain, 1, GZIP), rounds),
        _cost(lambda: zlib.compress(plain, 6, GZIP), rounds),
    ]
    costs = [[await _request(client, question, each) for each in CODINGS] for _ in range(rounds)]
    longer = statistics.median(on / off for off, on in costs)
    size = len(isal_zlib.compress(plain, 2, GZIP))
    microseconds = " | ".join(f"{each * 1e6:,.0f}" for each in times)
    return (
        f"| {title} | {len(plain):,} | {size:,} ({size / len(plain):.0%}) "
        f"| {microseconds} | {longer:.2f} |"
    )


def _cost(work: Callable[[], object], rounds: int) -> float:
    """Return the least CPU time of some rounds, in seconds."""
    found = []
    for _ in range(rounds):
        count, started = 0, time.process_time()
        while (spent := time.process_time() - started) < SECONDS / 5:
            work()
            count += 1
        found.append(spent / count)
    return min(found)


async def _request(
    client: Client, question: tuple[str, Mapping[str, object]], coding: bytes
) -> float:
    gc.collect()
    count, started = 0, time.process_time()
    while (spent := time.process_time() - started) < SECONDS:
        await client.ask(*question, coding=coding)
        count += 1
    return spent / count


if __name__ == "__main__":
    main()
