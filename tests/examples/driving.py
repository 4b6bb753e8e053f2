"""Clients of examples/ as processes of their own, and what the server saw of them."""

import json
import resource
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NotRequired, TypedDict, Unpack
from uuid import uuid4

import jwt

from gql_app.cli.samples import SIGN_INS
from tests.processes import ROOT, Server, run

EXAMPLES: Final = ROOT / "examples"
NODE: Final = Path(sys.executable).with_name("node")
"""The one that comes with the Python packages, whatever the machine has."""
ORIGIN: Final = "http://localhost:5173"
"""Whose pages may read the server's answers."""
SECRET: Final = "the secret of the server that examples are tried with"
PERSON: Final = SIGN_INS[1]
WHO: Final = (PERSON.email, PERSON.password)
DRIVERS: Final[Mapping[str, tuple[str, ...]]] = {
    "python": (sys.executable, str(ROOT / "tests/examples/drive.py")),
    "apollo": (str(NODE), str(ROOT / "tests/examples/drive.mjs")),
    "urql": (str(NODE), str(ROOT / "tests/examples/drive.mjs")),
}
_SIGN_IN: Final = """mutation Elsewhere($email: String!, $password: String!) {
    login(email: $email, password: $password) { token refreshToken } }"""

_GUESS: Final = "gar_" + 43 * "A"
"""A refresh token by its form, of nobody's: that it was tried is written down."""
_REFRESH: Final = f'mutation Elsewhere {{ refresh(refreshToken: "{_GUESS}") {{ status }} }}'


class Held(TypedDict):
    """The tokens of a client, as the TypeScript ones keep them."""

    token: str
    refreshToken: str
    expiresAt: NotRequired[float | None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of driving a client, and all that it printed."""

    listed: list[int | None]
    failures: list[str]
    held: Held | None
    printed: str
    told: int | None = None
    again: bool | None = None
    sent: list[str] | None = None


class Script(TypedDict, total=False):
    """What a client is to do, in this order."""

    held: Held
    """Begin with these tokens."""
    sign_in: tuple[str, str]
    times: int
    """List 1, 2, 3… customers, all at once."""
    last: Literal["sign out", "forget"]
    """Sign out, or lose the tokens while they are refreshed."""
    ahead: float
    """Milliseconds that its clock is wrong by; for those in TypeScript."""


def drive(client: str, server: Server, folder: Path, **script: Unpack[Script]) -> Outcome:
    """Have a client do what is said."""
    nothing = {"held": None, "sign_in": None, "times": 0, "last": None, "ahead": 0}
    whole = {"client": client, "url": f"{server.url}/graphql", **nothing, **script}
    done = run([*DRIVERS[client], json.dumps(whole)], folder)
    assert done.returncode == 0, done.stderr
    return Outcome(**json.loads(done.stdout), printed=done.stderr)


def signed_in(server: Server) -> Held:
    """Sign in without any of the clients."""
    variables = {"email": PERSON.email, "password": PERSON.password}
    with server.client() as client:
        body = client.post("/graphql", json={"query": _SIGN_IN, "variables": variables}).json()
    held: Held = body["data"]["login"]
    return held


def refresh(server: Server, held: Held) -> str:
    """Refresh without any of the clients, and tell the code of what is wrong."""
    query = """mutation Elsewhere($token: String!) { refresh(refreshToken: $token) {
        errors { code } } }"""
    variables = {"token": held["refreshToken"]}
    with server.client() as client:
        body = client.post("/graphql", json={"query": query, "variables": variables}).json()
    code: str = body["data"]["refresh"]["errors"][0]["code"]
    return code


def sign_out(server: Server, held: Held) -> None:
    """End the session of these tokens, without a word to the client that holds them."""
    with server.client() as client:
        answer = client.post(
            "/graphql",
            json={"query": "mutation Elsewhere { logout { status } }"},
            headers={"Authorization": f"Bearer {held['token']}"},
        )
    assert answer.json() == {"data": {"logout": {"status": "SUCCESS"}}}


def expired(held: Held) -> Held:
    """Sign the token anew as if it had been issued two hours earlier."""
    token = held["token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    earlier = {name: claims[name] - 7200 for name in ("iat", "exp")}
    headers = jwt.get_unverified_header(token)
    return {**held, "token": jwt.encode({**claims, **earlier}, SECRET, headers=headers)}


@contextmanager
def full_disk(server: Server) -> Iterator[None]:
    """Let a server write to no file for as long as the block lasts: it answers 503 to writes."""
    before = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (1, before[1]))
    try:
        with server.client() as client:
            answer = client.post("/graphql", json={"query": _REFRESH})
            assert answer.status_code == 503
        yield
    finally:
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, before)


def seen(server: Server, since: int = 0) -> Counter[str]:
    """Count the operations that the server has answered since its log was this long."""
    last = f"Last{uuid4().hex}"
    with server.client() as client:
        client.post("/graphql", json={"query": f"query {last} {{ token {{ valid }} }}"})
    server.await_log(last)
    lines = [json.loads(line) for line in server.logged()[since:].splitlines()]
    names = (line.get("operation") for line in lines)
    return Counter(name for name in names if name and name not in {last, "Elsewhere"})
