"""Timing side channels: whether an answer's time reveals a known address, by `make bench-timing`.

Known and unknown addresses take turns, on separate servers with fresh SQLite files, one for each
mode of GQL_APP_EMAIL_VERIFICATION. Printed are the medians in milliseconds and their ratio, and the
ratio between two halves of the known ones: a difference within that is noise. In `off` and `ask`,
register isn't measured, as it reports that an address is taken.
"""

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, get_args

import httpx
from starlette.types import Receive, Scope, Send

from gql_app.accounts import customers, validation
from gql_app.accounts.audit import Origin
from gql_app.accounts.mail import registrations
from gql_app.app import create_app
from gql_app.cli.database import upgrade
from gql_app.lib.fair_queue import LOCAL
from gql_app.lib.setting_types import Verification
from gql_app.resources import Resources
from gql_app.settings import Settings

ROUNDS: Final = 300
PAUSE: Final = 0.05
"""Seconds for a letter to be sent, so that it doesn't slow the next request."""
PASSWORD, WAITING = "a password of the bench", "a password that waits"
LOGIN: Final = """mutation($email: String!, $password: String!) {
  login(email: $email, password: $password) { status errors { code } }
}"""
RESET: Final = "mutation($email: String!) { requestPasswordReset(email: $email) { status } }"
LINK: Final = "mutation($email: String!) { requestSignInLink(email: $email) { status } }"
REGISTER: Final = """mutation($email: String!, $password: String!) {
  register(input: {name: "Somebody", email: $email, password: $password}) { status errors { code } }
}"""
OPERATIONS: Final = {
    "login, wrong": (LOGIN, {"password": "wrong"}),
    "login, a registration waits, wrong": (LOGIN, {"password": "wrong", "waits": "yes"}),
    "login, a registration waits, right": (LOGIN, {"password": WAITING, "waits": "yes"}),
    "requestPasswordReset": (RESET, {}),
    "requestSignInLink": (LINK, {}),
    "register": (REGISTER, {"password": PASSWORD}),
}
"""The operations on each address, and their variables; some addresses have a registration."""
OF_EVERY_MODE: Final = ("login, wrong", "requestPasswordReset", "requestSignInLink")


async def main() -> None:
    """Measure each operation in each mode."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--modes", default=",".join(get_args(Verification)))
    asked = parser.parse_args()
    for mode in asked.modes.split(","):
        with tempfile.TemporaryDirectory() as folder:
            async with serving(Path(folder) / "timing.db", mode) as (client, resources):
                await _add(resources, asked.rounds, waits=mode == "require")
                for name, (query, given) in OPERATIONS.items():
                    if mode == "require" or name in OF_EVERY_MODE:
                        times = await _measure(client, query, given, asked.rounds)
                        _tell(f"{mode}: {name}", times)


@asynccontextmanager
async def serving(
    file: Path, verification: Verification = "off"
) -> AsyncIterator[tuple[httpx.AsyncClient, Resources]]:
    """Serve a fresh SQLite file in this process, without throttles, for bodies of any size."""
    settings = Settings(
        database_url=f"sqlite:///{file}",
        login_attempts=10**6,
        login_client_attempts=10**6,
        login_lockout_attempts=10**6,
        max_body_bytes=1 << 21,
        log_level="ERROR",
        demo=True,
        email_verification=verification,
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


async def _add(resources: Resources, rounds: int, *, waits: bool) -> None:
    """Add known addresses, and if `waits`, registrations of some known and unknown ones."""
    hashed = await resources.passwords.hash(PASSWORD, LOCAL)
    waiting = await resources.passwords.hash(WAITING, LOCAL)
    async with resources.database.transaction() as db:
        for number in range(rounds):
            for prefix in ("", "waiting-"):
                known = _new(f"{prefix}known{number}@example.com")
                await customers.create(db, known, password_hash=hashed, origin=Origin())
            for kind in ("known", "unknown") if waits else ():
                new = _new(f"waiting-{kind}{number}@example.com")
                await registrations.request(
                    db, new, password_hash=waiting, data=None, origin=Origin()
                )


def _new(email: str) -> validation.NewCustomer:
    return validation.check_new(
        name="Somebody", email=email, password=PASSWORD, rules=validation.Rules()
    )


async def _measure(
    client: httpx.AsyncClient, query: str, given: dict[str, str], rounds: int
) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {"known": [], "unknown": []}
    prefix = "waiting-" if "waits" in given else ""
    variables = {name: value for name, value in given.items() if name != "waits"}
    for number in range(rounds):
        for kind in random.sample(sorted(times), 2):
            variables["email"] = f"{prefix}{kind}{number}@example.com"
            started = time.perf_counter()
            answer = await client.post("/graphql", json={"query": query, "variables": variables})
            times[kind].append((time.perf_counter() - started) * 1000)
            assert answer.json().keys() == {"data"}, answer.text
            assert "TOO_MANY_ATTEMPTS" not in answer.text, answer.text
            await asyncio.sleep(PAUSE)
    return times


def _tell(name: str, times: dict[str, list[float]]) -> None:
    known, unknown = (statistics.median(times[kind]) for kind in ("known", "unknown"))
    first, second = (statistics.median(half) for half in _halves(times["known"]))
    print(
        f"{name}: known {known:.2f} ms, unknown {unknown:.2f} ms, "
        f"ratio {known / unknown:.3f} (noise {first / second:.3f})",
        flush=True,
    )


def _halves(times: list[float]) -> Iterator[list[float]]:
    yield times[::2]
    yield times[1::2]


if __name__ == "__main__":
    asyncio.run(main())
