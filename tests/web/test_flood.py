"""Floods of lists and sign-ins, on a real server: others are answered, and memory is flat."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.commands import output_here
from tests.databases import copied_sqlite
from tests.peers import Peer, connected, post
from tests.processes import Server, serving, signed_in

pytestmark = pytest.mark.xdist_group("flood")  # they share a server
EMAIL, PASSWORD = "ada@example.com", "a password of the flood"
THREADS, QUEUE = 2, 4
ROUNDS = 4
FLOOD = 40
"""Sign-ins at once."""
PAGE = b'{"query":"{ customers(first: 500) { nodes { id name email phone createdAt } } }"}'
WAITING = 100
"""Connections that had their answer and stay open; a page would take 280 KiB of each."""
AT_ONCE = 8
MIB = 1024
A_HASH = 19 * MIB
MOST = 120 * MIB
"""What a worker takes under a load of lists, 3 MiB of it the playground's files.

Each password that is hashed comes on top.
"""


@pytest.fixture(scope="module")
def server(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve an admin and 500 customers."""
    folder = tmp_path_factory.mktemp("flood")
    stored = {"database_url": copied_sqlite(sqlite_template, folder)}
    admin = ("--email", EMAIL, "--name", "Ada")
    output_here("create-admin", *admin, folder=folder, admin_password=PASSWORD, **stored)
    output_here("seed", "--count", "500", folder=folder, **stored)
    settings = {
        "password_threads": str(THREADS),
        "password_queue": str(QUEUE),
        "login_client_attempts": "1000000",
    }
    with serving(folder=folder, **stored, **settings) as server:
        yield server


def held(server: Server, which: str = "VmRSS") -> int:
    """Return the KiB of memory that a process holds, or has held at most."""
    status = Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
    [line] = [line for line in status.splitlines() if line.startswith(f"{which}:")]
    return int(line.split()[1])


def page_of_500(peer: Peer, token: str) -> int:
    """Read a long list, and return how many are in it."""
    peer.send(post(PAGE, f"Authorization: Bearer {token}".encode()))
    return len(json.loads(peer.answer().body)["data"]["customers"]["nodes"])


def guess(server: Server, number: int) -> str:
    """Try to sign in as nobody; tell the code, and that it says when to come back."""
    query = (
        f'mutation {{ login(email: "{number}@example.com", password: "a wrong password") '
        "{ retryAfter errors { code } } }"
    )
    with server.client() as client:
        payload = client.post("/graphql", json={"query": query}).json()["data"]["login"]
    code: str = payload["errors"][0]["code"]
    assert (payload["retryAfter"] is not None) == (code == "TOO_MANY_ATTEMPTS")
    return code


def me(client: httpx.Client, token: str) -> str:
    """Ask who is signed in."""
    response = client.post(
        "/graphql",
        json={"query": "{ me { email } }"},
        headers={"Authorization": f"Bearer {token}"},
    )
    email: str = response.json()["data"]["me"]["email"]
    return email


def test_no_page_is_held_once_it_is_answered_and_a_worker_stays_small(server: Server) -> None:
    with server.client() as client:
        token = signed_in(client, EMAIL, PASSWORD)
    with ExitStack() as opened, ThreadPoolExecutor(AT_ONCE) as readers:
        peers = [opened.enter_context(connected(server)) for _ in range(AT_ONCE + WAITING)]
        sizes = list(readers.map(page_of_500, peers[:AT_ONCE], [token] * AT_ONCE))
        before = held(server)
        sizes += readers.map(page_of_500, peers[AT_ONCE:], [token] * WAITING)
        assert sizes == [500] * len(peers)
        assert held(server) - before < 64 * WAITING
    assert held(server, "VmHWM") < MOST + A_HASH


def test_flood_of_sign_ins_leaves_others_their_answer_and_memory_flat(server: Server) -> None:
    with server.client() as client, ThreadPoolExecutor(FLOOD) as flood:
        token = signed_in(client, EMAIL, PASSWORD)
        after: list[int] = []
        told: Counter[str] = Counter()
        for each in range(ROUNDS):
            guesses = [flood.submit(guess, server, each * FLOOD + n) for n in range(FLOOD)]
            answered = 0
            while not all(one.done() for one in guesses):
                assert me(client, token) == EMAIL
                answered += 1
                time.sleep(0.001)
            assert answered
            told.update(one.result() for one in guesses)
            after.append(held(server))
        assert set(told) == {"INVALID_CREDENTIALS", "TOO_MANY_ATTEMPTS"}
        assert me(client, token) == EMAIL
        assert signed_in(client, EMAIL, PASSWORD)
    # Were all 40 of a round hashed at once, they would take 760 MiB.
    assert max(after) - after[0] < (THREADS + 1) * A_HASH
    assert held(server, "VmHWM") < MOST + THREADS * A_HASH
