"""Connections that several processes accept from one socket are spread evenly over them."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from gql_app.lib.server import balancing
from gql_app.lib.server.balancing import Acceptor, Shares

COUNT = 32


class Echo(asyncio.Protocol):
    """A connection that is counted for as long as it is open."""

    def __init__(self, connections: set["Echo"]) -> None:
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it."""
        assert isinstance(transport, asyncio.Transport)
        self._connections.add(self)
        transport.write(b"!")

    def connection_lost(self, _: Exception | None) -> None:
        """Count it no more."""
        self._connections.discard(self)


class Process:
    """What one of several processes has: a place among the shares, and who accepts."""

    def __init__(self, listener: socket.socket, shares: Shares) -> None:
        self.connections: set[Echo] = set()
        self.shares = Shares(2)
        vars(self.shares).update(vars(shares))  # the same memory, as after a start
        self.shares.join()
        self._listener = listener.dup()
        self.acceptor = Acceptor(
            self._listener, COUNT, lambda: Echo(self.connections), self.shares, self.connections
        )

    async def end(self) -> None:
        """Stop accepting."""
        self.acceptor.close()
        await self.acceptor.wait_closed()
        self.shares.leave()
        self._listener.close()


@contextmanager
def listening() -> Iterator[socket.socket]:
    """Listen, for processes to accept."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


async def opened(listener: socket.socket, stack: ExitStack, count: int) -> None:
    """Open connections, and wait until each was accepted."""
    address = listener.getsockname()
    clients = [stack.enter_context(socket.create_connection(address)) for _ in range(count)]
    for client in clients:
        client.settimeout(0)
        assert await asyncio.get_running_loop().sock_recv(client, 1) == b"!"


@pytest.fixture
async def listener() -> AsyncIterator[socket.socket]:
    """Listen, for processes to accept."""
    with listening() as found:
        yield found


async def test_connections_are_spread_over_who_has_fewest(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = Shares(2)
    one, two = Process(listener, shares), Process(listener, shares)
    with ExitStack() as first, ExitStack() as later:
        await opened(listener, first, COUNT)
        first_has, second_has = len(one.connections), len(two.connections)
        assert (first_has + second_has, abs(first_has - second_has) <= 3) == (COUNT, True)
        for pause in "PAUSE", "LONGEST_PAUSE":  # longer than a busy machine's accepting takes
            monkeypatch.setattr(balancing, pause, 1)
        three = Process(listener, shares)  # a worker that replaces another begins with none
        await opened(listener, later, COUNT // 4)
        assert len(three.connections) > COUNT // 8  # most of them: others wait for it, not for ever
        await two.end()
        await three.end()
        had = len(one.connections)
        await opened(listener, later, COUNT)  # whoever has most is the last that is left
        assert len(one.connections) == had + COUNT
    await one.end()


async def test_place_of_who_is_gone_is_taken_by_the_next(listener: socket.socket) -> None:
    gone = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
    await gone.wait()
    shares = Shares(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.getpid", lambda: gone.pid)
        for _ in range(100):  # none of whom left their place
            shares.join()
        assert not shares.excess(1_000)
    process = Process(listener, shares)
    with ExitStack() as clients:
        await opened(listener, clients, COUNT)
        assert len(process.connections) == COUNT
    await process.end()
