"""The door: methods and media types."""

from collections.abc import AsyncIterator

import httpx
import pytest

from gql_app.settings import Settings
from tests.api import GRAPHQL, Api, running

JSON = "application/json"
HELLO = {"query": "{ __typename }"}

# What holds of HTTP alone needs one engine.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def send(api: Api, headers: list[tuple[str, str]]) -> httpx.Response:
    """Post a good body with these very headers, and none that the client adds by itself."""
    request = api.client.build_request("POST", "/graphql", content=b'{"query":"{__typename}"}')
    del request.headers["accept"]
    request.headers = httpx.Headers([*request.headers.multi_items(), *headers])
    return await api.client.send(request)


def refused(response: httpx.Response) -> str:
    """Return the code of a request that was refused; it bears one error and no data."""
    body = response.json()
    assert list(body) == ["errors"]
    (error,) = body["errors"]
    assert error["message"]
    code: str = error["extensions"]["code"]
    return code


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_only_post_is_answered(api: Api, method: str) -> None:
    response = await api.client.request(method, "/graphql", params=HELLO)
    assert response.status_code == 405
    assert "POST" in response.headers["allow"]
    assert refused(response) == "BAD_REQUEST"


async def test_head_is_refused_without_a_word(api: Api) -> None:
    response = await api.client.head("/graphql")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("accept", ["text/html", "text/html,application/xhtml+xml,*/*;q=0.8"])
async def test_a_browser_is_shown_the_playground(api: Api, accept: str) -> None:
    response = await api.client.get("/graphql", headers={"Accept": accept})
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "graphiql" in response.text.lower()


@pytest.mark.parametrize("accept", ["text/html5", "application/text/html", "x-text/html", "*/*"])
async def test_what_only_looks_like_html_is_no_browser(api: Api, accept: str) -> None:
    response = await api.client.get("/graphql", headers={"Accept": accept})
    assert response.status_code == 405


async def test_the_playground_can_be_closed(settings: Settings) -> None:
    async with running(settings.model_copy(update={"playground": False})) as api:
        response = await api.client.get("/graphql", headers={"Accept": "text/html"})
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert refused(response) == "BAD_REQUEST"


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "APPLICATION/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        'application/json; charset="utf-8"',
        'application/json ; Charset="Utf-8"',
    ],
)
async def test_json_in_utf_8_is_taken(api: Api, content_type: str) -> None:
    response = await send(api, [("content-type", content_type)])
    assert response.json() == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("content-type", "")],
        [("content-type", "text/plain")],
        [("content-type", "application/jsonx")],
        [("content-type", "application/graphql")],
        [("content-type", "application/graphql-response+json")],
        [("content-type", "application/json-patch+json")],
        [("content-type", "application/x-www-form-urlencoded")],
        [("content-type", "multipart/form-data; boundary=x")],
        [("content-type", "application/json; charset=utf-16")],
        [("content-type", "application/json; charset=iso-8859-1")],
        [("content-type", 'application/json; charset="latin-1"')],
        [("content-type", "application/json; charset=utf-8; charset=utf-16")],
        [("content-type", JSON), ("content-encoding", "gzip")],
        [("content-type", JSON), ("content-encoding", "identity, br")],
        [("content-type", JSON), ("content-encoding", "identity"), ("content-encoding", "gzip")],
        [("content-type", JSON), ("content-encoding", "")],
        [("content-type", JSON), ("content-type", "text/plain")],
        [("content-type", f"{JSON}, text/plain")],
    ],
)
async def test_any_other_body_is_no_media_for_graphql(
    api: Api, headers: list[tuple[str, str]]
) -> None:
    response = await send(api, headers)
    assert (response.status_code, refused(response)) == (415, "BAD_REQUEST")


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ([], JSON),
        ([""], JSON),
        (["*/*"], JSON),
        (["application/*"], JSON),
        ([JSON], JSON),
        (["APPLICATION/JSON"], JSON),
        (["text/html, */*;q=0.8"], JSON),
        ([f"{GRAPHQL};q=0.5, {JSON}"], JSON),
        ([f"{GRAPHQL};q=0, */*"], JSON),
        ([f"{JSON};q=0.9, {GRAPHQL};q=0.8, */*;q=1"], JSON),
        ([GRAPHQL], GRAPHQL),
        ([f"{GRAPHQL}; charset=utf-8"], GRAPHQL),
        ([f"{GRAPHQL}, {JSON};q=0.9"], GRAPHQL),
        ([f"{JSON};q=0.9, {GRAPHQL}"], GRAPHQL),
        ([f"{JSON} ; q=0.1", f"{GRAPHQL} ; q=0.2"], GRAPHQL),
        ([f"{JSON};q=0, application/*;q=0.1"], GRAPHQL),
        ([f"{JSON};q=0.5, */*;q=0.7"], GRAPHQL),
    ],
)
async def test_the_client_chooses_the_media_type(
    api: Api, accept: list[str], media_type: str
) -> None:
    response = await send(api, [("content-type", JSON), *(("accept", value) for value in accept)])
    assert response.status_code == 200
    assert response.headers["content-type"] == f"{media_type}; charset=utf-8"


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        "image/*",
        "application/xml",
        "application/jsonx",
        "*/*;q=0",
        f"{JSON};q=0",
        f"{JSON};q=0.0, {GRAPHQL};q=0",
        "application/*;q=0, */*",
        f"{JSON};q=much",
    ],
)
async def test_no_other_media_type_can_be_had(api: Api, accept: str) -> None:
    response = await send(api, [("content-type", JSON), ("accept", accept)])
    assert (response.status_code, refused(response)) == (406, "BAD_REQUEST")


@pytest.mark.parametrize("media_type", [JSON, GRAPHQL])
@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        (JSON, b"{", 400),
        (JSON, b"{}", 400),
        ("text/plain", b"{}", 415),
        (JSON, b" " * 300_000, 413),
    ],
)
async def test_a_refusal_is_of_the_media_type_that_was_asked_for(
    api: Api, media_type: str, content_type: str, body: bytes, status: int
) -> None:
    headers = {"Content-Type": content_type, "Accept": media_type}
    response = await api.client.post("/graphql", content=in_chunks(body), headers=headers)
    assert response.status_code == status
    assert response.headers["content-type"] == f"{media_type}; charset=utf-8"
    assert refused(response)


async def in_chunks(body: bytes) -> AsyncIterator[bytes]:
    """Send a body without its length."""
    yield body
