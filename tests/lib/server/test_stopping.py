"""How the server stops: what has begun is finished, and nobody holds it up."""

import signal
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.peers import ANSWER, HELLO, LAST, connected, head, post
from tests.processes import serving

WAITS = "600"
"""Seconds, so that it is the stopping alone that ends a wait."""


@pytest.mark.parametrize("workers", [1, 2])
def test_half_sent_requests_do_not_hold_up_the_end(tmp_path: Path, workers: int) -> None:
    arguments = ("--workers", str(workers))
    with (
        serving(*arguments, folder=tmp_path, receive_timeout=WAITS) as server,
        ExitStack() as held,
    ):
        server.await_log("Application startup complete", workers)
        silent, idle, half_head, half_body, under_way = (
            held.enter_context(connected(server)) for _ in range(5)
        )
        idle.send(post())
        assert idle.answer().status == 200
        half_head.send(post() + head()[:40])
        assert half_head.answer().status == 200
        for peer in (half_body, under_way):
            peer.send(head(b"Content-Length: 24", b"Expect: 100-continue", LAST))
            assert peer.connection.recv(100).startswith(b"HTTP/1.1 100")
        server.process.terminate()
        server.await_log("Waiting for connections to close")
        under_way.send(HELLO)
        assert [answer.body for answer in under_way.answers()] == [ANSWER]
        assert [peer.answers() for peer in (silent, idle)] == [[]] * 2
        for peer in (half_head, half_body):
            (answer,) = peer.answers()
            assert answer.status == 408
            assert b"did not arrive within 3 seconds" in answer.body
        assert server.stop() in {0, -signal.SIGTERM}
    assert "Cancel" not in server.logged()
    with pytest.raises(httpx.ConnectError), server.client() as client:
        client.get("/livez")
