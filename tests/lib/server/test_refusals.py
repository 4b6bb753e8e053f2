"""What the server refuses by itself can be read by pages of allowed origins, if it read Origin."""

import asyncio
from dataclasses import replace

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from gql_app.lib.cors import CORSPolicy
from gql_app.lib.network import Networks
from tests.lib.server.in_process import LIMITS, all_said, answering, connected

OURS = "https://app.example.com"
STATE = {
    "cors": CORSPolicy((OURS,), exposed=("Retry-After",), refused=PlainTextResponse("no", 400)),
    "trusted": Networks("127.0.0.1"),
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


@pytest.mark.parametrize(("status", "rest"), FAULTS.values(), ids=FAULTS)
async def test_refusal_of_the_server_s_own_goes_by_what_trusted_proxies_report(
    status: int, rest: bytes
) -> None:
    proxied = POST + b"X-Forwarded-Proto: https\r\nX-Forwarded-For: 198.51.100.7\r\n" + rest
    assert "strict-transport-security: " in await refusal(proxied, status)
    assert "strict-transport-security: " not in await refusal(POST + rest, status)


async def test_origin_of_the_request_before_says_nothing() -> None:
    async with connected(answering(*HELLO), LIMITS, STATE) as peer:
        asked = POST + FROM_US + b"Content-Length: 0\r\n\r\n"
        await asyncio.get_running_loop().sock_sendall(peer, asked + b"\x00\r\n\r\n")
        said = (await all_said(peer)).decode().lower()
    answered, refused = said.split("hello", 1)
    assert answered.startswith("http/1.1 200 ")
    assert refused.startswith("http/1.1 400 ")
    assert "access-control" not in refused
