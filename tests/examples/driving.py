"""Clients of examples/ in separate processes, and the server's log of them."""

import json
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, NotRequired, TypedDict, Unpack
from uuid import uuid4

import jwt

from gql_app.cli.samples import SIGN_INS
from tests.processes import ROOT, Server, environment

EXAMPLES: Final = ROOT / "examples"
NODE: Final = Path(sys.executable).with_name("node")
"""The Node.js of the Python packages, not the machine's."""
ORIGIN: Final = "http://localhost:5173"
"""The origin that CORS allows."""
SECRET: Final = "the secret of the server that examples are tried with"
ADMIN, PERSON = SIGN_INS
WHO: Final = (PERSON.email, PERSON.password)
DRIVERS: Final[Mapping[str, tuple[str, ...]]] = {
    "python": (sys.executable, str(ROOT / "tests/examples/drive.py")),
    "apollo": (str(NODE), str(ROOT / "tests/examples/drive.mjs")),
    "urql": (str(NODE), str(ROOT / "tests/examples/drive.mjs")),
}
_SIGN_IN: Final = """mutation Elsewhere($email: String!, $password: String!) {
    login(email: $email, password: $password) { token refreshToken } }"""

_GUESS: Final = "gar_" + 43 * "A"
"""An unknown refresh token of the right form: its use is logged."""
_REFRESH: Final = f'mutation Elsewhere {{ refresh(refreshToken: "{_GUESS}") {{ status }} }}'


class Held(TypedDict):
    """The tokens of a client, as the TypeScript clients store them."""

    token: str
    refreshToken: str
    expiresAt: NotRequired[float | None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a client's script, and all that it printed."""

    listed: list[int | None]
    failures: list[str]
    held: Held | None
    printed: str
    told: int | None = None
    again: bool | None = None
    sent: list[str] | None = None


class Script(TypedDict, total=False):
    """The actions of a client, in this order."""

    held: Held
    """The tokens to begin with."""
    sign_in: tuple[str, str]
    times: int
    """How many lists to request concurrently, of 1, 2, 3… customers."""
    last: Literal["sign out", "forget", "hand over"]
    """Sign out, lose the tokens during a refresh, or do either before somebody else signs in."""
    next: tuple[str, str]
    """The address and the password of the other."""
    late: Literal["Customers", "Refresh", "SignOut"]
    """The operation whose first answer comes only when the other lists customers."""
    bare: bool
    """List by the session itself, without the client; for those in TypeScript."""
    ahead: float
    """Milliseconds that its clock is ahead; for those in TypeScript."""


@dataclass(frozen=True, slots=True)
class Driver:
    """A process that runs scripts with its client, one per line."""

    process: subprocess.Popen[str]
    stderr: Path

    def do(self, script: Mapping[str, object]) -> Outcome:
        """Run a script, and return the outcome."""
        assert self.process.stdin and self.process.stdout  # noqa: PT018 — both are pipes
        before = self.stderr.stat().st_size
        self.process.stdin.write(f"{json.dumps(script)}\n")
        self.process.stdin.flush()
        told = self.process.stdout.readline()
        printed = self.stderr.read_bytes()[before:].decode()
        assert told, printed
        return Outcome(**json.loads(told), printed=printed)


_running: Final[dict[str, Driver]] = {}
"""The running driver of each client."""


@contextmanager
def drivers(folder: Path) -> Iterator[None]:
    """Run each client in one process until the block ends."""
    with ExitStack() as stack:
        for client, command in DRIVERS.items():
            stderr = folder / f"{client}.err"
            process = subprocess.Popen(  # noqa: S603 — ours
                command,
                cwd=folder,
                env=environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stack.enter_context(stderr.open("wb")),
                encoding="utf-8",
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            _running[client] = Driver(process, stderr)
        yield


def drive(client: str, server: Server, **script: Unpack[Script]) -> Outcome:
    """Run a script with a client, and return the outcome."""
    nothing = {"held": None, "sign_in": None, "times": 0, "last": None, "ahead": 0}
    url = f"{server.url}/graphql"
    return _running[client].do({"client": client, "url": url, **nothing, **script})


def signed_in(server: Server) -> Held:
    """Sign in without any of the clients."""
    variables = {"email": PERSON.email, "password": PERSON.password}
    with server.client() as client:
        body = client.post("/graphql", json={"query": _SIGN_IN, "variables": variables}).json()
    held: Held = body["data"]["login"]
    return held


def refresh(server: Server, held: Held) -> str:
    """Refresh without any of the clients, and return the error code."""
    code: str = _refresh(server, held)["errors"][0]["code"]
    return code


def refreshed(server: Server, held: Held) -> Held:
    """Refresh without any of the clients, and return the new tokens."""
    payload = _refresh(server, held)
    return {"token": payload["token"], "refreshToken": payload["refreshToken"]}


def _refresh(server: Server, held: Held) -> Any:  # noqa: ANN401 — JSON
    query = """mutation Elsewhere($token: String!) { refresh(refreshToken: $token) {
        token refreshToken errors { code } } }"""
    variables = {"token": held["refreshToken"]}
    with server.client() as client:
        body = client.post("/graphql", json={"query": query, "variables": variables}).json()
    return body["data"]["refresh"]


def sign_out(server: Server, held: Held) -> None:
    """End the session of these tokens, without their client."""
    with server.client() as client:
        answer = client.post(
            "/graphql",
            json={"query": "mutation Elsewhere { logout { status } }"},
            headers={"Authorization": f"Bearer {held['token']}"},
        )
    assert answer.json() == {"data": {"logout": {"status": "SUCCESS"}}}


def expired(held: Held) -> Held:
    """Return the tokens with an access token that was issued two hours earlier."""
    token = held["token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    earlier = {name: claims[name] - 7200 for name in ("iat", "exp")}
    headers = jwt.get_unverified_header(token)
    return {**held, "token": jwt.encode({**claims, **earlier}, SECRET, headers=headers)}


@contextmanager
def full_disk(server: Server) -> Iterator[None]:
    """Make a server's writes to files fail until the block ends: it answers 503 to mutations."""
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
    """Return the counts of operations in the server's log after this position."""
    last = f"Last{uuid4().hex}"
    with server.client() as client:
        client.post("/graphql", json={"query": f"query {last} {{ token {{ valid }} }}"})
    server.await_log(last)
    lines = [json.loads(line) for line in server.logged()[since:].splitlines()]
    names = (line.get("operation") for line in lines)
    return Counter(name for name in names if name and name not in {last, "Elsewhere"})
