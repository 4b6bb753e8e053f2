"""What the server refuses by itself can be read by pages of allowed origins, if it read Origin."""

import asyncio
import io
import json
import sys
from dataclasses import replace

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from gql_app.lib.cors import CORSPolicy
from gql_app.lib.network import Networks
from gql_app.lib.telemetry import configure_logging
from tests.lib.server.in_process import LIMITS, all_said, answering, connected
from tests.peers import ask, chunked
from tests.processes import Server

OURS = "https://app.example.com"
STATE = {
    "cors": CORSPolicy((OURS,), exposed=("Retry-After",), refused=PlainTextResponse("no", 400))
}
NARROW = replace(LIMITS, timeout=0.2, pending_body_bytes=100)
POST = b"POST / HTTP/1.1\r\nHost: test\r\n"
FROM_US = b"Origin: " + OURS.encode() + b"\r\n"
FROM_OTHERS = b"Origin: https://evil.example\r\n"
BODY = b"Content-Length: 101\r\n\r\n"
CHUNK = b"Transfer-Encoding: chunked\r\n\r\nfff\r\n" + b"a" * 4095 + b"\r\n"
HELLO: tuple[Message, ...] = (
    {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]},
    {"type": "http.response.body", "body": b"hello"},
)
FAULTS = {
    "400, as the framing is ambiguous": (400, b"Transfer-Encoding: gzip\r\n\r\n"),
    "400, as it is no HTTP": (400, b"X: y\r\nZ\x00: \r\n\r\n"),
    "408, as the head does not end": (408, b"X: y\r\n"),
    "408, as the body does not come": (408, BODY),
    "413": (413, CHUNK),
    "431": (431, b"X: " + b"a" * LIMITS.header_bytes + b"\r\n\r\n"),
    "503, as bodies take too much": (503, BODY + b"a" * 101),
}


async def wait_for_the_end(_scope: Scope, receive: Receive, _send: Send) -> None:
    """Receive a body, and never answer before its end."""
    while (await receive()).get("more_body"):
        pass


async def refusal(start: bytes, status: int) -> str:
    """Return the head of the answer to what is refused."""
    limits = LIMITS if status == 413 else NARROW
    async with connected(wait_for_the_end, limits, STATE) as peer:
        await asyncio.get_running_loop().sock_sendall(peer, start)
        said = (await all_said(peer)).decode().lower()
    assert said.startswith(f"http/1.1 {status} "), said
    return said.partition("\r\n\r\n")[0]


@pytest.mark.parametrize(("status", "rest"), FAULTS.values(), ids=FAULTS)
async def test_refusal_of_the_server_s_own_is_for_pages_that_may_read(
    status: int, rest: bytes
) -> None:
    ours, others, neither = [
        await refusal(POST + origin + rest, status) for origin in (FROM_US, FROM_OTHERS, b"")
    ]
    assert f"access-control-allow-origin: {OURS}\r\n" in ours
    assert "access-control-expose-headers: retry-after\r\n" in ours
    for said in (others, neither):
        assert "access-control" not in said
        assert "vary: origin" in said


async def test_origin_of_the_request_before_says_nothing() -> None:
    async with connected(answering(*HELLO), LIMITS, STATE) as peer:
        asked = POST + FROM_US + b"Content-Length: 0\r\n\r\n"
        await asyncio.get_running_loop().sock_sendall(peer, asked + b"\x00\r\n\r\n")
        said = (await all_said(peer)).decode().lower()
    answered, refused = said.split("hello", 1)
    assert answered.startswith("http/1.1 200 ")
    assert refused.startswith("http/1.1 400 ")
    assert "access-control" not in refused


@pytest.mark.parametrize(
    ("head", "client", "is_tls"),
    [
        (CHUNK, "198.51.100.7", True),
        (b"Host: another\r\n\r\n", "198.51.100.7", True),
        (b"Z\x00: \r\n", "127.0.0.1", False),
    ],
)
async def test_refusal_has_the_client_and_the_scheme_of_a_whole_head(
    head: bytes, client: str, *, is_tls: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    configure_logging("INFO")
    reported = b"X-Forwarded-For: 198.51.100.7\r\nX-Forwarded-Proto: https\r\n"
    state = {"trusted": Networks("127.0.0.1")}
    async with connected(wait_for_the_end, LIMITS, state) as peer:
        await asyncio.get_running_loop().sock_sendall(peer, POST + reported + head)
        said = await all_said(peer)
    assert (b"strict-transport-security: " in said) == is_tls
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [line["client"] for line in lines if line["event"] == "Request"] == [client]


@pytest.mark.xdist_group("hasty")
def test_refusal_of_a_running_server_has_hsts_behind_tls(hasty: Server) -> None:
    faulty = chunked(b" ", end=b"nonsense\r\n")
    behind = faulty.replace(b"\r\n", b"\r\nX-Forwarded-Proto: https\r\n", 1)
    for sent, is_tls in ((behind, True), (faulty, False)):
        (refused,) = ask(hasty, sent)
        assert (refused.status, "strict-transport-security" in refused.headers) == (400, is_tls)
