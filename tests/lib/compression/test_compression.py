"""Compression: what is compressed, for whom, and that its bytes are the same."""

import gzip
from collections.abc import Iterator, Mapping

import httpx
import pytest
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Message, Scope

from gql_app.lib.compression import MINIMUM_SIZE, CompressionMiddleware, accepts

LARGE = b'{"id":"01a22bb4","name":"Ada"},' * 1000
GZIP = {"Accept-Encoding": "gzip"}


async def ask(
    app: ASGIApp, headers: Mapping[str, str] = GZIP, method: str = "GET", *, applies: bool = True
) -> httpx.Response:
    """Ask an application whose answers may be compressed, or none of them."""
    asked: list[Scope] = []

    def is_compressible(scope: Scope) -> bool:
        asked.append(scope)
        return applies

    transport = httpx.ASGITransport(CompressionMiddleware(app, applies=is_compressible))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        client.headers.pop("Accept-Encoding")
        return await client.request(method, "/", headers=headers)


def coding(response: httpx.Response) -> str | None:
    """Tell how an answer came."""
    name: str | None = response.headers.get("content-encoding")
    return name


@pytest.mark.parametrize(
    ("accepted", "takes"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("gzip, deflate, br, zstd", True),
        ("br;q=1, gzip;q=0.8, *;q=0.1", True),
        ("*", True),
        ("gzip ; q=0.001", True),
        ("gzip;Q=0.5", True),
        ("identity;q=0.5, gzip;q=0.5", True),
        ("identity;q=0, *", True),
        ("", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("gzip;q=0, *", False),
        ("*;q=0", False),
        ("identity", False),
        ("identity, gzip;q=0.5", False),
        ("identity;q=1, *;q=0.5", False),
        ("notgzip", False),
        ("gzip;q=x", False),
        ("gzip;q=nan", False),
        ("gzip;level=9", False),
        (";", False),
    ],
)
async def test_client_gets_what_it_takes(accepted: str, *, takes: bool) -> None:
    response = await ask(Response(LARGE), {"Accept-Encoding": accepted})
    assert accepts("gzip", accepted) is takes
    assert coding(response) == ("gzip" if takes else None)
    assert response.content == LARGE
    assert response.headers["vary"] == "Accept-Encoding"


async def test_several_headers_are_one_list() -> None:
    app = CompressionMiddleware(Response(LARGE), applies=lambda _: True)
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    lines = [(b"accept-encoding", b"br"), (b"accept-encoding", b"gzip")]
    await app({"type": "http", "method": "GET", "headers": lines}, receive, send)
    assert gzip.decompress(sent[1]["body"]) == LARGE


async def test_answer_that_was_compressed_says_its_length_and_is_smaller() -> None:
    response = await ask(Response(LARGE))
    assert int(response.headers["content-length"]) < len(LARGE) / 5
    assert response.headers.get_list("content-length") == [response.headers["content-length"]]
    bare = await ask(Response(LARGE), {})
    assert (coding(bare), bare.headers["content-length"]) == (None, str(len(LARGE)))


@pytest.mark.parametrize(("size", "expected"), [(MINIMUM_SIZE - 1, None), (MINIMUM_SIZE, "gzip")])
async def test_what_fits_into_a_packet_is_sent_as_it_is(size: int, expected: str | None) -> None:
    response = await ask(Response(b"a" * size))
    assert coding(response) == expected
    assert ("vary" in response.headers) is (expected is not None)
    assert response.content == b"a" * size


async def test_what_is_not_to_be_compressed_is_sent_as_it_is() -> None:
    response = await ask(Response(LARGE), applies=False)
    assert (coding(response), response.content) == (None, LARGE)
    assert "vary" not in response.headers


@pytest.mark.parametrize("name", ["ETag", "Content-Range", "Content-Encoding"])
async def test_what_is_meant_byte_by_byte_is_sent_as_it_is(name: str) -> None:
    response = await ask(Response(LARGE, headers={name: "identity"}))
    assert (response.headers[name], response.content) == ("identity", LARGE)
    assert "vary" not in response.headers


async def test_what_comes_in_pieces_is_sent_as_it_is() -> None:
    def pieces() -> Iterator[bytes]:
        yield LARGE
        yield LARGE

    response = await ask(StreamingResponse(pieces()))
    assert (coding(response), response.content) == (None, LARGE * 2)


async def test_answer_to_head_has_the_headers_of_the_one_to_get() -> None:
    answers = [await ask(Response(LARGE), method=method) for method in ("GET", "HEAD")]
    assert answers[0].headers == answers[1].headers
    assert coding(answers[1]) == "gzip"


async def test_answer_that_never_gets_a_body_never_begins() -> None:
    sent: list[Message] = []

    async def app(_scope: object, _receive: object, send: object) -> None:
        await send({"type": "http.response.start", "status": 200})  # type: ignore[operator]
        raise LookupError

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    compressing = CompressionMiddleware(app, applies=lambda _: True)
    with pytest.raises(LookupError):
        await compressing({"type": "http", "method": "GET", "headers": []}, receive, send)
    assert sent == []


async def test_what_is_no_request_passes() -> None:
    async def app(scope: Scope, _receive: object, _send: object) -> None:
        scope["seen"] = True

    async def receive() -> Message:
        return {}

    async def send(_: Message) -> None: ...

    scope: Scope = {"type": "lifespan"}
    await CompressionMiddleware(app, applies=lambda _: True)(scope, receive, send)
    assert scope["seen"]
