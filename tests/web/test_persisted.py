"""Documents that are named by a hash or an id, as clients of many kinds send them."""

import json
from collections.abc import AsyncIterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from sqlalchemy import func, select

from gql_app.app import create_app
from gql_app.db.tables import CustomerRow
from gql_app.lib.faults import CannotStart
from gql_app.lib.graphql_http import documents
from gql_app.settings import Settings
from gql_app.web.pages.playground import BUILT
from tests.api import GRAPHQL, Api, running
from tests.people import PASSWORD
from tests.rows import value
from tests.scraping import numbers
from tests.web.test_graphql import JSON, REGISTER, refusal

HELLO: Final = "query Hello { __typename }"
NOT_FOUND: Final = {"message": "PersistedQueryNotFound", "code": "PERSISTED_QUERY_NOT_FOUND"}
ANSWER: Final = {"data": {"__typename": "Query"}}

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def hashed(text: str, **more: object) -> dict[str, Any]:
    """Return a request as Apollo's and urql's links make it, which name a text by its hash."""
    digest = sha256(text.encode()).hexdigest()
    return {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest}}, **more}


async def ask(
    api: Api, method: str, request: Mapping[str, object], accept: str = JSON
) -> httpx.Response:
    """Send a request by a method."""
    headers = {"Accept": accept}
    if method == "POST":
        return await api.client.post("/graphql", json=request, headers=headers)
    params = {k: v if isinstance(v, str) else json.dumps(v) for k, v in request.items()}
    return await api.client.get("/graphql", params=params, headers=headers)


@pytest.mark.parametrize("accept", [JSON, GRAPHQL])
@pytest.mark.parametrize(("first", "then"), [("POST", "GET"), ("GET", "POST")])
async def test_a_hash_is_known_once_its_text_has_come(
    api: Api, first: str, then: str, accept: str
) -> None:
    for method in ("GET", "POST"):
        unknown = await ask(api, method, hashed(HELLO), accept)
        assert (unknown.status_code, refusal(unknown.json())) == (400, NOT_FOUND)
    assert (await ask(api, first, hashed(HELLO, query=HELLO), accept)).json() == ANSWER
    known = await ask(api, then, hashed(HELLO), accept)
    assert (known.status_code, known.json()) == (200, ANSWER)
    digest = hashed(HELLO)["extensions"]["persistedQuery"]["sha256Hash"]
    assert (await ask(api, then, {"documentId": f"sha256:{digest}"}, accept)).json() == ANSWER
    now = await numbers(api)
    missed = {"operation": "none", "outcome": "PERSISTED_QUERY_NOT_FOUND"}
    assert now.of("gql_app_requests_total", **missed) == 2
    assert now.of("gql_app_refusals_total", reason="PERSISTED_QUERY_NOT_FOUND") == 2


async def test_a_hash_of_another_text_is_refused(api: Api) -> None:
    for method in ("GET", "POST"):
        response = await ask(api, method, hashed(HELLO, query=REGISTER))
        assert response.status_code == 400
        assert refusal(response.json())["code"] == "PERSISTED_QUERY_HASH_MISMATCH"
    for text in (HELLO, REGISTER):
        assert refusal((await ask(api, "POST", hashed(text))).json()) == NOT_FOUND


@pytest.mark.parametrize(
    "text", ["{ nobody }", "{", "{ customers { nodes { id " * 200, "query A { __typename } query A"]
)
async def test_nothing_is_kept_that_is_not_valid(api: Api, text: str) -> None:
    for method in ("GET", "POST"):
        assert (await ask(api, method, hashed(text, query=text))).json()["errors"]
        assert refusal((await ask(api, method, hashed(text))).json()) == NOT_FOUND


