"""Peers that do not take their answers, or slowly: none is waited for without end."""

import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.peers import HELLO, LAST, ask, head, post, send_until_cut_off
from tests.processes import PATIENCE, Server

pytestmark = pytest.mark.xdist_group("hasty")

STATIC = Path("gql_app/web/static/playground")
LARGEST = max(STATIC.glob("*.js"), key=lambda file: file.stat().st_size)
FILE = f"GET /playground/{LARGEST.name} HTTP/1.1".encode()
PADDING = b"X: " + b"a" * 3_000
"""So that no more requests are read at once than may wait."""
READERS = 40
PIECE = 65_536


@contextmanager
def unread(server: Server, room: int = 2_048) -> Iterator[socket.socket]:
    """Connect as a peer that has little room for answers."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        connection.settimeout(PATIENCE)
        connection.connect(("127.0.0.1", server.port))
        yield connection


def await_cut_off(connection: socket.socket) -> None:
    """Wait until the server has reset a connection, and read nothing of it."""
    poll = select.poll()
    poll.register(connection, 0)
    [(_, found)] = poll.poll(PATIENCE * 1_000)
    assert found & select.POLLERR


def files(server: Server) -> list[str]:
    """Name what the server has open."""
    folder = Path(f"/proc/{server.process.pid}/fd")
    return [str(file.readlink()) for file in folder.iterdir() if file.is_symlink()]


@pytest.mark.parametrize("coding", ["identity", "gzip", "br"])
def test_file_that_is_not_read_is_waited_for_no_longer_than_is_set(
    hasty: Server, coding: str
) -> None:
    with unread(hasty) as connection:
        connection.sendall(head(f"Accept-Encoding: {coding}".encode(), line=FILE))
        await_cut_off(connection)


@pytest.mark.parametrize(
    "request_",
    [
        post(b'{"query":"{__schema{types{name fields{name description}}}}"}', PADDING),
        post(HELLO, PADDING),
        head(PADDING, line=b"DELETE /graphql HTTP/1.1"),
        head(PADDING, line=b"HEAD /livez HTTP/1.1"),
        head(PADDING, line=FILE.replace(b"GET", b"HEAD")),
        head(PADDING, b"Accept: text/html", line=b"GET /graphql HTTP/1.1"),
        head(PADDING, line=b"GET /.well-known/jwks.json HTTP/1.1"),
    ],
    ids=["large answer", "small answers", "refusals", "heads", "heads of files", "pages", "keys"],
)
def test_answers_that_are_not_read_are_waited_for_no_longer_than_is_set(
    hasty: Server, request_: bytes
) -> None:
    with unread(hasty) as connection:
        connection.setblocking(False)  # noqa: FBT003 — the standard library's own
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            send_until_cut_off(connection, request_)


@pytest.mark.parametrize("last", [b"nonsense\r\n\r\n", head(LAST, line=FILE), post(b"[")])
def test_last_answer_that_is_not_read_is_waited_for_no_longer(hasty: Server, last: bytes) -> None:
    with unread(hasty) as connection:
        connection.sendall(head(line=FILE) + last)
        await_cut_off(connection)


def test_readers_that_stall_hold_no_files_and_are_all_gone_in_the_end(hasty: Server) -> None:
    before = len(files(hasty))
    with ExitStack() as held:
        readers = [held.enter_context(unread(hasty)) for _ in range(READERS)]
        for reader in readers:
            reader.sendall(head(line=FILE))
        assert ask(hasty, post(HELLO, LAST))[0].status == 200
        assert not [name for name in files(hasty) if "playground" in name]
        for reader in readers:
            await_cut_off(reader)
        while len(files(hasty)) > before:
            assert ask(hasty, post(HELLO, LAST))[0].status == 200


def test_reader_that_goes_on_gets_it_all_though_it_takes_longer(hasty: Server) -> None:
    with unread(hasty, PIECE) as connection:
        connection.sendall(head(b"Accept-Encoding: identity", LAST, line=FILE))
        started, received = time.monotonic(), b""
        while some := connection.recv(PIECE):
            received += some
            if time.monotonic() - started < 2.5:  # twice what a peer has that takes nothing
                time.sleep(0.05)
    assert received.endswith(LARGEST.read_bytes()[-1_000:])
    assert len(received) > LARGEST.stat().st_size
