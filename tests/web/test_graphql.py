"""GraphQL over HTTP: methods, media types, queries by GET, and what is refused in words."""

import json
from collections.abc import AsyncIterator
from typing import Any, Final

import httpx
import pytest
from sqlalchemy import func, select
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from gql_app.db.tables import CustomerRow
from gql_app.extending.feature import Feature
from gql_app.settings import Settings
from tests.api import GRAPHQL, Api, running
from tests.people import PASSWORD, Kind, Person
from tests.rows import value

JSON, EVENTS = "application/json", "text/event-stream"
ALLOW: Final = "GET, HEAD, POST, OPTIONS"
HELLO = {"query": "{ __typename }"}
ANSWER: Final = {"data": {"__typename": "Query"}}
REGISTER: Final = (
    'mutation Register { register(input: {name: "Ada", email: "ada@example.com", '
    f'password: "{PASSWORD}"}}) {{ status }} }}'
)

# What holds of HTTP alone needs one engine.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def send(api: Api, headers: list[tuple[str, str]]) -> httpx.Response:
    """Post a good body with these very headers, and none that the client adds by itself."""
    request = api.client.build_request("POST", "/graphql", content=b'{"query":"{__typename}"}')
    del request.headers["accept"]
    request.headers = httpx.Headers([*request.headers.multi_items(), *headers])
    return await api.client.send(request)


async def get(api: Api, accept: str = JSON, **params: str) -> httpx.Response:
    """Ask by the URL."""
    return await api.client.get("/graphql", params=params, headers={"Accept": accept})


def refused(response: httpx.Response) -> str:
    """Return the code of a request that was refused; it bears one error and no data."""
    return refusal(response.json())["code"]


def refusal(body: dict[str, Any]) -> dict[str, str]:
    """Return the message of an answer's one error, and its code; there is no data."""
    assert list(body) == ["errors"]
    (error,) = body["errors"]
    assert error["message"]
    return {"message": error["message"], "code": error["extensions"]["code"]}


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE"])
async def test_other_methods_are_refused_naming_those_there_are(api: Api, method: str) -> None:
    response = await api.client.request(method, "/graphql", params=HELLO)
    assert (response.status_code, response.headers["allow"]) == (405, ALLOW)
    assert refused(response) == "BAD_REQUEST"
    streaming = await api.client.request(method, "/graphql", headers={"Accept": EVENTS})
    assert (streaming.status_code, streaming.headers["allow"]) == (405, ALLOW)


async def test_options_tells_the_methods(api: Api) -> None:
    response = await api.client.options("/graphql")
    assert (response.status_code, response.headers["allow"]) == (204, ALLOW)
    assert response.content == b""


async def test_a_query_by_get_is_answered_as_by_post(api: Api, plain: Person) -> None:
    query = "query A($id: ID!) { customer(id: $id) { name } } query B { __typename }"
    asked = {"query": query, "operationName": "A", "variables": json.dumps({"id": str(plain.id)})}
    for token in (plain.token, None):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        posted = await api.client.post(
            "/graphql", json=asked | {"variables": {"id": str(plain.id)}}, headers=headers
        )
        for method in ("GET", "HEAD"):
            response = await api.client.request(method, "/graphql", params=asked, headers=headers)
            assert response.content == (posted.content if method == "GET" else b"")
            assert response.status_code == 200
            assert response.headers["content-length"] == str(len(posted.content))
            assert response.headers["content-type"] == f"{JSON}; charset=utf-8"
            assert response.headers["cache-control"] == "no-store"
    assert posted.json()["errors"][0]["extensions"]["reason"] == "TOKEN_MISSING"