@pytest.mark.parametrize("name", [{}, {"operationName": "C"}])
@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_what_is_valid_is_kept_although_it_is_not_told_which_operation_to_run(
    api: Api, method: str, name: dict[str, str]
) -> None:
    text = "query A { __typename } query B { me { id } }"
    response = await ask(api, method, hashed(text, query=text, **name), GRAPHQL)
    assert response.status_code == 400
    assert refusal(response.json())["code"] == "OPERATION_RESOLUTION_FAILURE"
    assert (await ask(api, method, hashed(text, operationName="A"))).json() == ANSWER


async def test_no_mutation_is_run_or_kept_by_get(api: Api) -> None:
    unnamed = hashed(REGISTER, query=REGISTER)
    for request in (unnamed, {**unnamed, "operationName": "None"}, hashed(REGISTER)):
        assert (await ask(api, "GET", request, GRAPHQL)).status_code in {400, 405}
    assert refusal((await ask(api, "POST", hashed(REGISTER))).json()) == NOT_FOUND
    posted = await ask(api, "POST", hashed(REGISTER, query=REGISTER))
    assert posted.json() == {"data": {"register": {"status": "SUCCESS"}}}
    assert (await ask(api, "GET", hashed(REGISTER))).status_code == 405
    assert await value(api.database, select(func.count()).select_from(CustomerRow)) == 1


async def test_each_process_keeps_its_own(settings: Settings) -> None:
    async with running(settings) as one, running(settings) as other:
        assert (await ask(one, "POST", hashed(HELLO, query=HELLO))).json() == ANSWER
        assert refusal((await ask(other, "POST", hashed(HELLO))).json()) == NOT_FOUND
        assert (await ask(other, "POST", hashed(HELLO, query=HELLO))).json() == ANSWER
        for api in (one, other):
            assert (await ask(api, "GET", hashed(HELLO))).json() == ANSWER


async def test_what_gave_way_to_others_is_asked_for_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "MAX_BYTES", max_bytes := documents.MAX_BYTES // 8)
    async with running(settings) as api:
        await check_giving_way(api, settings, max_bytes)


async def check_giving_way(api: Api, settings: Settings, max_bytes: int) -> None:
    """Send twice as many texts as are kept, so that the first gives way."""
    assert (await ask(api, "POST", hashed(HELLO, query=HELLO))).json() == ANSWER
    sent = 0
    while sent < 2 * max_bytes:
        text = f"{{ __typename }} # {sent}".ljust(settings.max_document_length)
        assert (await ask(api, "POST", hashed(text, query=text))).json() == ANSWER
        sent += len(text)
    assert refusal((await ask(api, "POST", hashed(HELLO))).json()) == NOT_FOUND
    assert (await ask(api, "POST", hashed(HELLO, query=HELLO))).json() == ANSWER
    assert (await ask(api, "GET", hashed(HELLO))).json() == ANSWER


async def test_another_version_of_the_protocol_has_clients_send_texts(api: Api) -> None:
    for version in (0, 2, "1", None):
        request = hashed(HELLO)
        request["extensions"]["persistedQuery"]["version"] = version
        response = await ask(api, "POST", request)
        assert response.status_code == 400
        assert refusal(response.json()) == {
            "message": "PersistedQueryNotSupported",
            "code": "PERSISTED_QUERY_NOT_SUPPORTED",
        }


LISTED: Final = {"hello-1": HELLO, "register-1": REGISTER}


@pytest.fixture
def listing(settings: Settings, tmp_path: Path) -> Settings:
    """Set up a list of trusted documents."""
    file = tmp_path / "documents.json"
    file.write_text(json.dumps(LISTED))
    return settings.model_copy(update={"trusted_documents": file})


@pytest.fixture
async def trusting(listing: Settings) -> AsyncIterator[Api]:
    """Run an API that runs what is listed, and nothing else."""
    async with running(listing) as api:
        yield api


async def code(api: Api, request: Mapping[str, object]) -> str:
    """Return the code of a request that is refused by a server with a list, by POST and by GET."""
    told = set()
    for method in ("POST", "GET"):
        response = await ask(api, method, request)
        assert response.status_code == 400
        told.add(refusal(response.json())["code"])
    (once,) = told
    return once


