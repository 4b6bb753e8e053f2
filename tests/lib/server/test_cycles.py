"""One request and its answer on the wire: both parts at once, and whatever else ASGI allows."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn import Config
from uvicorn.server import ServerState

from gql_app.lib.server import ConnectionLimits, HttpProtocol, Usage
from gql_app.web.refusals import refuse

LIMITS = ConnectionLimits(
    connections=10,
    timeout=60,
    keep_alive_timeout=60,  # who is disconnected was not just idle
    header_bytes=2_000,
    body_bytes=2_000,
    pending_body_bytes=10_000,
    connections_per_address=10,
)
LENGTH = (b"content-length", b"5")
HELLO: Sequence[Message] = (
    {"type": "http.response.start", "status": 200, "headers": [LENGTH]},
    {"type": "http.response.body", "body": b"hello"},
)
OFTEN = 50


def answering(*messages: Message) -> ASGIApp:
    """Make an application that always answers the same."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        for message in messages:
            await send(dict(message))

    return app


@asynccontextmanager
async def connected(app: ASGIApp) -> AsyncIterator[socket.socket]:
    """Serve an application, and connect to it."""
    config = Config(
        app,
        ws="none",
        lifespan="off",
        log_config=None,
        server_header=False,
    )
    config.load()
    serve = partial(
        HttpProtocol, config, ServerState(), {}, limits=LIMITS, usage=Usage(), refuse=refuse
    )
    loop = asyncio.get_running_loop()
    async with await loop.create_server(serve, "127.0.0.1", 0) as server:
        with socket.socket() as peer:
            peer.settimeout(0)
            await loop.sock_connect(peer, server.sockets[0].getsockname())
            yield peer


async def ask(peer: socket.socket, method: str = "GET", *headers: str) -> None:
    """Send a request without a body."""
    lines = [f"{method} / HTTP/1.1", "Host: test", *headers, "", ""]
    await asyncio.get_running_loop().sock_sendall(peer, "\r\n".join(lines).encode())


async def all_said(peer: socket.socket) -> bytes:
    """Read until the server closes the connection."""
    said = b""
    async with asyncio.timeout(10):
        while more := await asyncio.get_running_loop().sock_recv(peer, 65_536):
            said += more
    return said


async def test_head_and_body_come_at_once() -> None:
    async with connected(answering(*HELLO)) as peer:
        for _ in range(OFTEN):
            await ask(peer)
            said = await asyncio.get_running_loop().sock_recv(peer, 65_536)
            assert said.startswith(b"HTTP/1.1 200 OK\r\n")
            assert said.endswith(b"content-length: 5\r\n\r\nhello")


async def test_a_connection_that_is_to_end_ends_and_says_so() -> None:
    async with connected(answering(*HELLO)) as peer:
        await ask(peer, "GET", "Connection: close")
        said = await all_said(peer)
    assert said.endswith(b"content-length: 5\r\nconnection: close\r\n\r\nhello")


async def test_an_answer_to_head_has_no_body() -> None:
    async with connected(answering(*HELLO)) as peer:
        await ask(peer, "HEAD", "Connection: close")
        said = await all_said(peer)
    assert b"content-length: 5\r\n" in said
    assert said.endswith(b"\r\n\r\n")


async def test_an_answer_of_unknown_length_comes_in_chunks() -> None:
    start: Message = {"type": "http.response.start", "status": 200}
    pieces: list[Message] = [
        {"type": "http.response.body", "body": b"hel", "more_body": True},
        {"type": "http.response.body", "body": b"lo"},
    ]
    async with connected(answering(start, *pieces)) as peer:
        await ask(peer, "GET", "Connection: close")
        said = await all_said(peer)
    assert b"transfer-encoding: chunked\r\n" in said
    assert said.endswith(b"\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n")


async def test_an_answer_in_pieces_comes_whole() -> None:
    pieces: list[Message] = [
        {"type": "http.response.body", "body": b"hel", "more_body": True},
        {"type": "http.response.body", "body": b"lo"},
    ]
    async with connected(answering(HELLO[0], *pieces)) as peer:
        await ask(peer, "GET", "Connection: close")
        said = await all_said(peer)
    assert said.endswith(b"\r\n\r\nhello")


@pytest.mark.parametrize(
    "headers",
    [
        [LENGTH, (b"x-injected", b"one\r\nx-other: two")],
        [LENGTH, (b"x-injected", b"one\nx-other: two")],
        [LENGTH, (b"x-injected\r\nx-other", b"two")],
        [LENGTH, (b"x-injected", b"one\r")],
    ],
)
async def test_no_header_begins_another(headers: Sequence[tuple[bytes, bytes]]) -> None:
    start: Message = {"type": "http.response.start", "status": 200, "headers": headers}
    async with connected(answering(start, HELLO[1])) as peer:
        await ask(peer)
        said = await all_said(peer)
    assert b"x-other" not in said
    assert b"x-injected" not in said


@pytest.mark.parametrize("length", [4, 6])
async def test_an_answer_of_another_length_than_it_says_ends_the_connection(length: int) -> None:
    headers = [(b"content-length", b"%d" % length)]
    start: Message = {"type": "http.response.start", "status": 200, "headers": headers}
    async with connected(answering(start, HELLO[1])) as peer:
        await ask(peer)
        said = await all_said(peer)
    _, _, body = said.partition(b"\r\n\r\n")
    assert len(body) < length, "the client knows that something is missing"


async def test_a_head_that_was_not_sent_can_be_replaced() -> None:
    other: Message = {"type": "http.response.start", "status": 503, "headers": [LENGTH]}
    async with connected(answering(HELLO[0], other, HELLO[1])) as peer:
        await ask(peer, "GET", "Connection: close")
        said = await all_said(peer)
    assert said.startswith(b"HTTP/1.1 503 ")
    assert said.endswith(b"\r\n\r\nhello")


async def test_who_fails_after_the_head_answers_500() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(dict(HELLO[0]))
        raise ValueError

    async with connected(app) as peer:
        await ask(peer)
        said = await all_said(peer)
    assert said.startswith(b"HTTP/1.1 500 ")
