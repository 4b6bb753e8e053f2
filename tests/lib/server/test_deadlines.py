"""How long a peer is waited for."""

import select
import sqlite3
from contextlib import ExitStack, closing

import pytest

from tests.peers import (
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

pytestmark = pytest.mark.xdist_group("hasty")

UNFINISHED: list[tuple[bytes, list[int]]] = [
    (b"", []),
    (b"\r\n", []),
    (b"P", [408]),
    (b"POST /graphql HTTP/1.1\r\nHost: te", [408]),
    (head(b"X: y")[:-2], [408]),
    (post()[:-1], [408]),
    (head(b"Content-Length: 24"), [408]),
    (chunked(HELLO, end=b""), [408]),
    (chunked(HELLO, end=b"0\r\nX: "), [408]),
    (post(HELLO, *UPGRADE)[:-1], [408]),
    (post() + post()[:20], [200, 408]),
    (post() + post()[:-1], [200, 408]),
    (post() + b"\r\n", [200]),
    (post(line=b"POST /nowhere HTTP/1.1")[:-1], [404]),
    (post() + post(line=b"POST /nowhere HTTP/1.1")[:-1], [200, 404]),
]


def test_who_does_not_finish_is_not_waited_for(hasty: Server) -> None:
    with ExitStack() as held:
        peers = {data: held.enter_context(connected(hasty)) for data, _ in UNFINISHED}
        for data, peer in peers.items():
            peer.send(data)
        assert {data: statuses(peer.answers()) for data, peer in peers.items()} == dict(UNFINISHED)


@pytest.mark.parametrize("start", [b"GET /livez HTTP/1.1\r\nX: ", head(b"Content-Length: 5000")])
def test_a_byte_now_and_then_does_not_help(hasty: Server, start: bytes) -> None:
    with connected(hasty) as peer:
        peer.send(start)
        while not select.select([peer.connection], [], [], 0.05)[0]:
            peer.send(b"a")
        assert statuses(peer.answers()) == [408]


def test_whoever_does_not_take_their_answers_is_cut_off(hasty: Server) -> None:
    padding = b"X: " + b"a" * 10_000  # so that no more are read at once than may wait
    page = head(b"Accept: text/html", padding, line=b"GET /graphql HTTP/1.1")
    with connected(hasty) as peer:
        peer.connection.setblocking(False)  # noqa: FBT003 — the standard library's own
        with pytest.raises(ConnectionResetError):
            send_until_cut_off(peer.connection, page)


def test_what_the_server_has_not_read_yet_is_not_late(hasty: Server) -> None:
    login = b'{"query":"mutation{login(email:\\"a@b.example\\",password:\\"no\\"){status}}"}'
    with connected(hasty) as peer, connected(hasty) as alone, connected(hasty) as clock:
        with closing(sqlite3.connect(hasty.stdout.parent / "gql_app.db")) as database:
            database.execute("BEGIN IMMEDIATE")
            for one in (peer, alone):
                one.send(post(login))
            for part in (post()[:-1], post()[-1:] + post(HELLO, LAST)):
                assert ask(hasty, post(HELLO, LAST))[0].status == 200  # all before has been read
                peer.send(part)
            clock.send(b"P")
            assert statuses(clock.answers()) == [408]
        assert statuses(peer.answers()) == [200, 200, 200]
        assert "connection" not in alone.answer().headers


def test_a_trusted_proxy_says_that_it_was_https(hasty: Server) -> None:
    (answer,) = ask(hasty, post(HELLO, LAST, b"X-Forwarded-Proto: https"))
    assert "strict-transport-security" in answer.headers


def test_a_silent_connection_is_closed_after_its_answer_too(hasty: Server) -> None:
    with connected(hasty) as peer:
        peer.send(post(line=b"POST /nowhere HTTP/1.1")[:-1])
        assert peer.answer().status == 404
        for end in (HELLO[-1:] + post(), b"\r\n" + post()):
            peer.send(end)
            assert peer.answer().status == 200
        peer.send(b"\r\n")
        assert peer.answers() == []


def test_what_follows_a_body_that_nobody_wanted_has_its_time(hasty: Server) -> None:
    with connected(hasty) as peer:
        peer.send(post(line=b"POST /nowhere HTTP/1.1")[:-1])
        assert peer.answer().status == 404
        peer.send(HELLO[-1:] + b"POST")
        assert statuses(peer.answers()) == [408]