async def test_what_is_listed_runs(trusting: Api) -> None:
    for method in ("GET", "POST"):
        for request in (
            {"documentId": "hello-1"},
            {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "hello-1"}}},
            {"query": HELLO},
            hashed(HELLO),
            hashed(HELLO, query=HELLO),
        ):
            assert (await ask(trusting, method, request)).json() == ANSWER
    refused = await ask(trusting, "GET", {"documentId": "register-1"})
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, POST, OPTIONS")
    done = await ask(trusting, "POST", {"documentId": "register-1"})
    assert done.json() == {"data": {"register": {"status": "SUCCESS"}}}


async def test_nothing_else_runs(trusting: Api) -> None:
    other = "{ __typename }"
    for request in (
        {"query": other},
        {"query": f"{HELLO} "},
        {"query": "{ nobody }"},
        {"query": "{ __schema { queryType { name } } }"},
        {"documentId": "unknown"},
        hashed(other),
        hashed(other, query=other),
    ):
        assert await code(trusting, request) == "PERSISTED_QUERY_NOT_IN_LIST"
    playground = {"graphql-client-name": "playground"}
    answer = await trusting.run(other, headers=playground)
    assert answer.code() == "PERSISTED_QUERY_NOT_IN_LIST"
    mismatched = {"documentId": "hello-1", "query": other}
    assert await code(trusting, mismatched) == "PERSISTED_QUERY_HASH_MISMATCH"
    now = await numbers(trusting)
    assert now.of("gql_app_refusals_total", reason="PERSISTED_QUERY_NOT_IN_LIST") == 15


async def test_what_the_pages_send_always_runs(trusting: Api, listing: Settings) -> None:
    sent: dict[str, str] = json.loads((BUILT / "operations.json").read_text())
    account = {"name": "Ada Typed", "email": "a@example.com", "password": PASSWORD}
    variables = {**account, "input": account, "refreshToken": "x", "token": "x"}
    variables |= {"newPassword": PASSWORD, "challenge": "x", "code": "x", "id": "x"}
    variables["credential"] = {}
    closed = listing.model_copy(update={"playground": False})
    async with running(closed) as without_page:
        for text in sent.values():
            asked = {name: each for name, each in variables.items() if f"${name}:" in text}
            request = {"query": text, "variables": asked}
            answer = await ask(trusting, "POST", request)
            assert "data" in answer.json(), text
            refused = await ask(without_page, "POST", request)
            assert refusal(refused.json())["code"] == "PERSISTED_QUERY_NOT_IN_LIST"


async def test_playground_and_introspection_may_be_excepted(listing: Settings) -> None:
    both = listing.model_copy(update={"trusted_documents_allow": ("playground", "introspection")})
    async with running(both) as api:
        playground = {"graphql-client-name": "playground"}
        assert (await api.run("{ __typename }", headers=playground)).body == ANSWER
        assert (await api.run("{ __schema { queryType { name } } }")).data
        answer = await api.run("{ token { valid } }")
        assert answer.code() == "PERSISTED_QUERY_NOT_IN_LIST"


def test_a_list_that_is_none_stops_the_start_in_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: Settings
) -> None:
    file = tmp_path / "documents.json"
    file.write_text("[]")
    for name, given in (
        ("DATABASE_URL", settings.database_url),
        ("TRUSTED_DOCUMENTS", str(file)),
        ("TRUSTED_DOCUMENTS_ALLOW", "everything"),
    ):
        monkeypatch.setenv(f"GQL_APP_{name}", given)
    with pytest.raises(CannotStart) as caught:
        create_app()
    first, second = caught.value.faults
    assert first.startswith(f"GQL_APP_TRUSTED_DOCUMENTS: {file} is neither an object of ids")
    assert second == (
        "GQL_APP_TRUSTED_DOCUMENTS_ALLOW: must be playground, introspection or both, "
        "comma-separated"
    )
