"""Requests as they come: by body and by URL, malformed, oversized and hostile ones."""

import json
from typing import Final
from urllib.parse import quote, urlencode

import pytest
from starlette.types import Message

from gql_app.lib.engine import GraphQLRequest
from gql_app.lib.graphql_http import (
    AutomaticDocuments,
    RequestError,
    RequestReader,
    headers_of,
    mutation_by_get,
    read_body,
)
from gql_app.lib.graphql_http.errors import RETRY
from gql_app.lib.graphql_http.messages import METHODS

JSON: Final = "application/json"
GOOD: Final = b'{"query":"{__typename}"}'
LIMIT: Final = 4096
OK: Final = GraphQLRequest("{__typename}", None, {})


async def read(
    method: str = "POST",
    body: bytes = b"",
    url: str | bytes = b"",
    headers: list[tuple[str, str]] | None = None,
    media_type: str | None = JSON,
) -> GraphQLRequest:
    """Read a request; a body is JSON unless headers are given."""
    given = [("content-type", JSON)] if headers is None else headers
    scope = {
        "method": method,
        "query_string": url.encode() if isinstance(url, str) else url,
        "headers": [(name.encode(), value.encode()) for name, value in given],
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    reader = RequestReader(AutomaticDocuments(), LIMIT)
    request, new = await reader.read(scope, headers_of(scope), receive, media_type)
    assert new is None
    return request


async def refused(
    method: str = "POST",
    body: bytes = b"",
    url: str | bytes = b"",
    headers: list[tuple[str, str]] | None = None,
    media_type: str | None = JSON,
) -> RequestError:
    """Return why a request is refused, in a sentence that repeats nothing of it."""
    with pytest.raises(RequestError) as caught:
        await read(method, body, url, headers, media_type)
    assert caught.value.message.endswith(".")
    assert "SECRET" not in caught.value.message
    return caught.value


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
async def test_json_in_utf_8_is_taken(content_type: str) -> None:
    assert await read(body=GOOD, headers=[("content-type", content_type)]) == OK


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
async def test_any_other_body_is_no_media_for_graphql(headers: list[tuple[str, str]]) -> None:
    why = await refused(body=GOOD, headers=headers)
    assert (why.status_code, why.code) == (415, "BAD_REQUEST")
    assert ("No files" in why.message) == ("multipart" in str(headers))


def with_variables(value: str) -> bytes:
    """Write a body whose one variable is this text of JSON."""
    return f'{{"query":"{{__typename}}","variables":{{"a":{value}}}}}'.encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{ __typename }",
        b'{"query":"{__typename}"',
        GOOD + b"}",
        GOOD + GOOD,
        b"{'query':'{__typename}'}",
        b"null",
        b"true",
        b"1",
        b'"{ __typename }"',
        b"[]",
        b"\xef\xbb\xbf" + GOOD,
        GOOD.decode().encode("utf-16"),
        GOOD.decode().encode("utf-16-le"),
        b'{"query":"{__typename} # \xff"}',
        b'{"query":"{__typename} # \\ud800"}',
        b'{"query":"{__typename} # \n"}',
        with_variables("NaN"),
        with_variables("Infinity"),
        with_variables("9" * 3000),
        with_variables('"\\ud800"'),
        with_variables("[" * 2_000 + "]" * 2_000),
        b"[" * 4_000,
        b"{}",
        b'{"query":null}',
        b'{"query":1}',
        b'{"query":["{__typename}"]}',
        b'{"query":""}',
        b'{"query":" \\n\\t"}',
        b'{"query":"{__typename}","operationName":1}',
        b'{"query":"{__typename}","variables":[]}',
        b'{"query":"{__typename}","variables":"{}"}',
        b'{"query":"{__typename}","extensions":[]}',
        b'{"query":"{__typename}","documentId":1}',
        b'{"query":"{__typename}","extensions":{"persistedQuery":1}}',
        b'{"query":"{__typename}","extensions":{"persistedQuery":{"version":1}}}',
        b'{"extensions":{"persistedQuery":{"version":1,"sha256Hash":["SECRET"]}}}',
        b'{"extensions":{"persistedQuery":{"version":1,"sha256Hash":""}}}',
    ],
    ids=lambda body: repr(body[:50]),
)
async def test_a_malformed_body_is_a_bad_request(body: bytes) -> None:
    why = await refused(body=body)
    assert (why.status_code, why.code, why.outcome) == (400, "BAD_REQUEST", "BAD_REQUEST")


@pytest.mark.parametrize("text", ["[" * 1_200, "1e999", "{", '"\\ud800"'])
async def test_json_that_cannot_be_read_is_told_with_its_causes(text: str) -> None:
    found = [await refused(body=with_variables(text))]
    found.append(await refused("GET", url=urlencode({"query": "{a}", "variables": text})))
    expected = " JSON{}, or is nested too deeply, or has a number out of range."
    assert found[0].message.endswith(expected.format(" in UTF-8"))
    assert found[1].message.endswith(expected.format(""))


