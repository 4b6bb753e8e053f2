"""The servers to compare, each a process on its own processor core, and their answers.

These are compared before they are timed, so that no wrong one counts.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final

import orjson

from bench.cores import pin_measured
from bench.people import People
from bench.questions import Question, Style
from bench.stores import POSTGRESQL, SQLITE, Store

ROOT: Final = Path(__file__).parent.parent
PATIENCE: Final = 60
"""Time-out of a server's start and stop, and of an answer, in seconds."""
UVICORN: Final = "uvicorn {} --port {{port}} --loop uvloop --http httptools --no-access-log"
GUNICORN: Final = "gunicorn {} --bind 127.0.0.1:{{port}} --workers 1 --worker-class sync"


@dataclass(frozen=True, slots=True)
class Kind:
    """An implementation of the server."""

    name: str
    title: str
    database: str
    style: Style = Style.GRAPHQL
    module: str = ""
    """The command that starts it, as arguments of python -m; empty for our program."""
    settings: Mapping[str, str] = field(default_factory=dict)
    signs_in: bool = True
    """Whether it has a login."""
    root: Path = ROOT
    """The checkout of our program, with its environment."""

    @property
    def floor(self) -> str:
        """The name of the floor on its database."""
        return "floor" if self.database == POSTGRESQL else "floor-sqlite"

    def command(self, port: int) -> list[str]:
        """Return the command that starts it, with its arguments."""
        if not self.module:
            python = str(self.root / ".venv/bin/python")
            return [python, str(self.root / "main.py"), "serve", "--port", str(port)]
        return [sys.executable, "-m", *self.module.format(port=port).split()]


KINDS: Final = {
    kind.name: kind
    for kind in (
        Kind("ours", "gql_app, PostgreSQL", POSTGRESQL),
        Kind(
            "uncompiled",
            "gql_app, PostgreSQL, not compiled",
            POSTGRESQL,
            settings={"COMPILED": "false"},
        ),
        Kind(
            "floor",
            "floor: bare ASGI, asyncpg",
            POSTGRESQL,
            Style.PLAIN,
            UVICORN.format("bench.peers.floor:app"),
        ),
        Kind(
            "stock",
            "Strawberry, SQLAlchemy ORM",
            POSTGRESQL,
            module=UVICORN.format("bench.peers.stock:app"),
        ),
        Kind(
            "ariadne",
            "Ariadne with caches, asyncpg",
            POSTGRESQL,
            module=UVICORN.format("bench.peers.ariadne_api:app"),
            signs_in=False,
        ),
        Kind(
            "flask",
            "Flask, REST, SQLAlchemy ORM",
            POSTGRESQL,
            Style.REST,
            GUNICORN.format("bench.peers.flask_api:app"),
            signs_in=False,
        ),
        Kind("ours-sqlite", "gql_app, SQLite", SQLITE),
        Kind(
            "floor-sqlite",
            "floor: bare ASGI, sqlite3",
            SQLITE,
            Style.PLAIN,
            UVICORN.format("bench.peers.floor:app"),
        ),
    )
}


def add_beside(root: Path) -> list[str]:
    """Add our program of another checkout to KINDS, and return the names."""
    added = {"beside": "ours", "beside-sqlite": "ours-sqlite"}
    for name, ours in added.items():
        title = f"{KINDS[ours].title}, beside"
        KINDS[name] = replace(KINDS[ours], name=name, title=title, root=root)
    return list(added)


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    kind: Kind
    process: "subprocess.Popen[bytes]"
    port: int
    start_seconds: float
    """Seconds from its start to its first successful answer to /readyz."""


@contextmanager
def running(
    kind: Kind,
    store: Store,
    people: People,
    folder: Path,
    command: Sequence[str] = (),
    *,
    pinned: bool = True,
) -> Iterator[Server]:
    """Start a server, wait until it is ready, and stop it when the block ends."""
    port = _free_port()
    log = folder / f"{kind.name}.log"
    with log.open("wb") as output:
        started = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 — the bench's own commands
            [part.format(port=port) for part in command] or kind.command(port),
            cwd=kind.root,
            env=_environment(kind, store, people),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        if pinned:
            pin_measured(process.pid)
        _await_ready(process, port, log)
        yield Server(kind, process, port, time.perf_counter() - started)
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _environment(kind: Kind, store: Store, people: People) -> dict[str, str]:
    settings = {"DATABASE_URL": store.url, "SECRET_KEY": people.secret, **kind.settings}
    prefix = "BENCH_" if kind.module else "GQL_APP_"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GQL_APP_")}
    return clean | {prefix + name: value for name, value in settings.items()}


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _await_ready(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text(encoding="utf-8")
        if _is_ready(port):
            return
        time.sleep(0.005)
    raise AssertionError(log.read_text(encoding="utf-8"))


def _is_ready(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200  # noqa: PLR2004 — OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def ask(server: Server, question: Question, tokens: Mapping[str, str | None]) -> object:
    """Send a question once, and return the answer in a form that all servers share."""
    request = question.request(server.kind.style, tokens)
    head, _, body = request.partition("\r\n\r\n")
    line, *headers = head.split("\r\n")
    method, target, _ = line.split(" ")
    connection = HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    try:
        connection.request(
            method,
            target,
            body.encode("latin-1") or None,
            dict(header.split(": ", 1) for header in headers),
        )
        return _comparable(orjson.loads(connection.getresponse().read()))
    finally:
        connection.close()


def require_equal(said: Mapping[str, object], what: str) -> None:
    """Raise SystemExit unless all servers answer the same."""
    (first, reference), *others = said.items()
    for name, answer in others:
        if answer != reference:
            detail = f"{first}: {str(reference)[:400]}\n{name}: {str(answer)[:400]}"
            message = f"{what} is answered differently.\n{detail}"
            raise SystemExit(message)


def _comparable(answer: Mapping[str, object]) -> object:
    """Return an answer without what may differ: cursors, tokens, messages, two forms of UTC."""
    errors = answer.get("errors")
    if isinstance(errors, list):
        return [error.get("extensions", error).get("code", error) for error in errors]
    data = answer["data"]
    assert isinstance(data, Mapping)
    (value,) = data.values()
    return _without_secrets(value)


def _without_secrets(value: object) -> object:
    if isinstance(value, Mapping):
        return {
            key: bool(each) if key in {"endCursor", "token"} else _without_secrets(each)
            for key, each in value.items()
        }
    if isinstance(value, str):
        return value.replace("+00:00", "Z")
    return [_without_secrets(each) for each in value] if isinstance(value, list) else value
