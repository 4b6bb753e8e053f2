"""Floods of sign-ins and of lists, on a real server: others are answered, and memory is flat."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from tests.commands import output_here
from tests.databases import copied_sqlite
from tests.processes import Server, serving, signed_in

EMAIL, PASSWORD = "ada@example.com", "a password of the flood"
THREADS, QUEUE = 2, 4
ROUNDS = 4
FLOOD = 40
"""Sign-ins at once."""
LISTS = 80
AT_ONCE = 8
MIB = 1024
A_HASH = 19 * MIB
MOST = 120 * MIB
"""What a worker takes under a load of lists, a sign-in now and then included."""
UNUSED = {"_bcrypt", "_rust"}
"""Of bcrypt and cryptography, for hashes and keys that this server has none of."""


def resident(server: Server, which: str = "VmRSS") -> int:
    """Tell the KiB of memory that a process holds, or has held at most."""
    status = Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
    [line] = [line for line in status.splitlines() if line.startswith(f"{which}:")]
    return int(line.split()[1])


def page_of_500(server: Server, token: str) -> int:
    """Read a long list, and tell how many are in it."""
    query = "{ customers(first: 500) { nodes { id name email phone isActive createdAt } } }"
    with server.client() as client:
        response = client.post(
            "/graphql", json={"query": query}, headers={"Authorization": f"Bearer {token}"}
        )
    return len(response.json()["data"]["customers"]["nodes"])


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


def test_flood_of_sign_ins_leaves_others_their_answer_and_memory_flat(
    sqlite_template: Path, tmp_path: Path
) -> None:
    stored = {"database_url": copied_sqlite(sqlite_template, tmp_path)}
    admin = ("--email", EMAIL, "--name", "Ada")
    output_here("create-admin", *admin, folder=tmp_path, admin_password=PASSWORD, **stored)
    output_here("seed", "--count", "500", folder=tmp_path, **stored)
    with (
        serving(
            folder=tmp_path,
            **stored,
            password_threads=str(THREADS),
            password_queue=str(QUEUE),
            login_client_attempts="1000000",
        ) as server,
        server.client() as client,
        ThreadPoolExecutor(FLOOD) as flood,
    ):
        token = signed_in(client, EMAIL, PASSWORD)
        with ThreadPoolExecutor(AT_ONCE) as readers:
            lists = [readers.submit(page_of_500, server, token) for _ in range(LISTS)]
            assert {each.result() for each in lists} == {500}
        assert resident(server, "VmHWM") < MOST
        held: list[int] = []
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
            held.append(resident(server))
        assert set(told) == {"INVALID_CREDENTIALS", "TOO_MANY_ATTEMPTS"}
        assert me(client, token) == EMAIL
        assert signed_in(client, EMAIL, PASSWORD)
        assert resident(server, "VmHWM") < MOST + THREADS * A_HASH
        mapped = Path(f"/proc/{server.process.pid}/maps").read_text(encoding="utf-8")
        assert [library for library in UNUSED if f"/{library}." in mapped] == []
    # Two hashes at once are 38 MiB; were all 40 of a round at work, they would be 760.
    assert max(held) - held[0] < 100 * MIB
