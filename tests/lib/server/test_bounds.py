"""How many connections there may be, and the moments by which something is due."""

import asyncio
import shlex
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from time import monotonic

import pytest
import uvloop

from gql_app.lib.server.connection import NEVER, SWEEP_INTERVAL, Connection, Usage
from tests.lib.server import in_process
from tests.lib.server.in_process import answering
from tests.lib.server.test_slow_readers import await_cut_off
from tests.peers import ask, connected, post
from tests.processes import MAIN, PATIENCE, free_port, running_server


@pytest.mark.parametrize(("files", "connections"), [("-n 110", 10), ("-Sn 64", 150)])
def test_files_do_not_run_out(tmp_path: Path, files: str, connections: int) -> None:
    port = free_port()
    serve = shlex.join([*MAIN, "serve", "--port", str(port)])
    command = ["bash", "-c", f"ulimit {files} && exec {serve}"]
    with running_server(command, port, tmp_path, max_connections="150") as server:
        with ExitStack() as held:
            peers = [held.enter_context(connected(server)) for _ in range(connections)]
            assert [answer.status for answer in ask(server, b"")] == [503]
            for peer in peers:
                peer.send(post())
                assert peer.answer().status == 200
        assert "Too many open files" not in server.logged()


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop])
def runner(request: pytest.FixtureRequest) -> Iterator[asyncio.Runner]:
    """Run on either kind of loop: their timers are not alike."""
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield runner


class Waiting(Connection):
    """A connection that says when it is late."""

    def __init__(self, *moments: float) -> None:
        super().__init__(timeout=PATIENCE)
        self.late = asyncio.Event()
        for moment in moments:
            self.expect(moment)

    def on_timeout(self) -> None:
        """Say so."""
        self.late.set()


class Faulty(Waiting):
    """A connection that fails when it is late."""

    def on_timeout(self) -> None:
        """Fail."""
        super().on_timeout()
        raise LookupError


@pytest.mark.parametrize("moments", [[0.01], [3600, 0.01], [0.01, 0.3], [0.3, 3600, 0.01]])
def test_the_last_moment_that_was_set_counts(runner: asyncio.Runner, moments: list[float]) -> None:
    async def check() -> None:
        started = monotonic()
        connection = Waiting(*moments)
        Usage().sweep({connection})
        async with asyncio.timeout(PATIENCE):
            await connection.late.wait()
        assert monotonic() - started >= moments[-1]
        assert connection.due_at == NEVER

    runner.run(check())


def test_what_was_cleared_is_not_due(runner: asyncio.Runner) -> None:
    async def check() -> None:
        cleared, other = Waiting(0.01), Waiting(0.05)
        cleared.due_at = NEVER
        Usage().sweep({cleared, other})
        async with asyncio.timeout(PATIENCE):
            await other.late.wait()
            assert not cleared.late.is_set()
            cleared.expect(0.01)
            await cleared.late.wait()

    runner.run(check())


def test_those_who_have_read_nothing_for_longest_give_way(
    runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = b"x" * 4 * 1024 * 1024
    headers = [(b"content-length", b"%d" % len(body))]
    start = {"type": "http.response.start", "status": 200, "headers": headers}
    app = answering(start, {"type": "http.response.body", "body": body})
    monkeypatch.setattr("gql_app.lib.server.connection.UNREAD_BYTES", 2 * len(body))

    async def check() -> None:
        loop = asyncio.get_running_loop()
        async with in_process.connected(app) as first:
            with ExitStack() as opened:
                peers = [first, *(opened.enter_context(socket.socket()) for _ in range(3))]
                for peer in peers:
                    peer.settimeout(0)
                    if peer is not first:
                        await loop.sock_connect(peer, first.getpeername())
                    await in_process.ask(peer, "GET", "Connection: close")
                    assert await loop.sock_recv(peer, 1) == b"H"  # the rest waits
                for peer in peers[:2]:
                    await asyncio.to_thread(await_cut_off, peer)
                for peer in peers[2:]:
                    assert (await in_process.all_said(peer)).endswith(body)

    runner.run(check())


def test_response_that_is_larger_than_the_bound_is_read_where_no_newer_one_waits(
    runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = b"x" * 4 * 1024 * 1024
    headers = [(b"content-length", b"%d" % len(body))]
    start = {"type": "http.response.start", "status": 200, "headers": headers}
    app = answering(start, {"type": "http.response.body", "body": body})
    monkeypatch.setattr("gql_app.lib.server.connection.UNREAD_BYTES", len(body) // 8)
    sweep, swept = Usage.sweep, asyncio.Event()

    def noting(usage: Usage, connections: set[Connection]) -> None:
        sweep(usage, connections)
        if any(each.unread for each in connections):
            swept.set()

    monkeypatch.setattr(Usage, "sweep", noting)

    async def check() -> None:
        async with in_process.connected(app) as peer, asyncio.timeout(PATIENCE):
            await in_process.ask(peer, "GET", "Connection: close")
            await swept.wait()
            assert (await in_process.all_said(peer)).endswith(body)

    runner.run(check())


def test_deadlines_are_looked_at_as_long_as_there_are_connections(runner: asyncio.Runner) -> None:
    async def check() -> None:
        usage = Usage()
        connections: set[Waiting] = {Faulty(0.01)}
        usage.sweep(connections)
        async with asyncio.timeout(PATIENCE):
            for connection in (*connections, Waiting(0.01), Waiting(0.01)):
                connections.add(connection)
                await connection.late.wait()  # the fault of another ends no sweep
        assert usage.timer
        connections.clear()
        await asyncio.sleep(2 * SWEEP_INTERVAL)
        assert usage.timer is None

    runner.run(check())
