"""An answer that does not wait for the body: how much more of that is read, and how long."""

import asyncio
import json
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gql_app.lib.server.connection import LINGER_BYTES
from gql_app.lib.telemetry import configure_logging
from gql_app.web.middleware import RequestLogMiddleware, ServerErrorMiddleware
from tests.lib.server.in_process import LIMITS, all_said, answering, connected
from tests.processes import PATIENCE

POST = b"POST /body HTTP/1.1\r\nHost: test\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
GREETING = answering(
    {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]},
    {"type": "http.response.body", "body": b"hello"},
)
"""An application that answers each request at once."""


def of_length(length: int) -> bytes:
    """Return the head of a request with a body."""
    return POST + b"Content-Length: %d\r\n\r\n" % length


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the time for which the rest of a body is discarded; a slow one has more."""
    monkeypatch.setattr("gql_app.lib.server.protocol.RATE_INTERVAL", LIMITS.timeout)
    monkeypatch.setattr("gql_app.lib.server.protocol.LINGER_TIMEOUT", 0.3)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("head", [of_length(1_000), of_length(LINGER_BYTES + 1), CHUNKED])
async def test_rest_of_the_body_has_no_more_time_than_after_a_refusal(head: bytes) -> None:
    async with connected(GREETING) as peer:
        await asyncio.get_running_loop().sock_sendall(peer, head)
        assert (await all_said(peer)).endswith(b"\r\n\r\nhello")


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize(
    "head", [of_length(LINGER_BYTES), of_length(10**9), CHUNKED + b"fffff\r\n"]
)
async def test_bytes_now_and_then_give_no_more_time(head: bytes) -> None:
    loop = asyncio.get_running_loop()
    async with connected(GREETING) as peer, asyncio.timeout(PATIENCE):
        await loop.sock_sendall(peer, head)
        with suppress(ConnectionError):
            while True:
                await loop.sock_sendall(peer, b" ")
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("head", [of_length(10**12), CHUNKED + b"fffffffff\r\n"])
async def test_no_more_bytes_are_read_than_after_a_refusal(head: bytes) -> None:
    loop, sent, piece = asyncio.get_running_loop(), 0, b" " * 0x100000
    async with connected(GREETING) as peer, asyncio.timeout(PATIENCE):
        await loop.sock_sendall(peer, head)
        with suppress(ConnectionError):
            while sent <= 2 * LINGER_BYTES:
                await loop.sock_sendall(peer, piece)
                sent += len(piece)
    assert LINGER_BYTES - len(piece) <= sent <= 2 * LINGER_BYTES


@pytest.mark.parametrize("head", [of_length(LINGER_BYTES + 1), CHUNKED])
async def test_answer_says_that_no_other_follows(head: bytes) -> None:
    async with connected(GREETING) as peer:
        await asyncio.get_running_loop().sock_sendall(peer, head)
        said = await asyncio.get_running_loop().sock_recv(peer, 1_000)
    assert b"\r\nconnection: close\r\n" in said


async def test_next_request_follows_a_body_that_ends_in_time() -> None:
    body = b" " * 10 * LIMITS.body_bytes
    async with connected(GREETING) as peer:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(peer, of_length(len(body)))
        said = await loop.sock_recv(peer, 1_000)
        assert b"connection: close" not in said
        await loop.sock_sendall(peer, body + LAST)
        assert (await all_said(peer)).startswith(b"HTTP/1.1 200 ")


async def read_body(request: Request) -> Response:
    """Answer once the whole body is there."""
    return PlainTextResponse(f"{len(await request.body())}")


class Counted(list[tuple[str, str]]):
    """The kinds and outcomes of requests, in place of metrics."""

    def request(self, kind: str, outcome: str, _seconds: float) -> None:
        """Count a request."""
        self.append((kind, outcome))


def routed() -> ASGIApp:
    """Return an application with a route that reads its body, below the server's middleware."""
    router = Starlette(routes=[Route("/body", read_body, methods=["POST"])])
    layers = RequestLogMiddleware(ServerErrorMiddleware(router))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await layers(scope, receive, send)

    return app


@pytest.mark.parametrize(
    ("sent", "status", "outcome"),
    [
        (of_length(50_000) + b" " * 50_000, 413, "REQUEST_ENTITY_TOO_LARGE"),
        (CHUNKED + b"2000\r\n" + b" " * 0x2000, 413, "REQUEST_ENTITY_TOO_LARGE"),
        (CHUNKED + b"1\r\n \r\nnonsense\r\n", 400, "BAD_REQUEST"),
        (of_length(1_000), 408, "REQUEST_TIMEOUT"),
        (of_length(2_000) + b" " * 1_500, 503, "SERVICE_UNAVAILABLE"),
    ],
    ids=["too large", "too large in chunks", "malformed", "late", "too many"],
)
async def test_refused_body_of_a_route_is_one_line_and_no_error(
    capsys: pytest.CaptureFixture[str], sent: bytes, status: int, outcome: str
) -> None:
    configure_logging("INFO")
    counted = Counted()
    limits = replace(LIMITS, timeout=0.2) if status == 408 else LIMITS
    limits = replace(limits, pending_body_bytes=1_000) if status == 503 else limits
    state = {"resources": SimpleNamespace(metrics=counted)}
    async with connected(routed(), limits, state) as peer:
        await asyncio.get_running_loop().sock_sendall(peer, sent)
        said = await all_said(peer)
    assert said.startswith(b"HTTP/1.1 %d " % status)
    extensions = json.loads(said.partition(b"\r\n\r\n")[2])["errors"][0]["extensions"]
    assert extensions.get("retryAfter") == (1 if status == 503 else None)
    [line] = map(json.loads, capsys.readouterr().err.splitlines())
    assert (line["event"], line["method"], line["path"]) == ("Request", "POST", "/body")
    assert (line["status"], line["outcome"]) == (status, outcome)
    assert counted == [("none", outcome)]


@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 413)])
async def test_route_reads_a_body_of_twice_the_limit(more: int, status: int) -> None:
    size = 2 * LIMITS.body_bytes + more
    async with connected(routed(), state={"resources": None}) as peer:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(peer, of_length(size) + b" " * size + LAST)
        assert (await all_said(peer)).startswith(b"HTTP/1.1 %d " % status)
