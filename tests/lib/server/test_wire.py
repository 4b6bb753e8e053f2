"""What one connection may take of the server: headers, bytes, and its place among many."""

import json
import select
from contextlib import ExitStack

import pytest

from tests.lib.server.conftest import MAX_BODY_BYTES, MAX_CONNECTIONS, MAX_HEADER_BYTES
from tests.peers import (
    ANSWER,
    HELLO,
    LAST,
    UPGRADE,
    ask,
    chunked,
    connected,
    head,
    post,
    send_until_cut_off,
    statuses,
)
from tests.processes import Server
from tests.scraping import parsed

pytestmark = pytest.mark.xdist_group("narrow")

WEBSOCKET = (
    b"Connection: Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


def test_nobody_else_says_that_it_was_https(narrow: Server) -> None:
    (answer,) = ask(narrow, post(HELLO, LAST, b"X-Forwarded-Proto: https"))
    assert "strict-transport-security" not in answer.headers


def test_a_head_of_the_very_limit_is_read(narrow: Server) -> None:
    spare = MAX_HEADER_BYTES - len(post(HELLO, LAST, b"X: "))
    assert statuses(ask(narrow, post(HELLO, LAST, b"X: " + b"a" * spare))) == [200]


@pytest.mark.parametrize(
    "data",
    [
        head(b"X: " + b"a" * MAX_HEADER_BYTES),
        head(b"X" * MAX_HEADER_BYTES + b": a"),
        head(*[b"X: " + b"a" * 100] * 20),
        head(*[b"X: y"] * 100),
        chunked(HELLO, end=b"0\r\nX: " + b"a" * MAX_HEADER_BYTES + b"\r\n\r\n"),
        chunked(HELLO, end=b"0\r\n" + b"X: y\r\n" * 1_000 + b"\r\n"),
    ],
    ids=lambda data: data[:30],
)
def test_larger_headers_are_refused(narrow: Server, data: bytes) -> None:
    (answer,) = ask(narrow, data)
    assert (answer.status, answer.code) == (431, "BAD_USER_INPUT")
    assert answer.headers["connection"] == "close"
    message = json.loads(answer.body)["errors"][0]["message"]
    assert str(MAX_HEADER_BYTES) in message or "100 headers" in message


@pytest.mark.parametrize(
    "url", [b"/" + b"a" * MAX_HEADER_BYTES, b"/graphql?query=" + b"SECRET" * MAX_HEADER_BYTES]
)
def test_a_url_that_is_too_long_is_refused_and_not_logged(narrow: Server, url: bytes) -> None:
    (answer,) = ask(narrow, head(line=b"GET " + url + b" HTTP/1.1"))
    assert (answer.status, answer.code) == (414, "BAD_USER_INPUT")
    assert answer.headers["connection"] == "close"
    assert str(MAX_HEADER_BYTES) in json.loads(answer.body)["errors"][0]["message"]
    narrow.await_log('"status":414')
    assert "SECRET" not in narrow.logged()


@pytest.mark.parametrize(
    "start",
    [b"", b"POST /", head()[:-2] + b"X: ", head()[:-2] + b"X", chunked(HELLO, end=b"0\r\nX: ")],
    ids=repr,
)
def test_a_head_without_end_is_not_read_to_its_end(narrow: Server, start: bytes) -> None:
    with connected(narrow) as peer:
        peer.send(start)
        while not select.select([peer.connection], [], [], 0.001)[0]:
            peer.send(b"A" * 100)
        (answer,) = peer.answers()
    assert answer.status in {400, 414, 431}
    assert answer.code


def test_a_body_that_comes_alone_is_not_measured_as_a_head(narrow: Server) -> None:
    body = HELLO + b" " * MAX_HEADER_BYTES
    with connected(narrow) as peer:
        peer.send(head(b"Content-Length: %d" % len(body), b"Expect: 100-continue", LAST))
        assert peer.connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        peer.send(body[:-1])
        assert not select.select([peer.connection], [], [], 0.1)[0]
        peer.send(body[-1:])
        assert [answer.body for answer in peer.answers()] == [ANSWER]


def test_many_small_requests_are_no_large_one(narrow: Server) -> None:
    many = MAX_HEADER_BYTES // 40
    with connected(narrow) as peer:
        peer.send(post() * many + post()[:-30])
        assert {peer.answer().status for _ in range(many)} == {200}
        peer.send(post()[-30:])
        for byte in post(HELLO, LAST):
            peer.send(bytes([byte]))
        assert statuses(peer.answers()) == [200, 200]


def test_no_more_requests_are_queued_than_can_be_answered(narrow: Server) -> None:
    answers = ask(narrow, post() * 5_000)
    assert {answer.status for answer in answers[:-1]} == {200}
    assert len(answers) < 1_000
    narrow.await_log('"status":429')


def test_bodies_over_the_limit_are_refused(narrow: Server) -> None:
    large = b" " * (MAX_BODY_BYTES + 1)
    for data in (head(b"Content-Length: %d" % len(large)), post(large), chunked(large)):
        with connected(narrow) as peer:
            peer.send(data)
            answer = peer.answer()
        assert (answer.status, answer.code) == (413, "BAD_USER_INPUT")
        assert str(MAX_BODY_BYTES) in json.loads(answer.body)["errors"][0]["message"]


@pytest.mark.parametrize("line", [b"POST /graphql HTTP/1.1", b"POST /nowhere HTTP/1.1"])
def test_a_body_without_end_ends_the_connection(narrow: Server, line: bytes) -> None:
    with connected(narrow) as peer:
        peer.send(head(b"Transfer-Encoding: chunked", line=line))
        with pytest.raises(ConnectionError):
            send_until_cut_off(peer.connection, b"1000\r\n" + b" " * 0x1000 + b"\r\n")


def test_a_fault_is_answered_after_the_requests_before_it(narrow: Server) -> None:
    before = post() * 3
    assert statuses(ask(narrow, before + b"nonsense\r\n")) == [200, 200, 200, 400]
    assert statuses(ask(narrow, before + chunked(b"a", end=b"nonsense\r\n"))) == [200] * 3 + [400]


@pytest.mark.parametrize("headers", [UPGRADE, WEBSOCKET])
def test_who_asks_for_an_upgrade_is_answered_in_http_1(
    narrow: Server, headers: tuple[bytes, ...]
) -> None:
    get = head(*headers, line=b"GET /livez HTTP/1.1")
    answers = ask(narrow, get * 2 + post(HELLO, *headers) * 2 + post(HELLO, LAST))
    assert statuses(answers) == [200] * 5
    assert [answer.body for answer in answers[2:]] == [ANSWER] * 3
    with connected(narrow) as peer:
        for byte in post(HELLO, *headers) + post(HELLO, LAST):
            peer.send(bytes([byte]))
        assert [answer.body for answer in peer.answers()] == [ANSWER] * 2
    refused = ask(narrow, head(*headers, b"Transfer-Encoding: chunked"))
    assert statuses(refused) == [400]
    assert "Unsupported upgrade" not in narrow.logged()


def test_expectations_are_met_before_a_body_is_sent(narrow: Server) -> None:
    with connected(narrow) as peer:
        peer.send(head(b"Content-Length: 24", b"Expect: 100-continue", LAST))
        assert peer.connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        peer.send(HELLO)
        assert [answer.body for answer in peer.answers()] == [ANSWER]
    too_large = head(b"Content-Length: 6000", b"Expect: 100-continue")
    with connected(narrow) as peer:
        peer.send(too_large)
        assert peer.answer().status == 413


def test_connections_beyond_their_number_are_turned_away(narrow: Server) -> None:
    with ExitStack() as held:
        peers = [held.enter_context(connected(narrow)) for _ in range(MAX_CONNECTIONS)]
        (refused,) = ask(narrow, b"")
        assert (refused.status, refused.code) == (503, "SERVICE_UNAVAILABLE")
        assert refused.headers["connection"] == "close"
        assert refused.headers["retry-after"] == "1"
        peers[0].send(post())
        assert peers[0].answer().status == 200
    while ask(narrow, post(HELLO, LAST))[0].status != 200:
        pass  # until the server has seen that they are gone


def test_refusal_of_the_wire_is_logged_and_counted_like_any_other(narrow: Server) -> None:
    with narrow.client() as client:
        before = parsed(client.get("/metrics").text)
        (answer,) = ask(narrow, head(b"X: " + b"a" * MAX_HEADER_BYTES))
        after = parsed(client.get("/metrics").text)
    (line,) = narrow.await_log(f".*{answer.headers['x-request-id']}.*")
    assert json.loads(line)["status"] == 431
    outcome = {"operation": "none", "outcome": "REQUEST_HEADER_FIELDS_TOO_LARGE"}
    assert (
        after.of("gql_app_requests_total", **outcome)
        == before.of("gql_app_requests_total", **outcome) + 1
    )
