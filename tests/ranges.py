"""A service of breached passwords, which answers ranges of digests by HTTP, well or badly."""

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
    """Answers as its service does."""

    protocol_version = "HTTP/1.1"
    service: "RangeService"

    def do_GET(self) -> None:
        """Take the request down, and answer it."""
        self.service.requests.append(f"{self.requestline}\n{self.headers}")
        self.service.asked.set()
        with suppress(OSError):  # whoever asked may be gone
            self.service.answer(self)

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002 — as its base has it
        """Say nothing."""

    def send(self, body: bytes, status: int = 200, **headers: str) -> None:
        """Answer with a body, and whatever headers besides."""
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


Answering: TypeAlias = Callable[[Handler], None]


@dataclass(slots=True)
class RangeService:
    """What was asked, and what is answered."""

    url: str
    answer: Answering
    requests: list[str] = field(default_factory=list)
    """Each with its headers."""
    asked: threading.Event = field(default_factory=threading.Event)
    left: threading.Event = field(default_factory=threading.Event)
    """Whether somebody who got no answer hung up."""

    @property
    def paths(self) -> list[str]:
        """What was asked for."""
        return [request.split()[1] for request in self.requests]

    def say_nothing(self, handler: Handler) -> None:
        """Answer nothing until whoever asked hangs up."""
        handler.rfile.read(1)
        self.left.set()

    def trickle(self, beginning: bytes) -> Answering:
        """Return what goes on with an answer byte by byte until whoever asked hangs up."""

        def answer(handler: Handler) -> None:
            handler.wfile.write(beginning)
            with suppress(OSError):
                while not self.left.wait(0.005):
                    handler.wfile.write(b"0")
            self.left.set()

        return answer


def digest_of(password: str) -> tuple[str, str]:
    """Return what is asked for, and what is looked for in the answer."""
    digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
    return digest[:5], digest[5:]


def lines(counts: Mapping[str, int]) -> bytes:
    """Return an answer, whose lines end as the protocol has it."""
    return "\r\n".join(f"{suffix}:{count}" for suffix, count in counts.items()).encode()


def knowing(*passwords: str) -> Answering:
    """Return what answers of a list of passwords, with padding."""
    known = dict(map(digest_of, passwords))

    def answer(handler: Handler) -> None:
        suffix = known.get(handler.path[-5:])
        handler.send(lines(PADDING | ({suffix: 3} if suffix else {})))

    return answer


@contextmanager
def range_service(answer: Answering, tls: ssl.SSLContext | None = None) -> Iterator[RangeService]:
    """Answer for as long as the block lasts."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 64

        def handle_error(self, *_: object) -> None:
            """Say nothing of who hangs up, or trusts nobody."""

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
