"""CORS: closed, unless the operator names origins."""

import httpx
import pytest

from gql_app.app import create_app
from gql_app.settings import Settings
from tests.api import GRAPHQL, Api, running
from tests.web.test_graphql import refused

OURS, OTHER = "https://app.example.com", "https://admin.example.com"
ASK = {"Access-Control-Request-Method": "POST"}
WITH_TOKEN = ASK | {"Access-Control-Request-Headers": "authorization,content-type"}

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Let the pages of two origins read answers."""
    return settings.model_copy(update={"allowed_origins": f"{OURS}, {OTHER}"})


async def ask_first(api: Api, origin: str, headers: dict[str, str]) -> httpx.Response:
    """Ask as a browser does before it sends a request from another origin."""
    return await api.client.options("/graphql", headers={"Origin": origin, **headers})


async def send(api: Api, origin: str, query: str = "{ __typename }") -> httpx.Response:
    """Send what a page of this origin asks."""
    headers = {"Origin": origin, "Accept": GRAPHQL}
    return await api.client.post("/graphql", json={"query": query}, headers=headers)


async def fail(settings: Settings) -> httpx.Response:
    """Ask an application that was never started, so that it has nothing to answer with."""
    transport = httpx.ASGITransport(create_app(settings))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get("/readyz", headers={"Origin": OURS})


def granted(response: httpx.Response) -> set[str]:
    """Name the headers that open an answer to other origins."""
    return {name for name in response.headers if name.startswith("access-control-allow")}


@pytest.mark.parametrize("origin", [OURS, OTHER])
@pytest.mark.parametrize("headers", [ASK, WITH_TOKEN])
async def test_a_page_of_ours_may_send_requests(
    api: Api, origin: str, headers: dict[str, str]
) -> None:
    response = await ask_first(api, origin, headers)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == origin
    assert response.headers["access-control-allow-methods"] == "POST"
    assert "authorization" in response.headers["access-control-allow-headers"].lower()
    assert response.headers["access-control-max-age"] == "600"
    assert "Origin" in response.headers["vary"]
    assert "x-request-id" in response.headers
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("origin", [OURS, OTHER])
async def test_a_page_of_ours_may_read_answers(api: Api, origin: str) -> None:
    response = await send(api, origin, "{ me { id } }")
    assert response.status_code == 401
    assert response.headers["access-control-allow-origin"] == origin
    assert "Origin" in response.headers["vary"]
    exposed = response.headers["access-control-expose-headers"].split(", ")
    assert set(exposed) == {"WWW-Authenticate", "Retry-After", "X-Request-Id"}
    assert granted(response) == {"access-control-allow-origin"}


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "*",
        "https://example.com",
        "http://app.example.com",
        "https://app.example.com:8443",
        "https://app.example.com.evil.example",
        "https://evil.example/https://app.example.com",
        "https://APP.example.com",
        f"{OURS}, {OTHER}",
        "https://",
    ],
)
async def test_no_other_page_may(api: Api, origin: str) -> None:
    first, then = await ask_first(api, origin, WITH_TOKEN), await send(api, origin)
    assert (first.status_code, refused(first)) == (400, "BAD_REQUEST")
    assert then.status_code == 200
    for response in (first, then):
        assert granted(response) == set()
        assert "Origin" in response.headers["vary"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Access-Control-Request-Method": "DELETE"},
        {"Access-Control-Request-Method": "GET"},
        ASK | {"Access-Control-Request-Headers": "x-other"},
        ASK | {"Access-Control-Request-Private-Network": "true"},
    ],
)
async def test_a_page_of_ours_may_nothing_else(api: Api, headers: dict[str, str]) -> None:
    response = await ask_first(api, OURS, headers)
    assert (response.status_code, refused(response)) == (400, "BAD_REQUEST")
    assert granted(response) == set()


async def test_no_answer_is_cached_for_a_page_of_another_origin(api: Api) -> None:
    response = await api.client.post("/graphql", json={"query": "{ __typename }"})
    assert response.headers["vary"] == "Origin"
    assert granted(response) == set()


async def test_refusals_can_be_read_too(settings: Settings) -> None:
    closed = settings.model_copy(update={"allowed_hosts": "example.com"})
    async with running(settings) as api, running(closed) as elsewhere:
        answers = [
            await api.client.get("/nowhere", headers={"Origin": OURS}),
            await api.client.options("/graphql", headers={"Origin": OURS}),
            await api.client.post("/graphql", content=b" " * 300_000, headers={"Origin": OURS}),
            await send(elsewhere, OURS),
            await fail(settings),
        ]
    assert [answer.status_code for answer in answers] == [404, 204, 413, 400, 500]
    for answer in answers:
        assert answer.headers["access-control-allow-origin"] == OURS


async def test_nothing_is_said_of_origins_where_none_is_named(settings: Settings) -> None:
    async with running(settings.model_copy(update={"allowed_origins": None})) as api:
        first, then = await ask_first(api, OURS, WITH_TOKEN), await send(api, OURS)
    assert (first.status_code, first.headers["allow"]) == (204, "GET, HEAD, POST, OPTIONS")
    assert then.status_code == 200
    for response in (first, then):
        assert "access-control" not in " ".join(response.headers)
        assert "vary" not in response.headers
