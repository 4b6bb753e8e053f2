"""A client that sends the server raw bytes, and parses the answers."""

import json
import re
import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from tests.processes import PATIENCE, Server

LAST = b"Connection: close"
UPGRADE = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAM")
HELLO = b'{"query":"{__typename}"}'
ANSWER = b'{"data":{"__typename":"Query"}}'


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one request."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The error code of a refusal, whose body must have the contract's form."""
        body = json.loads(self.body)
        assert list(body) == ["errors"]
        (error,) = body["errors"]
        assert error["message"]
        code: str = error["extensions"]["code"]
        return code


class Peer:
    """One connection, as raw bytes."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._read = b""

    def send(self, data: bytes) -> None:
        """Send bytes; the server may have closed the connection already."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self.connection.sendall(data)

    def answer(self) -> Answer:
        """Read one answer, and leave the connection open."""
        while (found := _first(self._read)) is None:
            assert self._more(), self._read
        answer, self._read = found
        return answer

    def answers(self) -> list[Answer]:
        """Read every answer until the server closes the connection."""
        while self._more():
            pass
        found = []
        while self._read:
            found.append(self.answer())
        return found

    def _more(self) -> bool:
        try:
            some = self.connection.recv(65536)
        except ConnectionResetError:  # it was closed with data unread
            some = b""
        self._read += some
        return bool(some)


@contextmanager
def connected(server: Server, source: str = "127.0.0.1") -> Iterator[Peer]:
    """Open a connection from an address."""
    to = ("127.0.0.1", server.port)
    with socket.create_connection(to, PATIENCE, (source, 0)) as connection:
        yield Peer(connection)


def ask(server: Server, data: bytes) -> list[Answer]:
    """Send some bytes, and read every answer until the server closes the connection."""
    with connected(server) as peer:
        peer.send(data)
        return peer.answers()


def head(*headers: bytes, line: bytes = b"POST /graphql HTTP/1.1") -> bytes:
    """Return the head of a request, valid except for these headers."""
    always = (b"Host: 127.0.0.1", b"Content-Type: application/json")
    return b"\r\n".join([line, *always, *headers, b"", b""])


def post(body: bytes = HELLO, *headers: bytes, line: bytes = b"POST /graphql HTTP/1.1") -> bytes:
    """Return a request, valid except for these headers."""
    return head(b"Content-Length: %d" % len(body), *headers, line=line) + body


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    """Return a request with a chunked body."""
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return head(b"Transfer-Encoding: chunked") + body + end


def statuses(answers: list[Answer]) -> list[int]:
    """Return the statuses of answers, and assert that refusals have the contract's form."""
    assert all(answer.code for answer in answers if answer.status >= 400)
    return [answer.status for answer in answers]


def send_until_cut_off(connection: socket.socket, data: bytes) -> None:
    """Send beyond the server's time-out without reading; wait whenever the socket is full."""
    sent, end = 0, time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            sent += connection.send(data[sent % len(data) :])
        except BlockingIOError:
            assert select.select([], [connection], [], PATIENCE)[1]


def _first(data: bytes) -> tuple[Answer, bytes] | None:
    start, blank, rest = data.partition(b"\r\n\r\n")
    if not blank:
        return None
    line, *lines = start.decode().split("\r\n")
    found = re.fullmatch(r"HTTP/1\.1 (\d{3}) .+", line)
    assert found is not None, data
    headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in lines)}
    assert len(headers) == len(lines)
    length = int(headers["content-length"])
    if len(rest) < length:
        return None
    return Answer(int(found[1]), headers, rest[:length]), rest[length:]
