"""CORS: which origins a policy allows, and what browsers are told by it."""

from collections.abc import Mapping

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gql_app.lib.cors import CLIENT_HEADERS, CORSMiddleware, CORSPolicy

ORIGINS = (
    "https://app.example.com",
    "https://*.example.org",
    "https://*.example.net:8443",
    "http://localhost:*",
    "http://*.localhost:*",
    "http://[::1]:*",
    "capacitor://localhost",
    "chrome-extension://abcdefghijklmnop",
)
POLICY = CORSPolicy(
    ORIGINS,
    headers=("X-Tenant",),
    exposed=("Retry-After",),
    refused=PlainTextResponse("not allowed", 400),
)
OURS = ORIGINS[0]


async def ask(
    method: str, headers: Mapping[str, str] | list[tuple[str, str]], policy: CORSPolicy = POLICY
) -> httpx.Response:
    """Ask an application behind a policy, whose answer depends on the language as well."""

    async def greet(_: Request) -> Response:
        return PlainTextResponse("hello", headers={"Vary": "Accept-Language"})

    app = Starlette(routes=[Route("/", greet, methods=["GET", "OPTIONS"])])
    transport = httpx.ASGITransport(CORSMiddleware(app, policy))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.request(method, "/", headers=headers)


def told(response: httpx.Response) -> set[str]:
    """Name the headers that tell a browser anything about other origins."""
    return {name for name in response.headers if name.startswith("access-control")}


@pytest.mark.parametrize(
    "origin",
    [
        "https://app.example.com",
        "https://one.example.org",
        "https://xn--bcher-kva.example.org",
        "https://a_b-1.example.org",
        "https://one.example.net:8443",
        "http://localhost",
        "http://localhost:5173",
        "http://tenant.localhost:3000",
        "http://[::1]:3000",
        "capacitor://localhost",
        "chrome-extension://abcdefghijklmnop",
    ],
)
async def test_page_of_an_allowed_origin_may_read(origin: str) -> None:
    response = await ask("GET", {"Origin": origin})
    assert response.headers["access-control-allow-origin"] == origin
    assert response.headers["access-control-expose-headers"] == "Retry-After"
    assert told(response) == {"access-control-allow-origin", "access-control-expose-headers"}
    assert response.headers["vary"] == "Accept-Language, Origin"


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "*",
        "https://*.example.org",
        "http://app.example.com",
        "https://app.example.com:8443",
        "https://app.example.com.evil.example",
        "https://APP.example.com",
        "https://example.org",
        "https://.example.org",
        "https://a.b.example.org",
        "https://oneXexample.org",
        "https://one.example.org.evil.example",
        "https://evil.example/.example.org",
        "https://one.example.org:444",
        "https://one.example.net",
        "https://localhost:5173",
        "http://localhost:",
        "http://localhost:x",
        "http://localhost:123456",
        "http://localhost.evil.example:80",
        "http://localhost:80@evil.example",
        "http://[::2]:3000",
        "ionic://localhost",
        "capacitor://localhost:80",
        "chrome-extension://ponmlkjihgfedcba",
    ],
)
async def test_page_of_any_other_origin_may_not(origin: str) -> None:
    read = await ask("GET", {"Origin": origin})
    first = await ask("OPTIONS", {"Origin": origin, "Access-Control-Request-Method": "POST"})
    assert (read.text, first.text) == ("hello", "not allowed")
    for response in (read, first):
        assert told(response) == set()
        assert "Origin" in response.headers["vary"]


@pytest.mark.parametrize("headers", [[], [("Origin", OURS), ("Origin", OURS)]])
async def test_without_one_origin_it_is_no_page(headers: list[tuple[str, str]]) -> None:
    response = await ask("GET", headers)
    assert (told(response), response.headers["vary"]) == (set(), "Accept-Language, Origin")


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"Access-Control-Request-Headers": "authorization,content-type"},
        {"Access-Control-Request-Headers": "x-nobody-knows"},
        {"Access-Control-Request-Private-Network": "true"},
        {"Access-Control-Request-Method": "DELETE"},
    ],
)
async def test_browser_is_told_all_that_is_allowed_whatever_it_asks_for(
    asked: dict[str, str],
) -> None:
    response = await ask(
        "OPTIONS", {"Origin": OURS, "Access-Control-Request-Method": "GET"} | asked
    )
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["access-control-allow-origin"] == OURS
    assert response.headers["access-control-allow-methods"] == "GET, HEAD, POST"
    allowed = response.headers["access-control-allow-headers"].split(", ")
    assert allowed == [*CLIENT_HEADERS, "X-Tenant"]
    assert response.headers["access-control-max-age"] == "600"
    assert len(told(response)) == 4  # and neither credentials nor private networks
    for part in ("Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"):
        assert part in response.headers["vary"].split(", ")


async def test_options_of_a_program_reaches_the_application() -> None:
    assert (await ask("OPTIONS", {"Origin": OURS})).text == "hello"
    assert (await ask("OPTIONS", {"Access-Control-Request-Method": "POST"})).text == "hello"


async def test_further_methods_are_allowed_once_each() -> None:
    refused = PlainTextResponse("not allowed", 400)
    policy = CORSPolicy((OURS,), methods={"GET", "PUT"}, refused=refused)
    asked = {"Origin": OURS, "Access-Control-Request-Method": "PUT"}
    response = await ask("OPTIONS", asked, policy)
    assert response.headers["access-control-allow-methods"] == "GET, HEAD, POST, PUT"


async def test_policy_of_names_alone_has_no_patterns() -> None:
    policy = CORSPolicy((OURS,), refused=PlainTextResponse("not allowed", 400))
    assert told(await ask("GET", {"Origin": OURS}, policy))
    assert not told(await ask("GET", {"Origin": "https://one.example.org"}, policy))


async def test_answers_that_are_shared_are_left_as_they_are() -> None:
    for _ in range(2):
        first = await ask("OPTIONS", {"Origin": "null", "Access-Control-Request-Method": "POST"})
        assert first.headers.get_list("vary") == [first.headers["vary"]]
