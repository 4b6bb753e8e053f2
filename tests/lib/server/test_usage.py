"""What the connections of one process take together: memory for bodies, and places by address."""

import asyncio
import re
import select
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn import Config
from uvicorn.server import ServerState

from gql_app.lib.server.connection import ConnectionLimits, Usage
from gql_app.lib.server.protocol import HEADER_BYTES, QUEUED_BYTES, HttpProtocol
from gql_app.web.responses import refusal
from tests.peers import HELLO, LAST, ask, chunked, connected, head, post, statuses
from tests.processes import PATIENCE, Server, free_port, serving

BODY = 5_000
ROOM = 20_000
CLIENTS = 5
QUEUED = QUEUED_BYTES + 3 * HEADER_BYTES
"""Bytes of a queued request without the text of its head."""
QUEUED_TEXT = 400
"""More than that text."""
HALF = post(b" " * BODY)[:-100]
"""A request of which the end is missing."""


@dataclass(slots=True)
class Served:
    """Connections within this process, and what they take."""

    address: tuple[str, int]
    usage: Usage
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    """Opened when requests may be answered."""

    async def connect(self, client: int = 1) -> socket.socket:
        """Open a connection from the address of a client."""
        peer = socket.socket()
        peer.bind((f"127.0.0.{client}", 0))
        peer.settimeout(0)
        await asyncio.get_running_loop().sock_connect(peer, self.address)
        return peer

    async def send(self, peer: socket.socket, data: bytes) -> None:
        """Send something."""
        await asyncio.get_running_loop().sock_sendall(peer, data)

    async def until(self, pending: int, *, slack: int = 1) -> None:
        """Wait until so many bytes are pending, or fewer than `slack` more."""
        async with asyncio.timeout(PATIENCE):
            while self.usage.pending_body_bytes not in range(pending, pending + slack):  # noqa: ASYNC110 — bytes send no event
                await asyncio.sleep(0.001)


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    """Serve an application that takes a body and waits before it answers; /at-once does neither."""
    found: list[Served] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while scope["path"] != "/at-once":
            message = await receive()
            if not message.get("more_body"):
                await found[0].gate.wait()
                break
        await refusal(404, "There is nothing.")(scope, receive, send)

    async with _listening(app) as server:
        found.append(server)
        yield server


@asynccontextmanager
async def _listening(app: object) -> AsyncIterator[Served]:
    config = Config(app, ws="none", lifespan="off", log_config=None)  # type: ignore[arg-type]
    config.load()
    usage = Usage()
    limits = ConnectionLimits(
        connections=100,
        timeout=PATIENCE,
        keep_alive_timeout=PATIENCE,
        header_bytes=2_000,
        body_bytes=BODY,
        pending_body_bytes=ROOM,
        connections_per_address=100,
    )
    make = partial(
        HttpProtocol,
        config,
        ServerState(),
        {},
        limits=limits,
        usage=usage,
        refuse="gql_app.web.middleware:refuse",
    )
    loop = asyncio.get_running_loop()
    async with await loop.create_server(make, "127.0.0.1", 0) as server:
        yield Served(server.sockets[0].getsockname(), usage)


async def test_half_a_body_is_counted_until_it_is_whole(served: Served) -> None:
    with await served.connect() as peer:
        await served.send(peer, HALF)
        await served.until(BODY - 100)
        await served.send(peer, b" " * 100)
        await served.until(0)


@pytest.mark.parametrize(
    "sent",
    [
        HALF,
        post(b" " * BODY),
        chunked(b" " * BODY)[:-5],
        chunked(b" " * BODY, end=b"nonsense\r\n"),
        chunked(b" " * BODY, b" " * (BODY + 1)),
        post(b" " * BODY, line=b"POST /at-once HTTP/1.1")[:-100],
        post(b" " * BODY) * 2,
        post(b" " * BODY) + HALF,
        post(b" " * BODY) + HALF[:-1_000] + HALF,
        post(b" " * BODY) * 2 + b"nonsense\r\n\r\n",
        post(b" " * BODY, b"Connection: Upgrade", b"Upgrade: h2c")[:-100],
    ],
    ids=range(11),
)
async def test_nothing_is_counted_once_the_connection_is_gone(served: Served, sent: bytes) -> None:
    async with AsyncExitStack() as held:
        for end in ("close", "answers"):
            with await served.connect() as peer, await served.connect(2) as other:
                await served.send(peer, sent)
                await served.send(other, HALF)
                await served.send(other, b" " * 100)
                if end == "answers":
                    served.gate.set()
                    held.callback(served.gate.clear)
        await served.until(0)
        assert not served.usage.pending_of


async def test_whole_body_that_waits_for_its_turn_is_counted(served: Served) -> None:
    with await served.connect() as peer:
        await served.send(peer, post(b" ") + post(b" " * BODY))
        await served.until(BODY + QUEUED, slack=QUEUED_TEXT)
        served.gate.set()
        await served.until(0)


