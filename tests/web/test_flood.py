"""A flood of sign-ins, on a real server: others are answered, and memory stays flat."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from tests.processes import Server, serving, sign_ins, signed_in

THREADS, QUEUE = 2, 4
ROUNDS = 4
FLOOD = 40
"""Sign-ins at once."""
MIB = 1024


def resident(server: Server) -> int:
    """Tell the KiB of memory that a process holds."""
    status = Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1])


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


def test_flood_of_sign_ins_leaves_others_their_answer_and_memory_flat(tmp_path: Path) -> None:
    with (
        serving(
            "--demo",
            folder=tmp_path,
            password_threads=str(THREADS),
            password_queue=str(QUEUE),
            login_client_attempts="1000000",
        ) as server,
        server.client() as client,
        ThreadPoolExecutor(FLOOD) as flood,
    ):
        _, email, password = sign_ins(server)[0]
        token = signed_in(client, email, password)
        held: list[int] = []
        told: Counter[str] = Counter()
        for each in range(ROUNDS):
            guesses = [flood.submit(guess, server, each * FLOOD + n) for n in range(FLOOD)]
            answered = 0
            while not all(one.done() for one in guesses):
                assert me(client, token) == email
                answered += 1
                time.sleep(0.001)
            assert answered
            told.update(one.result() for one in guesses)
            held.append(resident(server))
        assert set(told) == {"INVALID_CREDENTIALS", "TOO_MANY_ATTEMPTS"}
        assert me(client, token) == email
        assert signed_in(client, email, password)
    # Two hashes at once are 38 MiB; were all 40 of a round at work, they would be 760.
    assert max(held) - held[0] < 100 * MIB
    assert max(held) < 400 * MIB
