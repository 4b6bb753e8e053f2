"""Does an answer's time tell whether an address is known? `make bench-timing` measures.

Known and unknown addresses take turns, on a server of its own with a fresh SQLite file.
Printed are the medians in milliseconds and their ratio, with the ratio that two halves of
the known ones have among themselves: what lies within that is noise.
"""

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from starlette.types import Receive, Scope, Send

from gql_app.accounts import customers, validation
from gql_app.accounts.audit import Origin
from gql_app.app import create_app
from gql_app.cli.database import upgrade
from gql_app.lib.fair_queue import LOCAL
from gql_app.resources import Resources
from gql_app.settings import Settings

ROUNDS = 300
PAUSE = 0.05
"""Seconds in which a letter that was asked for leaves, so that it doesn't slow the next one."""
OPERATIONS = {
    "login": 'mutation($email: String!) { login(email: $email, password: "wrong") { status } }',
    "requestPasswordReset": (
        "mutation($email: String!) { requestPasswordReset(email: $email) { status } }"
    ),
    "requestSignInLink": (
        "mutation($email: String!) { requestSignInLink(email: $email) { status } }"
    ),
}


async def main() -> None:
    """Measure each operation."""
    with tempfile.TemporaryDirectory() as folder:
        async with serving(Path(folder) / "timing.db") as (client, resources):
            await _add_known(resources)
            for name, query in OPERATIONS.items():
                _tell(name, await _measure(client, query))


@asynccontextmanager
async def serving(file: Path) -> AsyncIterator[tuple[httpx.AsyncClient, Resources]]:
    """Serve a fresh SQLite file in this process, without throttles, for bodies of any size."""
    settings = Settings(
        database_url=f"sqlite:///{file}",
        login_attempts=10**6,
        login_client_attempts=10**6,
        login_lockout_attempts=10**6,
        max_body_bytes=1 << 21,
        log_level="ERROR",
        demo=True,
        sign_in_links=True,
    )
    await asyncio.to_thread(upgrade, settings)
    app = create_app(settings)
    async with app.router.lifespan_context(app) as state:
        assert state is not None

        async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
            scope["state"] = dict(state)
            await app(scope, receive, send)

        transport = httpx.ASGITransport(with_state)
        async with httpx.AsyncClient(transport=transport, base_url="http://bench") as client:
            yield client, state["resources"]


async def _add_known(resources: Resources) -> None:
    hashed = await resources.passwords.hash("a password of the bench", LOCAL)
    async with resources.database.transaction() as db:
        for number in range(ROUNDS):
            email, password = f"known{number}@example.com", "a password of the bench"
            new = validation.check_new(name="Known", email=email, password=password)
            await customers.create(db, new, password_hash=hashed, origin=Origin())


async def _measure(client: httpx.AsyncClient, query: str) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {"known": [], "unknown": []}
    for number in range(ROUNDS):
        for kind in random.sample(sorted(times), 2):
            email = f"{kind}{number}@example.com"
            started = time.perf_counter()
            answer = await client.post(
                "/graphql", json={"query": query, "variables": {"email": email}}
            )
            times[kind].append((time.perf_counter() - started) * 1000)
            assert answer.json().keys() == {"data"}, answer.text
            await asyncio.sleep(PAUSE)
    return times


def _tell(name: str, times: dict[str, list[float]]) -> None:
    known, unknown = (statistics.median(times[kind]) for kind in ("known", "unknown"))
    first, second = (statistics.median(half) for half in _halves(times["known"]))
    print(
        f"{name}: known {known:.2f} ms, unknown {unknown:.2f} ms, "
        f"ratio {known / unknown:.3f} (noise {first / second:.3f})"
    )


def _halves(times: list[float]) -> Iterator[list[float]]:
    yield times[::2]
    yield times[1::2]


if __name__ == "__main__":
    asyncio.run(main())
