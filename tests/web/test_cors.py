"""CORS: closed, unless the operator names origins."""

from http import HTTPMethod

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from gql_app.app import create_app
from gql_app.extending.feature import Feature
from gql_app.settings import Settings
from tests.api import GRAPHQL, Api, running
from tests.web.test_graphql import refused

OURS, OTHER = "https://app.example.com", "https://admin.example.com"
ASK = {"Access-Control-Request-Method": "POST"}
WITH_TOKEN = ASK | {"Access-Control-Request-Headers": "authorization,content-type"}
SENT = {
    "Apollo Client": "apollographql-client-name,apollographql-client-version",
    "Apollo Client's library awareness": (
        "apollographql-library-name,apollographql-library-version"
    ),
    "Apollo's CSRF prevention": "apollo-require-preflight,x-apollo-operation-name",
    "Apollo Kotlin": "x-apollo-operation-id,x-apollo-operation-name",
    "Sentry": "baggage,sentry-trace,traceparent",
    "OpenTelemetry": "baggage,traceparent,tracestate",
    "other clients that say what they are": "graphql-client-name,graphql-client-version",
    "urql, whose Accept is a long one": "accept,authorization,content-type",
    "whoever names requests": "x-request-id",
}
"""What clients send beside what every page may, as a browser asks for it."""

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Let the pages of two origins read answers."""
    return settings.model_copy(update={"allowed_origins": (OURS, OTHER)})


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
    assert response.status_code == 204
    assert response.headers["access-control-allow-origin"] == origin
    assert "POST" in response.headers["access-control-allow-methods"].split(", ")
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
    assert set(exposed) == {"WWW-Authenticate", "Retry-After", "X-Request-Id", "traceresponse"}
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


def lacking(response: httpx.Response, asked: str) -> set[str]:
    """Name the headers that a browser would miss in the answer, and blame in its console."""
    allowed = response.headers["access-control-allow-headers"].lower().split(", ")
    return set(asked.split(",")) - set(allowed)


@pytest.mark.parametrize("sent", SENT.values(), ids=SENT)
async def test_clients_may_send_what_they_do_by_themselves(api: Api, sent: str) -> None:
    headers = ASK | {"Access-Control-Request-Headers": sent}
    assert lacking(await ask_first(api, OURS, headers), sent) == set()


async def test_a_header_that_is_not_allowed_is_the_only_one_that_is_missing(
    settings: Settings,
) -> None:
    asked = "authorization,content-type,x-datadog-trace-id,x-tenant"
    more = settings.model_copy(update={"allowed_headers": ("X-Tenant", "X-Datadog-Trace-Id")})
    for chosen, missing in ((settings, {"x-datadog-trace-id", "x-tenant"}), (more, set[str]())):
        async with running(chosen) as api:
            headers = ASK | {"Access-Control-Request-Headers": asked}
            response = await ask_first(api, OURS, headers)
        # Were it no success, or without the origin, browsers would blame that instead.
        assert (response.status_code, response.headers["access-control-allow-origin"]) == (
            204,
            OURS,
        )
        assert lacking(response, asked) == missing


@pytest.mark.parametrize(
    "headers",
    [
        {"Access-Control-Request-Method": "DELETE"},
        ASK | {"Access-Control-Request-Private-Network": "true"},
    ],
)
async def test_a_page_of_ours_may_nothing_else(api: Api, headers: dict[str, str]) -> None:
    response = await ask_first(api, OURS, headers)
    assert "DELETE" not in response.headers["access-control-allow-methods"]
    assert granted(response) == {
        "access-control-allow-origin",
        "access-control-allow-methods",
        "access-control-allow-headers",
    }


async def test_methods_are_also_those_of_features_routes(settings: Settings) -> None:
    async def page(_: Request) -> Response:
        return Response()

    site = Mount("/site", Starlette(routes=[Route("/x", page, methods=["DELETE"])]))
    for route, allowed in (
        (Route("/x", page, methods=["PATCH"]), {"GET", "HEAD", "PATCH", "POST"}),
        (site, {*HTTPMethod}),
    ):
        async with running(settings, features=[Feature("site", routes=[route])]) as api:
            response = await ask_first(api, OURS, {"Access-Control-Request-Method": "PATCH"})
            assert {*response.headers["access-control-allow-methods"].split(", ")} == allowed


async def test_the_demo_is_for_every_page_of_this_machine(settings: Settings) -> None:
    demo = settings.model_copy(update={"allowed_origins": (), "demo": True})
    async with running(demo) as api:
        for origin in ("http://localhost", "http://localhost:5173", "http://127.0.0.1:5500"):
            assert granted(await send(api, origin)) == {"access-control-allow-origin"}
        for origin in ("https://localhost:5173", "http://localhost.example:5173", "null", OURS):
            assert granted(await send(api, origin)) == set()


async def test_no_answer_is_cached_for_a_page_of_another_origin(api: Api) -> None:
    response = await api.client.post("/graphql", json={"query": "{ __typename }"})
    assert response.headers["vary"] == "Origin"
    assert granted(response) == set()


async def test_refusals_can_be_read_too(settings: Settings) -> None:
    closed = settings.model_copy(update={"allowed_hosts": ("example.com",)})
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
    async with running(settings.model_copy(update={"allowed_origins": ()})) as api:
        first, then = await ask_first(api, OURS, WITH_TOKEN), await send(api, OURS)
    assert (first.status_code, first.headers["allow"]) == (204, "GET, HEAD, POST, OPTIONS")
    assert then.status_code == 200
    for response in (first, then):
        assert "access-control" not in " ".join(response.headers)
        assert "vary" not in response.headers
