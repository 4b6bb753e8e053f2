"""What every answer bears, whatever it is."""

from uuid import UUID

import httpx
import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from gql_app.app import create_app
from gql_app.extending.feature import Feature
from gql_app.settings import Settings
from gql_app.web.middleware import RequestLogMiddleware, ServerErrorMiddleware
from gql_app.web.responses import explain
from tests.api import Api, running
from tests.web.test_lines import lines

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def fail(settings: Settings) -> httpx.Response:
    """Ask an application that was never started, so that it has nothing to answer with."""
    transport = httpx.ASGITransport(create_app(settings))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get("/readyz")


async def answers(api: Api, settings: Settings) -> list[httpx.Response]:
    """Gather answers of many kinds, good and bad."""
    client = api.client
    return [
        await client.post("/graphql", json={"query": "{ __typename }"}),
        await client.get("/graphql", headers={"Accept": "text/html"}),
        await client.get("/livez"),
        await client.get("/readyz"),
        await client.get("/nowhere"),
        await client.delete("/graphql"),
        await client.post("/livez"),
        await client.post("/graphql", json=[]),
        await client.post("/graphql", json={}, headers={"Accept": "image/png"}),
        await client.post("/graphql", content=b"{}"),
        await client.post("/graphql", content=b" " * 300_000),
        await fail(settings),
    ]


async def test_every_answer_bears_an_id_of_its_own(api: Api, settings: Settings) -> None:
    responses = await answers(api, settings)
    statuses = [response.status_code for response in responses]
    assert statuses == [200, 200, 200, 200, 404, 405, 405, 400, 406, 415, 413, 500]
    assert len({UUID(response.headers["x-request-id"]) for response in responses}) == 12


async def test_every_answer_bears_the_headers_of_safety(api: Api, settings: Settings) -> None:
    for response in await answers(api, settings):
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["referrer-policy"] == "no-referrer"
        assert response.headers["x-frame-options"] == "DENY"
        assert response.headers["cross-origin-resource-policy"] == "same-origin"
        assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
        assert "charset=utf-8" in response.headers["content-type"]
        assert not {"server", "strict-transport-security", "vary"} & set(response.headers)
        if response.headers["content-type"].startswith("application/"):
            assert "default-src 'none'" in response.headers["content-security-policy"]


async def test_the_playground_may_load_its_scripts(api: Api) -> None:
    page = await api.client.get("/graphql", headers={"Accept": "text/html"})
    policy = page.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "connect-src 'self';" in policy


async def test_https_is_asked_for_once_it_is_there(api: Api) -> None:
    for path in ("/graphql", "/livez", "/nowhere"):
        response = await api.client.get(f"https://test{path}")
        assert response.headers["strict-transport-security"] == "max-age=63072000"


@pytest.mark.parametrize("path", ["/x", "/graphql/", "/graphql/x", "/livez/", "/GRAPHQL", "/%00"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_unknown_path_is_not_found(api: Api, method: str, path: str) -> None:
    response = await api.client.request(method, path, headers={"Host": "evil.example"})
    assert response.status_code == 404
    assert "location" not in response.headers
    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] == "BAD_REQUEST"


async def test_what_nobody_foresaw_is_told_by_its_id_alone(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    response = await fail(settings)
    request_id = response.headers["x-request-id"]
    assert response.status_code == 500
    (error,) = response.json()["errors"]
    assert error["extensions"] == {"code": "INTERNAL_SERVER_ERROR", "requestId": request_id}
    assert request_id in error["message"]
    assert "Traceback" not in response.text
    assert "resources" not in response.text
    failure, request = lines(capsys)
    assert (failure["level"], failure["request_id"]) == ("error", request_id)
    assert "AttributeError" in failure["exception"]
    assert (request["status"], request["request_id"]) == (500, request_id)


@pytest.mark.usefixtures("database_url")
async def test_an_answer_that_has_begun_is_not_begun_again() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise LookupError

    transport = httpx.ASGITransport(RequestLogMiddleware(ServerErrorMiddleware(app)))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        with pytest.raises(LookupError):
            await client.get("/")


@pytest.mark.usefixtures("database_url")
@pytest.mark.parametrize("detail", ["Out of stock", "Out of stock."])
async def test_refusal_of_a_route_ends_with_one_full_stop(detail: str) -> None:
    told = await explain(Request({"type": "http"}), HTTPException(409, detail))
    assert b'"message":"Out of stock."' in told.body


async def answered(request: Request) -> Response:
    """Answer with the status that is asked for."""
    return Response(status_code=int(request.path_params["status"]))


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (299, "299"),
        (413, "REQUEST_ENTITY_TOO_LARGE"),
        (414, "REQUEST_URI_TOO_LONG"),
        (416, "REQUESTED_RANGE_NOT_SATISFIABLE"),
        (422, "UNPROCESSABLE_ENTITY"),
    ],
)
async def test_status_of_a_route_has_the_same_name_under_every_python(
    settings: Settings, capsys: pytest.CaptureFixture[str], status: int, name: str
) -> None:
    feature = Feature("site", routes=[Route("/answer/{status}", answered)])
    async with running(settings, features=[feature]) as api:
        response = await api.client.get(f"/answer/{status}")
        (line,) = lines(capsys)
    assert (response.status_code, line["status"], line["outcome"]) == (status, status, name)
