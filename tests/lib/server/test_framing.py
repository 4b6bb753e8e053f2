"""Framing that servers read differently: it is refused, and the connection closed."""

import pytest
from starlette.exceptions import HTTPException

from gql_app.lib.server.parser import check_framing
from tests.peers import ANSWER, HELLO, LAST, ask, chunked, head, post
from tests.processes import Server

pytestmark = pytest.mark.xdist_group("narrow")

GET = b"GET /livez HTTP/1.1"
CHUNKED = head(b"Transfer-Encoding: chunked")


def closes(server: Server, data: bytes) -> tuple[int, str]:
    """Return the one answer to what is no request; the good one after it is not read."""
    (answer,) = ask(server, data + post())
    assert answer.headers["connection"] == "close"
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "x-request-id" in answer.headers
    return answer.status, answer.code


@pytest.mark.parametrize(
    "headers",
    [
        [b"Content-Length: 24", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: chunked", b"Content-Length: 24"],
        [b"Transfer-Encoding: identity", b"Content-Length: 24"],
        [b"Transfer-Encoding:", b"Content-Length: 24"],
        [b"Content-Length: 24", b"Content-Length: 24"],
        [b"Content-Length: 24", b"Content-Length: 25"],
        [b"Content-Length: 24, 24"],
        [b"Content-Length: +24"],
        [b"Content-Length: -24"],
        [b"Content-Length: 0x18"],
        [b"Content-Length: 2 4"],
        [b"Content-Length:"],
        [b"Content-Length: 99999999999999999999"],
        [b"Content-Length : 24"],
        [b"Content-Length\t: 24"],
        [b"Content-Length: 24\r\n 0"],
        [b"X: a\r\n folded"],
        [b" Host: test"],
        [b"Content-Length: 24\nX: bare"],
        [b"Content-Length: 24\rX: bare"],
        [b"Transfer-Encoding: chunked, gzip"],
        [b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"],
        [b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding:\x0bchunked"],
        [b"Transfer-Encoding:\r\n chunked"],
        [b"X: \x00"],
        [b"X: \x7f"],
        [b"X(: a"],
        [b": a"],
        [b"no colon"],
    ],
    ids=repr,
)
def test_an_ambiguous_head_ends_the_connection(narrow: Server, headers: list[bytes]) -> None:
    assert closes(narrow, head(*headers) + HELLO) == (400, "BAD_REQUEST")


@pytest.mark.parametrize(
    "body",
    [
        b"0x1\r\na\r\n0\r\n\r\n",
        b"+1\r\na\r\n0\r\n\r\n",
        b"-1\r\na\r\n0\r\n\r\n",
        b" 1\r\na\r\n0\r\n\r\n",
        b"1 \r\na\r\n0\r\n\r\n",
        b"1\na\r\n0\r\n\r\n",
        b"1\r\na\n0\r\n\r\n",
        b"1\r\nab\r\n0\r\n\r\n",
        b"1;a\nb\r\na\r\n0\r\n\r\n",
        b'1;a="\r\n"\r\na\r\n0\r\n\r\n',
        b"\r\na\r\n0\r\n\r\n",
        b"1ffffffffffffffff\r\na\r\n0\r\n\r\n",
        b"1\r\na\r\n0\r\nContent-Length: 5\r\n\r\n",
        b"1\r\na\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    ids=repr,
)
def test_a_chunk_of_unclear_size_ends_the_connection(narrow: Server, body: bytes) -> None:
    assert closes(narrow, CHUNKED + body) == (400, "BAD_REQUEST")


@pytest.mark.parametrize(
    "coding", [b"gzip", b"gzip, chunked", b"identity", b"xchunked", b'"chunked"', b"chunked;q=1"]
)
def test_no_transfer_coding_but_chunked_is_known(narrow: Server, coding: bytes) -> None:
    assert closes(narrow, head(b"Transfer-Encoding: " + coding)) == (400, "BAD_REQUEST")


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"POST /graphql HTTP/0.9", 400),
        (b"POST /graphql HTTP/2.0", 400),
        (b"POST /graphql", 400),
        (b"POST /graphql HTTP/1.2", 400),
        (b"POST /graphql HTTP/1.10", 400),
        (b"POST /graphql HTTP/1.1 ", 400),
        (b"POST\t/graphql\tHTTP/1.1", 400),
        (b"POST /a b HTTP/1.1", 400),
        (b"POST /\xc3\xa4 HTTP/1.1", 400),
        (b"POST graphql HTTP/1.1", 400),
        (b"POST http://elsewhere/graphql HTTP/1.1", 400),
        (b"POST ftp://127.0.0.1/graphql HTTP/1.1", 400),
        (b"POST http://127.0.0.1 HTTP/1.1", 400),
        (b"OPTIONS * HTTP/1.1", 400),
        (b"CONNECT test:80 HTTP/1.1", 400),
        (b"PRI * HTTP/2.0", 400),
        (b"post /graphql HTTP/1.1", 400),
        (b"HACK /graphql HTTP/1.1", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    ],
)
def test_a_line_that_is_not_of_http_1_ends_the_connection(
    narrow: Server, line: bytes, status: int
) -> None:
    assert closes(narrow, head(line=line)) == (status, "BAD_REQUEST")


@pytest.mark.parametrize(
    "head",
    [
        GET,
        GET + b"\r\nHost: a\r\nHost: a",
        GET + b"\r\nHost: a\r\nHOST: b",
        GET + b"\r\nHost:",
        GET + b"\r\nHost: a b",
        GET + b"\r\nHost: a/b",
        GET + b"\r\nHost: a, b",
        GET + b"\r\nHost: me@a",
        GET + b"\r\nHost: a:b",
        GET + b"\r\nHost: [::1",
        b"GET /livez HTTP/1.0\r\nHost: a\r\nHost: b",
    ],
)
def test_a_request_without_one_host_is_bad(narrow: Server, head: bytes) -> None:
    assert closes(narrow, head + b"\r\n\r\n") == (400, "BAD_REQUEST")


def test_http_1_0_has_no_chunks(narrow: Server) -> None:
    data = chunked(HELLO).replace(b"HTTP/1.1", b"HTTP/1.0")
    assert closes(narrow, data) == (400, "BAD_REQUEST")


@pytest.mark.parametrize(
    "data",
    [
        post(HELLO, LAST),
        post(HELLO, LAST, line=b"POST http://127.0.0.1/graphql HTTP/1.1"),
        post(HELLO, LAST, line=b"POST HTTP://LOCALHOST/graphql?a=b HTTP/1.1").replace(
            b"Host: 127.0.0.1", b"Host: localhost"
        ),
        post(HELLO, line=b"POST /graphql HTTP/1.0"),
        post(HELLO, LAST, b"X:", b"Y: "),
        b"\r\n\r\n" + post(HELLO, LAST),
        head(LAST, b"Content-Length: 24 ") + HELLO,
        head(LAST, b"Transfer-Encoding: CHUNKED") + b"18\r\n" + HELLO + b"\r\n0\r\n\r\n",
        head(LAST, b"Transfer-Encoding: chunked") + b"0018;a=b\r\n" + HELLO + b"\r\n0\r\n\r\n",
        post().replace(b"Host: 127.0.0.1", b"Host: [::1]:8000\r\n" + LAST),
    ],
)
def test_framing_that_is_clear_is_read(narrow: Server, data: bytes) -> None:
    (answer,) = ask(narrow, data)
    assert (answer.status, answer.body) == (200, ANSWER)


def test_http_1_0_needs_no_host_where_any_is_answered(hasty: Server) -> None:
    data = post(line=b"POST /graphql HTTP/1.0").replace(b"Host: 127.0.0.1\r\n", b"")
    assert [answer.body for answer in ask(hasty, data)] == [ANSWER]


def test_what_follows_a_body_is_no_header(narrow: Server) -> None:
    ending = b"0\r\nAuthorization: Bearer x\r\nHost: b\r\n\r\n"
    body = b'{"query":"{token{valid reason}}"}'
    first, last = ask(narrow, chunked(body, end=ending) + post(HELLO, LAST))
    assert b'"reason":"TOKEN_MISSING"' in first.body
    assert last.body == ANSWER


def test_the_check_of_framing_says_what_is_wrong() -> None:
    with pytest.raises(HTTPException, match="exactly one Host") as caught:
        check_framing("1.1", b"/", [])
    assert caught.value.status_code == 400


@pytest.mark.parametrize("codings", [(b"gzip", b"chunked"), (b"chunked", b"chunked")])
def test_several_codings_are_refused_even_if_the_parser_takes_them(codings: list[bytes]) -> None:
    headers = [(b"host", b"a"), *((b"transfer-encoding", each) for each in codings)]
    with pytest.raises(HTTPException):
        check_framing("1.1", b"/", headers)