@pytest.mark.parametrize(
    "extra",
    [
        '"operationName":null',
        '"operationName":""',
        '"variables":null',
        '"extensions":null',
        '"extensions":{"a":1}',
        '"extensions":{"persistedQuery":null}',
        '"documentId":null',
    ],
)
async def test_what_may_be_left_out_may_be_null(extra: str) -> None:
    assert await read(body=f'{{"query":"{{__typename}}",{extra}}}'.encode()) == OK


async def test_a_body_over_the_limit_is_refused() -> None:
    assert await read(body=GOOD.ljust(LIMIT)) == OK
    for body, length in ((GOOD.ljust(LIMIT + 1), ""), (GOOD, f"{LIMIT + 1}"), (GOOD, "9" * 5_000)):
        why = await refused(body=body, headers=[("content-length", length)])
        assert (why.status_code, why.code) == (413, "BAD_USER_INPUT")
        assert str(LIMIT) in why.message


async def test_a_body_that_ends_too_soon_is_refused() -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    with pytest.raises(RequestError, match="too soon"):
        await read_body(headers_of({"headers": []}), receive, LIMIT)


@pytest.mark.parametrize("version", ["0", "2", '"1"', "null"])
async def test_another_version_of_persisted_queries_is_not_supported(version: str) -> None:
    text = f'{{"persistedQuery":{{"version":{version},"sha256Hash":"a"}}}}'
    for method, body, url in (
        ("POST", f'{{"extensions":{text}}}'.encode(), ""),
        ("GET", b"", f"extensions={text}"),
    ):
        with pytest.raises(RequestError) as caught:
            await read(method, body, url)
        assert caught.value.message == "PersistedQueryNotSupported"
        assert caught.value.code == "PERSISTED_QUERY_NOT_SUPPORTED"


@pytest.mark.parametrize("document_id", ["b", "sha256:b", "A"])
async def test_one_request_names_one_document(document_id: str) -> None:
    hashed = '"extensions":{"persistedQuery":{"version":1,"sha256Hash":"a"}}'
    why = await refused(body=f'{{"documentId":"{document_id}",{hashed}}}'.encode())
    assert (why.status_code, why.code) == (400, "BAD_REQUEST")
    for same in ("a", "sha256:a"):
        with pytest.raises(RequestError) as caught:
            await read(body=f'{{"documentId":"{same}",{hashed}}}'.encode())
        assert caught.value.code == "PERSISTED_QUERY_NOT_FOUND"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_query_comes_in_the_url_too(method: str) -> None:
    url = urlencode(
        {
            "query": "query A($n: String!) { a(n: $n) }",
            "operationName": "A",
            "variables": '{"n": "ä+ &"}',
            "extensions": '{"a": 1}',
            "access_token": "SECRET",
        }
    )
    text, variables = "query A($n: String!) { a(n: $n) }", {"n": "ä+ &"}
    expected = GraphQLRequest(text, "A", variables, queries_only=True)
    assert await read(method, url=url) == expected


@pytest.mark.parametrize(
    "url", ["", "operationName=", "variables=null&extensions=null", "variables="]
)
async def test_what_may_be_left_out_of_a_url_may_be_empty_or_null(url: str) -> None:
    assert await read("GET", url=f"query={{__typename}}&{url}") == OK._replace(queries_only=True)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "query",
        "query=",
        "query=%20+",
        "QUERY={__typename}",
        "query={__typename}&query={SECRET}",
        "query={__typename}&variables={}&variables={}",
        "query={__typename}&variables=SECRET",
        "query={__typename}&variables=[]",
        "query={__typename}&variables=1",
        'query={__typename}&variables={"a":NaN}',
        'query={__typename}&variables={"a":"%5cud800"}',
        "query={__typename}&extensions=%ff",
        "query={__typename}&extensions=[]",
        'query={__typename}&extensions={"persistedQuery":{"version":1}}',
        "query={__typename}%ff",
        "query=%ED%A0%80",
        b"query={__typename}\xff",
        "a&" * 200 + "query={__typename}",
        "variables=" + quote("[" * 1000),
        "access_token=SECRET",
    ],
)
async def test_a_malformed_url_is_a_bad_request(url: str | bytes) -> None:
    why = await refused("GET", url=url)
    assert (why.status_code, why.code) == (400, "BAD_REQUEST")


async def test_a_url_has_at_most_a_hundred_fields() -> None:
    url = "a&" * 99 + "query={__typename}"
    assert await read("GET", url=url) == OK._replace(queries_only=True)
    why = await refused("GET", url=f"a&{url}")
    assert (why.status_code, why.detail) == (400, "The URL's query has more than 100 fields")


