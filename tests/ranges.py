"""A service of breached passwords, which answers ranges of digests by HTTP, also incorrectly."""

import hashlib
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeAlias

HOST = "127.0.0.1"
PADDING = {"0" * 35: 0, "F" * 35: 0}


class Handler(BaseHTTPRequestHandler):
    """The HTTP handler of the service."""

    protocol_version = "HTTP/1.1"
    service: "RangeService"

    def do_GET(self) -> None:
        """Record the request, and answer it."""
        self.service.requests.append(f"{self.requestline}\n{self.headers}")
        self.service.asked.set()
        with suppress(OSError):  # the client may have disconnected
            self.service.answer(self)

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002 — as its base has it
        """Say nothing."""

    def send(self, body: bytes, status: int = 200, **headers: str) -> None:
        """Send an answer with a body and further headers."""
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


Answering: TypeAlias = Callable[[Handler], None]


@dataclass(slots=True)
class RangeService:
    """The requests so far, and the function that answers them."""

    url: str
    answer: Answering
    requests: list[str] = field(default_factory=list)
    """The requests, each with its headers."""
    asked: threading.Event = field(default_factory=threading.Event)
    left: threading.Event = field(default_factory=threading.Event)
    """Whether a client without an answer has disconnected."""

    @property
    def paths(self) -> list[str]:
        """The requested paths."""
        return [request.split()[1] for request in self.requests]

    def say_nothing(self, handler: Handler) -> None:
        """Send nothing until the client disconnects."""
        handler.rfile.read(1)
        self.left.set()

    def trickle(self, beginning: bytes) -> Answering:
        """Return a function that sends an answer byte by byte until the client disconnects."""

        def answer(handler: Handler) -> None:
            handler.wfile.write(beginning)
            with suppress(OSError):
                while not self.left.wait(0.005):
                    handler.wfile.write(b"0")
            self.left.set()

        return answer


def digest_of(password: str) -> tuple[str, str]:
    """Return the requested prefix of a password's digest, and the suffix in the answer."""
    digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
    return digest[:5], digest[5:]


def lines(counts: Mapping[str, int]) -> bytes:
    """Return an answer, with the protocol's line ends."""
    return "\r\n".join(f"{suffix}:{count}" for suffix, count in counts.items()).encode()


def knowing(*passwords: str) -> Answering:
    """Return a function that answers with a list of passwords, with padding."""
    known = dict(map(digest_of, passwords))

    def answer(handler: Handler) -> None:
        suffix = known.get(handler.path[-5:])
        handler.send(lines(PADDING | ({suffix: 3} if suffix else {})))

    return answer


@contextmanager
def range_service(answer: Answering, tls: ssl.SSLContext | None = None) -> Iterator[RangeService]:
    """Run the service until the block ends."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 64

        def handle_error(self, *_: object) -> None:
            """Ignore disconnects and failed TLS handshakes."""

    class Serving(Handler):
        pass

    with Server((HOST, 0), Serving) as server:
        scheme = "http"
        if tls:
            scheme = "https"
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        service = RangeService(f"{scheme}://{HOST}:{server.server_port}", answer)
        Serving.service = service
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield service
        finally:
            service.left.set()
            server.shutdown()
            thread.join()
