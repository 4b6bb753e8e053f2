"""How many connections there may be, and the moments by which something is due."""

import asyncio
import shlex
import weakref
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from time import monotonic

import pytest
import uvloop

from gql_app.lib.server.connection import TICK, Deadline
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


@pytest.mark.parametrize("moments", [[0.01], [3600, 0.01], [0.01, 0.05], [0.05, 3600, 0.01]])
def test_the_last_moment_that_was_set_counts(runner: asyncio.Runner, moments: list[float]) -> None:
    async def check() -> None:
        late = asyncio.Event()
        deadline = Deadline(asyncio.get_running_loop(), late.set)
        started = monotonic()
        for moment in moments:
            deadline.set(moment)
        assert deadline.pending
        async with asyncio.timeout(PATIENCE):
            await late.wait()
        assert monotonic() - started >= moments[-1] - TICK
        assert not deadline.pending

    runner.run(check())


def test_what_was_cleared_is_not_due(runner: asyncio.Runner) -> None:
    async def check() -> None:
        late, done = asyncio.Event(), asyncio.Event()
        cleared = Deadline(asyncio.get_running_loop(), late.set)
        other = Deadline(asyncio.get_running_loop(), done.set)
        cleared.set(0.01)
        other.set(0.05)
        cleared.clear()
        assert (cleared.pending, other.pending) == (False, True)
        async with asyncio.timeout(PATIENCE):
            await done.wait()
            assert not late.is_set()
            cleared.set(0.01)
            await late.wait()

    runner.run(check())


def test_what_has_ended_is_held_by_no_timer(runner: asyncio.Runner) -> None:
    async def check() -> None:
        deadline = Deadline(asyncio.get_running_loop(), lambda: None)
        deadline.set(3600)
        deadline.end()
        assert not deadline.pending
        gone = weakref.ref(deadline)
        del deadline
        assert gone() is None

    runner.run(check())
