"""The last answer of a connection, which reaches also a peer that is still writing."""

import time
from contextlib import ExitStack

import pytest

from tests.lib.server.conftest import MAX_CONNECTIONS
from tests.peers import HELLO, LAST, Peer, connected, head, post
from tests.processes import Server

pytestmark = pytest.mark.xdist_group("narrow")

LARGE = b" " * 5_000_000
TIMES = 20
CHUNK = b"10000\r\n" + b" " * 0x10000 + b"\r\n"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (post(LARGE), 413),
        (post(LARGE, LAST), 413),
        (head(b"Transfer-Encoding: chunked") + CHUNK * 80 + b"0\r\n\r\n", 413),
        (post(LARGE, b"X: " + b"a" * 3_000), 431),
        (head(b"X: " + LARGE), 431),
        (post(LARGE, b"Transfer-Encoding: chunked"), 400),
        (b"nonsense\r\n" + LARGE, 400),
        (head(b"Transfer-Encoding: chunked") + b"nonsense\r\n" + LARGE, 400),
    ],
    ids=lambda value: value[:90].replace(b" ", b"") if isinstance(value, bytes) else value,
)
def test_peer_that_writes_on_reads_why_it_was_refused(
    narrow: Server, sent: bytes, status: int
) -> None:
    for _ in range(TIMES):
        with connected(narrow) as peer:
            peer.connection.sendall(sent)
            assert peer.answer().status == status


@pytest.mark.parametrize(
    ("line", "status"), [(b"POST /nowhere HTTP/1.1", 404), (b"POST /livez HTTP/1.1", 405)]
)
def test_peer_that_writes_on_reads_an_answer_that_did_not_wait_for_it(
    narrow: Server, line: bytes, status: int
) -> None:
    for _ in range(TIMES):
        with connected(narrow) as peer:
            peer.connection.sendall(post(LARGE, LAST, line=line))
            assert peer.answer().status in {status, 413}  # by how much of it came at once


def test_peer_that_writes_on_reads_that_there_are_too_many_connections(narrow: Server) -> None:
    with ExitStack() as held:
        peers = [held.enter_context(connected(narrow)) for _ in range(MAX_CONNECTIONS)]
        for _ in range(TIMES):
            with connected(narrow) as peer:
                peer.connection.sendall(post(LARGE))
                assert peer.answer().status == 503
        peers[0].send(post())
        assert peers[0].answer().status == 200
    _await_room(narrow)


def test_peer_that_was_too_late_reads_so(hasty: Server) -> None:
    with connected(hasty) as peer:
        peer.send(post(LARGE[:200_000])[:-1])
        answer = peer.answer()
        peer.connection.sendall(LARGE)
        assert answer.status == 408
        assert peer.answers() == []


def test_peer_that_never_ends_is_closed(narrow: Server) -> None:
    with connected(narrow) as peer:
        peer.send(head(b"X: " + b"a" * 3_000))
        assert peer.answer().status == 431
        assert _written_until_closed(peer) < 100_000_000


def test_peer_that_stays_after_its_last_answer_is_closed(narrow: Server) -> None:
    with connected(narrow) as peer:
        peer.send(head(b"X: " + b"a" * 3_000))
        assert peer.answer().status == 431
        assert peer.answers() == []
        while True:  # the server has ended its side; in the end it takes nothing more
            try:
                peer.connection.send(b"a")
                time.sleep(0.02)
            except (BrokenPipeError, ConnectionResetError):
                break


def _written_until_closed(peer: Peer) -> int:
    """Write until it fails, and return how many bytes that took."""
    written = 0
    while written < 100_000_000:
        try:
            written += peer.connection.send(LARGE)
        except (TimeoutError, BrokenPipeError, ConnectionResetError):
            break
    return written


def _await_room(server: Server) -> None:
    """Wait until the server has seen that the others are gone."""
    while True:
        with connected(server) as peer:
            peer.send(post(HELLO, LAST))
            if peer.answer().status == 200:
                return