async def test_a_url_over_the_limit_is_too_long() -> None:
    start = "query={__typename}&a="
    assert await read("GET", url=start.ljust(LIMIT, "a"))
    why = await refused("GET", url=start.ljust(LIMIT + 1, "a"))
    assert (why.status_code, why.code) == (414, "BAD_USER_INPUT")
    assert str(LIMIT) in why.message


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE"])
@pytest.mark.parametrize("media_type", [JSON, "text/event-stream", None])
async def test_any_other_method_is_refused_naming_those_there_are(
    method: str, media_type: str | None
) -> None:
    why = await refused(method, GOOD, media_type=media_type)
    assert (why.status_code, why.headers) == (405, METHODS)
    assert shown(why, media_type)[:2] == (405, f"{JSON}; charset=utf-8")


def test_a_mutation_by_get_is_refused_naming_post() -> None:
    why = mutation_by_get()
    assert (why.status_code, why.headers) == (405, METHODS)
    assert "POST" in why.message


@pytest.mark.parametrize("media_type", ["text/event-stream", "multipart/mixed", None])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_no_answer_can_be_had_in_parts(method: str, media_type: str | None) -> None:
    why = await refused(method, GOOD, url="query={__typename}", media_type=media_type)
    assert (why.status_code, why.outcome) == (406, "NOT_ACCEPTABLE")
    assert JSON in why.message


@pytest.mark.parametrize("protocol", ["websocket", "WebSocket", "h2c, websocket"])
async def test_who_asks_for_a_websocket_is_told_that_there_is_none(protocol: str) -> None:
    why = await refused("GET", url="query={__typename}", headers=[("upgrade", protocol)])
    assert why.status_code == 400
    assert "WebSocket" in why.message
    assert await read("GET", url="query={__typename}", headers=[("upgrade", "h2c")])


def shown(why: RequestError, media_type: str | None) -> tuple[int, str, bytes]:
    """Return a refusal's status, media type and body."""
    response = why.response(media_type)
    return response.status_code, response.headers["content-type"], bytes(response.body)


NO: Final = RequestError(406, "No.", headers={"X-A": "b"})
ERROR: Final = {"errors": [{"message": "No.", "extensions": {"code": "BAD_REQUEST"}}]}


def test_a_refusal_is_of_the_media_type_that_was_asked_for() -> None:
    for media_type in (JSON, "application/graphql-response+json"):
        status, content_type, body = shown(NO, media_type)
        assert (status, content_type) == (406, f"{media_type}; charset=utf-8")
        assert json.loads(body) == ERROR
    assert NO.response(None).headers["content-type"] == f"{JSON}; charset=utf-8"
    assert NO.response(JSON).headers["x-a"] == "b"


def test_a_client_of_events_is_told_by_an_event() -> None:
    status, content_type, body = shown(NO, "text/event-stream")
    assert (status, content_type) == (200, "text/event-stream; charset=utf-8")
    event, end = body.decode().rstrip().split("\n\n")
    retry, kind, data = event.split("\n")
    assert retry == f"retry: {RETRY}"
    assert (kind, end) == ("event: next", "event: complete\ndata:")
    assert json.loads(data.removeprefix("data: ")) == ERROR


def test_a_client_of_parts_is_told_by_one() -> None:
    status, content_type, body = shown(NO, "multipart/mixed")
    assert (status, content_type) == (200, 'multipart/mixed; boundary="-"')
    before, part, after = body.split(b"\r\n---")
    head, _, content = part.partition(b"\r\n\r\n")
    assert (before, head) == (b"", b"\r\nContent-Type: application/json; charset=utf-8")
    assert (json.loads(content), after) == (ERROR, b"--\r\n")


@pytest.mark.parametrize("operations", [1, 2, 20])
@pytest.mark.parametrize(
    ("media_type", "status"), [(JSON, 200), ("application/graphql-response+json", 400)]
)
async def test_a_batch_is_refused_one_by_one(operations: int, media_type: str, status: int) -> None:
    body = b"[%b]" % b",".join([GOOD] * operations)
    answer = shown(await refused(body=body), media_type)
    assert answer[0] == status
    each, *others = json.loads(answer[2])
    assert others == [each] * (operations - 1)
    (error,) = each["errors"]
    assert "HttpLink" in error["message"]
    assert error["extensions"] == {"code": "BAD_REQUEST"}


async def test_a_larger_batch_has_one_refusal() -> None:
    why = await refused(body=b"[%b]" % b",".join([b"1"] * 21))
    for media_type, status in ((JSON, 200), ("application/graphql-response+json", 400)):
        answer = shown(why, media_type)
        assert answer[0] == status
        assert list(json.loads(answer[2])) == ["errors"]
    assert why.outcome == "BAD_REQUEST"