async def test_queued_requests_of_one_address_take_a_bounded_share(served: Served) -> None:
    loop = asyncio.get_running_loop()
    with await served.connect() as peer, await served.connect() as again:
        await served.send(peer, post(b"") * 50)
        await served.until(2 * QUEUED, slack=2 * QUEUED_TEXT)  # what is refused is not kept
        await served.send(again, post(b"") * 50)
        with await served.connect(2) as other:
            await served.send(other, post(b"") * 3)
            await served.until(4 * QUEUED, slack=4 * QUEUED_TEXT)
            served.gate.set()
            said = b""
            while more := await loop.sock_recv(peer, 65_536):
                said += more
            assert re.findall(rb"HTTP/1.1 (\d+)", said) == [b"404"] * 3 + [b"503"]
    await served.until(0)


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve where few bodies may be on their way, and few connections from one address."""
    settings = {
        "max_body_bytes": str(BODY),
        "max_pending_body_bytes": str(ROOM),
        "max_connections_per_address": str(CLIENTS),
        "management_port": str(free_port()),
    }
    folder = tmp_path_factory.mktemp("crowded")
    with serving(folder=folder, **settings) as server:
        yield server


def _await_room(server: Server) -> None:
    """Wait until the server has seen that the others are gone."""
    while ask(server, post(HELLO, LAST))[0].status != 200:
        pass


@pytest.mark.xdist_group("crowded")
def test_bodies_beyond_the_room_for_all_are_refused_and_told_to_come_back(crowded: Server) -> None:
    with ExitStack() as held:
        sources = [f"127.0.0.{number + 1}" for number in range(CLIENTS)]
        peers = [held.enter_context(connected(crowded, source)) for source in sources]
        for peer in peers:
            peer.send(HALF)
        by_connection = {peer.connection: peer for peer in peers}
        [refused] = select.select(list(by_connection), [], [], PATIENCE)[0]
        answer = by_connection[refused].answer()
        assert (answer.status, answer.code) == (503, "SERVICE_UNAVAILABLE")
        assert answer.headers["retry-after"] == "1"
        for peer in peers:
            if peer.connection is not refused:
                peer.send(b" " * 100)
                assert peer.answer().status == 400  # blanks are no JSON, but all of them came
    _await_room(crowded)


@pytest.mark.xdist_group("crowded")
def test_bodies_of_one_address_leave_others_their_room(crowded: Server) -> None:
    with ExitStack() as held:
        peers = [held.enter_context(connected(crowded, "127.0.0.2")) for _ in range(CLIENTS - 1)]
        for peer in peers:
            peer.send(HALF)
        while len(peers) > 2:  # of which each has half of the share
            answered = select.select([peer.connection for peer in peers], [], [], PATIENCE)[0]
            assert [peer.answer().status for peer in peers if peer.connection is answered[0]] == [
                503
            ]
            peers = [peer for peer in peers if peer.connection is not answered[0]]
        assert statuses(ask(crowded, post(HELLO, LAST))) == [200]
        peers[0].send(b" " * 100)
        assert peers[0].answer().status == 400  # blanks are no JSON, but all of them came
    _await_room(crowded)


@pytest.mark.xdist_group("crowded")
def test_one_address_has_so_many_connections_and_those_who_watch_are_not_counted(
    crowded: Server,
) -> None:
    with ExitStack() as held:
        peers = [held.enter_context(connected(crowded)) for _ in range(CLIENTS)]
        (refused,) = ask(crowded, b"")
        assert (refused.status, refused.code) == (503, "SERVICE_UNAVAILABLE")
        assert refused.headers["retry-after"] == "1"
        for peer in peers:
            peer.send(post())
            assert peer.answer().status == 200
    _await_room(crowded)


def test_connections_of_trusted_proxies_are_not_counted_by_address(tmp_path: Path) -> None:
    settings = {"max_connections_per_address": "1", "trusted_proxies": "::ffff:127.0.0.1"}
    with serving(folder=tmp_path, **settings) as server, ExitStack() as held:
        for _ in range(10):
            peer = held.enter_context(connected(server))
            peer.send(post())
            assert peer.answer().status == 200


@pytest.mark.xdist_group("hasty")
def test_body_that_stalls_or_trickles_is_given_up(hasty: Server) -> None:
    for start in (head(b"Content-Length: 200000"), post(b" " * 200_000)[:-1]):
        assert statuses(ask(hasty, start)) == [408]


async def test_body_has_a_least_pace(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gql_app.lib.server.protocol.RATE_INTERVAL", 0.5)
    served.gate.set()
    loop = asyncio.get_running_loop()
    start = head(b"Content-Length: %d" % BODY)
    with await served.connect() as stalled, await served.connect() as steady:
        await served.send(stalled, start + b" " * (BODY - 1_000))
        await served.send(steady, start)
        for _ in range(BODY // 500):
            await served.send(steady, b" " * 500)
            await asyncio.sleep(0.1)  # it takes longer than one measure of the pace
        assert (await loop.sock_recv(steady, 12)).endswith(b"404")
        async with asyncio.timeout(PATIENCE):
            assert (await loop.sock_recv(stalled, 12)).endswith(b"408")
