"""One request and its answer on the wire: both parts at once, and whatever else ASGI allows."""

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import replace

import pytest
from starlette.types import Message, Receive, Scope, Send

from tests.lib.server.in_process import LIMITS, all_said, answering, ask, connected

LENGTH = (b"content-length", b"5")
HELLO: Sequence[Message] = (
    {"type": "http.response.start", "status": 200, "headers": [LENGTH]},
    {"type": "http.response.body", "body": b"hello"},
)
OFTEN = 50


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


async def send_in_1_0(peer: socket.socket, *headers: bytes) -> None:
    """Send a request of HTTP/1.0, of whose body one byte is to come."""
    lines = [b"POST / HTTP/1.0", b"Host: test", b"Content-Length: 1", *headers, b"", b""]
    await asyncio.get_running_loop().sock_sendall(peer, b"\r\n".join(lines))


async def test_answer_of_unknown_length_ends_with_the_connection_in_http_1_0() -> None:
    start: Message = {"type": "http.response.start", "status": 200}
    pieces: list[Message] = [
        {"type": "http.response.body", "body": b"hel", "more_body": True},
        {"type": "http.response.body", "body": b"lo"},
    ]
    async with connected(answering(start, *pieces)) as peer:
        await send_in_1_0(peer)
        said = await all_said(peer)
    assert said.endswith(b"\r\nconnection: close\r\n\r\nhello")
    assert b"transfer-encoding" not in said


async def test_answer_that_fails_midway_is_reset_in_http_1_0() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"hel", "more_body": True})
        raise LookupError

    async with connected(app) as peer:
        await send_in_1_0(peer)
        with pytest.raises(ConnectionResetError):
            await all_said(peer)


async def test_answer_is_reset_midway_if_the_body_does_not_come_in_http_1_0() -> None:
    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"hel", "more_body": True})
        await receive()

    async with connected(app, replace(LIMITS, timeout=0.2)) as peer:
        await send_in_1_0(peer)
        with pytest.raises(ConnectionResetError):
            await all_said(peer)


async def test_nobody_is_told_to_continue_in_http_1_0() -> None:
    began = asyncio.Event()

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        began.set()
        await receive()
        for message in HELLO:
            await send(dict(message))

    async with connected(app) as peer:
        await send_in_1_0(peer, b"Expect: 100-continue")
        await began.wait()
        await asyncio.get_running_loop().sock_sendall(peer, b"x")
        assert (await all_said(peer)).startswith(b"HTTP/1.1 200 OK\r\n")


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


@pytest.mark.parametrize(
    "message",
    [
        {"type": "http.response.start", "status": 200},
        {"type": "http.response.body", "body": b"more"},
        {"type": "http.response.trailers", "headers": []},
    ],
    ids=lambda message: message["type"],
)
async def test_nothing_comes_after_the_end_of_an_answer(message: Message) -> None:
    refused: list[str] = []

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        for each in HELLO:
            await send(dict(each))
        try:
            await send(dict(message))
        except RuntimeError as why:
            refused.append(str(why))

    async with connected(app) as peer:
        await ask(peer, "GET", "Connection: close")
        said = await all_said(peer)
    assert said.endswith(b"\r\n\r\nhello")
    assert refused == [message["type"]]


async def test_a_body_without_a_head_is_answered_500() -> None:
    async with connected(answering(HELLO[1])) as peer:
        await ask(peer)
        said = await all_said(peer)
    assert said.startswith(b"HTTP/1.1 500 ")


@pytest.mark.parametrize("status", [204, 304])
async def test_a_status_without_a_body_has_none(status: int) -> None:
    start: Message = {"type": "http.response.start", "status": status}
    end: Message = {"type": "http.response.body"}
    async with connected(answering(start, end)) as peer:
        await ask(peer, "GET", "Connection: close")
        said = await all_said(peer)
    assert said.endswith(b"\r\nconnection: close\r\n\r\n")
    assert b"transfer-encoding" not in said