@pytest.mark.parametrize("accept", [JSON, GRAPHQL])
async def test_a_mutation_by_get_does_nothing(api: Api, accept: str) -> None:
    several = f"query A {{ __typename }} {REGISTER}"
    for params in ({"query": REGISTER}, {"query": several, "operationName": "Register"}):
        response = await get(api, accept, **params)
        assert (response.status_code, response.headers["allow"]) == (405, ALLOW)
        assert response.headers["content-type"] == f"{accept}; charset=utf-8"
        assert "POST" in refusal(response.json())["message"]
    assert await value(api.database, select(func.count()).select_from(CustomerRow)) == 0
    assert (await get(api, accept, query=several, operationName="A")).json() == ANSWER


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("params", [{}, {"query": ""}, {"q": "{ __typename }"}])
async def test_a_get_without_a_query_is_a_bad_request(
    api: Api, method: str, params: dict[str, str]
) -> None:
    response = await api.client.request(method, "/graphql", params=params)
    assert response.status_code == 400
    assert method == "HEAD" or refused(response) == "BAD_REQUEST"


async def test_a_query_by_get_has_the_same_limits(api: Api) -> None:
    for query in ("{ customers { nodes " + "{ id nodes " * 20 + "}" * 22, "{ a" * 500):
        by_get, by_post = await get(api, GRAPHQL, query=query), await api.run(query, accept=GRAPHQL)
        assert (by_get.status_code, by_get.json()) == (400, by_post.body)


@pytest.mark.parametrize("name", ["access_token", "token", "authorization", "Authorization"])
async def test_no_token_is_taken_from_a_url(
    api: Api, tokens: dict[Kind, str | None], name: str
) -> None:
    for given in (f"{tokens[Kind.PLAIN]}", f"Bearer {tokens[Kind.PLAIN]}"):
        response = await get(api, GRAPHQL, query="{ me { id } }", **{name: given})
        assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize("accept", ["text/html", "text/html,application/xhtml+xml,*/*;q=0.8"])
async def test_a_browser_is_shown_the_playground(api: Api, accept: str) -> None:
    for params in (dict[str, str](), HELLO):
        response = await get(api, accept, **params)
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        assert "graphiql" in response.text.lower()


async def test_the_playground_can_be_closed(settings: Settings) -> None:
    async with running(settings.model_copy(update={"playground": False})) as api:
        for accept, status in (("text/html", 406), ("text/html,*/*;q=0.8", 400)):
            response = await get(api, accept)
            assert (response.status_code, refused(response)) == (status, "BAD_REQUEST")
        assert (await get(api, "text/html,*/*;q=0.8", **HELLO)).json() == ANSWER
        root = await api.client.get("/", headers={"Accept": "text/html"})
        assert root.json()["graphql"] == "/graphql"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_root_leads_to_the_playground_or_tells_where_the_api_is(
    api: Api, method: str
) -> None:
    page = await api.client.request(method, "/", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (page.status_code, page.headers["location"]) == (303, "./graphql")
    below = httpx.URL("https://example.com/accounts/")
    assert below.join(page.headers["location"]).path == "/accounts/graphql"
    told = await api.client.request(method, "/")
    assert told.status_code == 200
    body = {"message": "The GraphQL API is at /graphql.", "graphql": "/graphql"}
    assert method == "HEAD" or told.json() == body


@pytest.mark.parametrize("method", ["POST", "PUT", "OPTIONS", "PROPFIND", "QUERY", "M-SEARCH"])
async def test_who_posts_to_the_root_is_told_where_the_api_is(api: Api, method: str) -> None:
    response = await api.client.request(method, "/", json=HELLO)
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")
    assert refusal(response.json())["message"] == "The GraphQL API is at /graphql."


@pytest.mark.parametrize(
    "path", ["/", "/graphql", "/livez", "/introspect", "/.well-known/jwks.json", "/account/reset"]
)
async def test_a_method_that_is_allowed_is_not_refused(api: Api, path: str) -> None:
    for method in ("PUT", "PROPFIND"):
        refused = await api.client.request(method, path)
        assert refused.status_code == 405
        allowed = refused.headers["allow"].split(", ")
        assert method not in allowed
        found = {each: (await api.client.request(each, path)).status_code for each in allowed}
        assert 405 not in found.values(), found


async def test_a_feature_may_have_the_root(settings: Settings) -> None:
    home = Route("/", lambda _: PlainTextResponse("Home"))
    async with running(settings, features=[Feature("home", routes=[home])]) as api:
        assert (await api.client.get("/", headers={"Accept": "text/html"})).text == "Home"


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("content-type", "text/plain")],
        [("content-type", "application/x-www-form-urlencoded")],
        [("content-type", "multipart/form-data; boundary=x")],
        [("content-type", JSON), ("content-encoding", "gzip")],
    ],
)
async def test_no_form_is_taken(api: Api, headers: list[tuple[str, str]]) -> None:
    response = await send(api, headers)
    assert (response.status_code, refused(response)) == (415, "BAD_REQUEST")
    sent_files = any(value.startswith("multipart") for _, value in headers)
    assert ("No files are taken" in response.text) == sent_files


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ([], JSON),
        (["*/*"], JSON),
        ([f"{GRAPHQL}, {JSON};q=0.9"], GRAPHQL),
        ([f"{JSON} ; q=0.1", f"{GRAPHQL} ; q=0.2"], GRAPHQL),
        ([f"{JSON}, text/event-stream, multipart/mixed"], JSON),
        ([f"multipart/mixed;deferSpec=20220824, {GRAPHQL}, {JSON};q=0.9"], GRAPHQL),
    ],
)
async def test_the_client_chooses_the_media_type(
    api: Api, accept: list[str], media_type: str
) -> None:
    response = await send(api, [("content-type", JSON), *(("accept", value) for value in accept)])
    assert response.status_code == 200
    assert response.headers["content-type"] == f"{media_type}; charset=utf-8"


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "application/*;q=0, */*"])
async def test_no_other_media_type_can_be_had(api: Api, accept: str) -> None:
    response = await send(api, [("content-type", JSON), ("accept", accept)])
    assert (response.status_code, refused(response)) == (406, "BAD_REQUEST")


