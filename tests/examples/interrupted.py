"""A proxy that first answers for the server, as load balancers do while it restarts."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from tests.processes import Server


class Proxy(ThreadingHTTPServer):
    """A proxy that answers the first requests itself, and forwards the others."""

    daemon_threads = True

    def __init__(self, server: Server, answers: list[bytes | None]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = server
        self.answers = answers
        self.moments: list[float] = []
        """The time of each request, by a monotonic clock."""

    @property
    def url(self) -> str:
        """Return its URL."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Proxy

    def do_POST(self) -> None:
        """Answer 503, or as the server does."""
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def do_GET(self) -> None:
        """Answer 503, or as the server does."""
        self._answer(b"")

    def _answer(self, body: bytes) -> None:
        self.server.moments.append(time.monotonic())
        content = self.server.answers.pop(0) if self.server.answers else None
        if content is not None:
            self._send(503, content, {"Retry-After": "1"})
            return
        headers = {
            name: self.headers[name]
            for name in ("Accept", "Authorization", "Content-Type")
            if name in self.headers
        }
        with self.server.behind.client() as client:
            answer = client.request(self.command, self.path, content=body, headers=headers)
        self._send(
            answer.status_code, answer.content, {"Content-Type": answer.headers["Content-Type"]}
        )

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 — the base class's name
        """Log nothing."""


@contextmanager
def interrupted(server: Server, *answers: bytes | None) -> Iterator[Proxy]:
    """Run a proxy that answers the first requests with 503 and these bodies; None forwards one."""
    with Proxy(server, list(answers)) as proxy:
        thread = Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
