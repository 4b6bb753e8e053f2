"""A stand-in for the server that issues tokens, with its answers and a record of its requests."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID, uuid4

from gql_app.lib.clock import LATEST
from gql_app.lib.keyring import KeyRing
from gql_app.lib.keyring.keys import SigningKey, thumbprint
from gql_app.security.tokens import Issuer, encode_token
from tests.security.foundry import pair

ISSUER = Issuer("https://accounts.example", "orders", 3600)
LAST_BYTE = 5
"""Seconds that the last byte of an answer with an interlude waits."""
CUSTOMER = UUID("01980000-0000-7000-8000-000000000001")


def ring(algorithm: str = "EdDSA", *, other: bool = False) -> KeyRing:
    """Return a ring of one key."""
    private = pair(algorithm, other=other)
    public = private.public_key()
    key = SigningKey(id=thumbprint(public), algorithm=algorithm, verifier=public, secret=private)
    return KeyRing(key, [key], b"pepper")


@dataclass
class StandIn:
    """The answers of the stand-in, and its requests so far."""

    ring: KeyRing = field(default_factory=ring)
    keys: object = None
    """The key set to publish, None for that of the ring."""
    cache_control: str | None = "public, max-age=300"
    age: str | None = None
    """The Age of every answer, as of a cache, if it is set."""
    date: str | None = None
    """The Date of every answer, None for that of this machine."""
    active: object = True
    status: int = 200
    body: bytes | None = None
    """The body of every answer, if it is set."""
    gate: threading.Event | None = None
    """The event that each answer waits for, if it is set."""
    interlude: Callable[[], None] | None = None
    """What happens amid each answer, if it is set; the last byte waits for the client to close."""
    asked: list[str] = field(default_factory=list)
    asked_of_caches: set[str | None] = field(default_factory=set)
    """The Cache-Control headers of the requests."""
    tokens: list[str] = field(default_factory=list)
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    url: str = ""

    def token(
        self, issuer: Issuer = ISSUER, *, session_id: UUID | None = None, **hints: object
    ) -> str:
        """Return a token."""
        text, _ = encode_token(
            self.ring,
            issuer,
            customer_id=CUSTOMER,
            session_id=session_id or uuid4(),
            not_after=LATEST,
            hints=hints,
        )
        return text

    def answer(self, path: str) -> bytes:
        """Return the body of an answer."""
        if self.body is not None:
            return self.body
        if path == "/introspect":
            return json.dumps({"active": self.active}).encode()
        return json.dumps(self.keys or {"keys": self.ring.published()}).encode()


class _Handler(BaseHTTPRequestHandler):
    server: "_Server"

    def _answer(self) -> None:
        stand_in = self.server.stand_in
        stand_in.asked.append(self.path)
        stand_in.asked_of_caches.add(self.headers.get("Cache-Control"))
        size = int(self.headers.get("Content-Length") or 0)
        stand_in.tokens += parse_qs(self.rfile.read(size).decode()).get("token", [])
        stand_in.arrived.release()
        if stand_in.gate:
            stand_in.gate.wait(30)
        body = stand_in.answer(self.path)
        self.send_response(stand_in.status)
        if stand_in.cache_control:
            self.send_header("Cache-Control", stand_in.cache_control)
        if stand_in.age is not None:
            self.send_header("Age", stand_in.age)
        self.send_header("Location", f"{stand_in.url}/elsewhere")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if stand_in.interlude:
            stand_in.interlude()
            self.wfile.write(body[:-1])
            self.connection.settimeout(LAST_BYTE)
            with suppress(TimeoutError):
                self.rfile.read(1)
            body = body[-1:]
        with suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(body)

    do_GET = do_POST = _answer  # noqa: N815 — as http.server calls them

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the time of the answer."""
        date = self.server.stand_in.date
        return super().date_time_string(timestamp) if date is None else date

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 — as http.server has it
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, stand_in: StandIn) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.stand_in = stand_in


@contextmanager
def standing_in() -> Iterator[StandIn]:
    """Run the stand-in until the block ends."""
    stand_in = StandIn()
    with _Server(stand_in) as server:
        stand_in.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield stand_in
        finally:
            server.shutdown()
            thread.join()