async def test_who_waits_for_events_or_parts_reads_that_there_are_none(api: Api) -> None:
    events = await send(api, [("content-type", JSON), ("accept", "text/event-stream")])
    parts = await send(api, [("content-type", JSON), ("accept", "multipart/mixed")])
    assert [response.status_code for response in (events, parts)] == [200, 200]
    data = events.text.split("\n\n")[0].partition("\ndata: ")[2]
    content = parts.text.partition("\r\n\r\n")[2].partition("\r\n")[0]
    for text in (data, content):
        assert "no subscriptions" in refusal(json.loads(text))["message"]


@pytest.mark.parametrize("directive", ["defer", "stream"])
async def test_who_asks_for_an_answer_in_parts_reads_to_leave_it_out(
    api: Api, directive: str
) -> None:
    answer = await api.run(f"{{ customers {{ nodes @{directive} {{ id }} }} }}")
    (error,) = answer.errors
    assert error["message"] == (
        f"Unknown directive '@{directive}'. This server answers all at once: leave it out."
    )


async def test_who_asks_for_an_upgrade_reads_that_there_is_none(api: Api) -> None:
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    response = await api.client.get("/graphql", headers=upgrade)
    assert response.status_code == 400
    assert "no subscriptions" in refusal(response.json())["message"]


@pytest.mark.parametrize(("accept", "status"), [(JSON, 200), (GRAPHQL, 400)])
async def test_a_batch_is_refused_in_a_form_that_its_client_shows(
    api: Api, accept: str, status: int
) -> None:
    batch = [{"query": REGISTER}, HELLO]
    for several in (batch, batch * 10):
        response = await api.client.post("/graphql", json=several, headers={"Accept": accept})
        assert response.status_code == status
        answers = response.json()
        assert len(answers) == len(several)
        assert {"HttpLink" in refusal(answer)["message"] for answer in answers} == {True}
    response = await api.client.post("/graphql", json=batch * 11, headers={"Accept": accept})
    assert (response.status_code, refused(response)) == (status, "BAD_REQUEST")
    assert await value(api.database, select(func.count()).select_from(CustomerRow)) == 0


@pytest.mark.parametrize("media_type", [JSON, GRAPHQL])
@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        (JSON, b"{", 400),
        (JSON, b"{}", 400),
        (JSON, b"[]", 400),
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
