"""Trusted hosts: what is answered for, and what whoever asks for another is told."""

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message

from gql_app.lib.hosts import TrustedHostMiddleware

APP = TrustedHostMiddleware(
    PlainTextResponse("ours"),
    hosts=("api.example.com", "*.example.org"),
    refused=PlainTextResponse("not ours", 400),
    exempt=["/livez"],
)


async def answer(host: str, path: str = "/") -> str:
    """Ask for a path of a host."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(APP), base_url="http://test"
    ) as client:
        return (await client.get(path, headers={"Host": host})).text


@pytest.mark.parametrize(
    "host", ["api.example.com", "API.example.com:8443", "a.example.org", "a.b.example.org"]
)
async def test_host_that_is_named_is_answered_whatever_its_port(host: str) -> None:
    assert await answer(host) == "ours"


@pytest.mark.parametrize("host", ["example.org", "evil.example", "api.example.com:x", ""])
async def test_any_other_is_refused_but_for_what_is_answered_for_all(host: str) -> None:
    assert await answer(host) == "not ours"
    assert await answer(host, "/livez") == "ours"


async def test_what_is_no_request_passes() -> None:
    seen: list[str] = []

    async def app(scope: object, _receive: object, _send: object) -> None:
        seen.append(str(scope))

    async def receive() -> Message:
        return {}

    async def send(_: Message) -> None: ...

    middleware = TrustedHostMiddleware(app, hosts=("a",), refused=PlainTextResponse("no"))
    await middleware({"type": "lifespan"}, receive, send)
    assert seen == ["{'type': 'lifespan'}"]
