"""Bodies at the door: malformed, oversized and hostile ones."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from gql_app.settings import Settings
from tests.api import GRAPHQL, Api, running
from tests.people import Person

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

LIMIT = 256 * 1024
GOOD = b'{"query":"{__typename}"}'


async def post(api: Api, body: bytes | AsyncIterator[bytes]) -> httpx.Response:
    """Post a body as it is."""
    return await api.client.post(
        "/graphql", content=body, headers={"Content-Type": "application/json"}
    )


def padded(size: int) -> bytes:
    """Write a good body of this size."""
    return GOOD + b" " * (size - len(GOOD))


async def in_chunks(body: bytes) -> AsyncIterator[bytes]:
    """Send a body bit by bit, so that no length is announced."""
    for start in range(0, len(body), 64 * 1024):
        yield body[start : start + 64 * 1024]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        GOOD.decode().encode("utf-16"),
        b'{"query":"{__typename}","variables":{"a":' + b"9" * 5000 + b"}}",
        b'{"query":"{__typename}","variables":{"a":' + b"[" * 20_000 + b"]" * 20_000 + b"}}",
        b'{"query":"{__typename}","variables":' + b'{"a":' * 20_000 + b"1" + b"}" * 20_001,
        b"[" * 20_000,
    ],
    ids=lambda body: repr(body[:50]),
)
async def test_a_hostile_body_is_a_bad_request(api: Api, body: bytes) -> None:
    response = await post(api, body)
    assert response.status_code == 400
    (error,) = response.json()["errors"]
    assert error["message"]
    assert error["extensions"]["code"] == "BAD_REQUEST"
    assert list(response.json()) == ["errors"]


async def test_a_body_of_the_very_limit_is_read(api: Api) -> None:
    for body in (padded(LIMIT), in_chunks(padded(LIMIT))):
        assert (await post(api, body)).json() == {"data": {"__typename": "Query"}}


async def test_a_body_over_the_limit_is_refused(api: Api) -> None:
    for body in (padded(LIMIT + 1), in_chunks(padded(LIMIT + 1))):
        response = await post(api, body)
        assert response.status_code == 413
        (error,) = response.json()["errors"]
        assert str(LIMIT) in error["message"]
        assert error["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize("length", [LIMIT + 1, int("9" * 300), "9" * 5_000])
async def test_an_announced_length_over_the_limit_is_refused(api: Api, length: int | str) -> None:
    headers = {"Content-Type": "application/json", "Content-Length": str(length)}
    response = await api.client.post("/graphql", content=GOOD, headers=headers)
    assert response.status_code == 413


async def test_the_limit_is_a_setting(settings: Settings) -> None:
    async with running(settings.model_copy(update={"max_body_bytes": len(GOOD)})) as api:
        assert (await post(api, GOOD)).status_code == 200
        response = await post(api, padded(len(GOOD) + 1))
    assert response.status_code == 413
    assert f" {len(GOOD)} bytes" in response.json()["errors"][0]["message"]


async def test_a_body_without_end_is_not_read_to_its_end(api: Api) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 64 * 1024
            yield b" " * (64 * 1024)

    assert (await post(api, endless())).status_code == 413
    assert sent <= LIMIT + 2 * 64 * 1024


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("{a" * 20_000, "GRAPHQL_VALIDATION_FAILED"),
        ("{a" * 20_000 + "}" * 20_000, "GRAPHQL_VALIDATION_FAILED"),
        ("{customer(id:" + "[" * 20_000, "GRAPHQL_VALIDATION_FAILED"),
        ("{customers(filter:" + "{a:" * 20_000, "GRAPHQL_VALIDATION_FAILED"),
        ("query($a:" + "[" * 20_000 + "Int", "GRAPHQL_VALIDATION_FAILED"),
        ('{customer(id:"', "GRAPHQL_PARSE_FAILED"),
        ("{\0}", "GRAPHQL_PARSE_FAILED"),
        ("{...A} fragment A on Query{...A}", "GRAPHQL_VALIDATION_FAILED"),
        ("{...A} fragment A on Query{...B} fragment B on Query{...A}", "GRAPHQL_VALIDATION_FAILED"),
        ("{...Nobody}", "GRAPHQL_VALIDATION_FAILED"),
        ("{" + "a " * 2_000 + "}", "GRAPHQL_VALIDATION_FAILED"),
        ("{__typename " + "@skip(if:true)" * 2_000 + "}", "GRAPHQL_VALIDATION_FAILED"),
        ("{__typename " + "@a" * 2_000 + "}", "GRAPHQL_VALIDATION_FAILED"),
        ("{customers(first:" + "9" * 5_000 + "){totalCount}}", "GRAPHQL_VALIDATION_FAILED"),
        ("{customers(first:1e999){totalCount}}", "GRAPHQL_VALIDATION_FAILED"),
        (
            "{...f0}"
            + "".join(f"fragment f{n} on Query{{...f{n + 1}}}" for n in range(2_000))
            + "fragment f2000 on Query{__typename}",
            "GRAPHQL_VALIDATION_FAILED",
        ),
    ],
    ids=lambda value: value[:50],
)
async def test_a_hostile_document_is_the_callers_mistake(
    api: Api, document: str, code: str
) -> None:
    answer = await api.run(document, accept=GRAPHQL)
    assert answer.status == 400
    assert 1 <= len(answer.errors) <= 5
    assert {error["extensions"]["code"] for error in answer.errors} == {code}


@pytest.mark.parametrize(
    "value",
    [
        "[" * 1_000 + "]" * 1_000,
        '{"search":' * 1_000 + "1" + "}" * 1_000,
        '{"search":' + "[" * 1_000 + "]" * 1_000 + "}",
        "[" + "1," * 100_000 + "1]",
        '{"search":"' + "x" * 200_000 + "\\u0000" + '"}',
        "1e999",
        "-0.0",
        "9" * 4_000,
    ],
    ids=lambda value: value[:20],
)
async def test_a_hostile_variable_is_the_callers_mistake(
    api: Api, admin: Person, value: str
) -> None:
    query = "query($f:CustomerFilter){customers(filter:$f){totalCount}}"
    body = f'{{"query":"{query}","variables":{{"f":{value}}}}}'.encode()
    sent = {"Content-Type": "application/json", "Authorization": f"Bearer {admin.token}"}
    response = await api.client.post("/graphql", content=body, headers=sent)
    codes = {error["extensions"]["code"] for error in response.json().get("errors", [])}
    assert codes <= {"BAD_USER_INPUT", "BAD_REQUEST"}
    assert len(response.content) < 10_000


@pytest.mark.parametrize("digits", [20, 300])
async def test_a_variable_too_large_for_its_type_is_refused(api: Api, digits: int) -> None:
    query = "query($n:Int){customers(first:$n){totalCount}}"
    body = json.dumps({"query": query, "variables": {"n": int("9" * digits)}}).encode()
    (error,) = (await post(api, body)).json()["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
