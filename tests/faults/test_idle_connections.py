"""Thousands of connections on which nothing comes: they cost little, and hinder nobody."""

import json
import resource
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import SECRET
from tests.faults.crowd import ME, asked, gather_crowd
from tests.peers import connected, post
from tests.processes import Server, serving

IDLE = 5_000
SPARE = 500
"""Files that both ends need for all else."""
MOST_KIB = 16
"""What an idle connection may take of the server's memory."""


@pytest.fixture
def files() -> Iterator[None]:
    """Let the test open as many files as it has to."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], IDLE + SPARE), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def resident(server: Server) -> int:
    """Return how many KiB of memory a server has."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1])


def sockets(server: Server) -> int:
    """Return how many files a server has open, which are sockets but for a few."""
    return len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_5000_idle_connections_hinder_nobody(database_url: str, tmp_path: Path) -> None:
    (person,) = await gather_crowd(database_url, 1)
    settings = {
        "database_url": database_url,
        "secret_key": SECRET,
        "max_connections": str(IDLE + SPARE),
        "max_connections_per_address": str(IDLE + SPARE),
        "receive_timeout": "600",
    }
    with serving(folder=tmp_path, **settings) as server, ExitStack() as held:
        before = resident(server)
        idle = [held.enter_context(connected(server)) for _ in range(IDLE)]
        for _ in range(3):
            with connected(server) as peer:
                peer.send(asked(ME, person))
                assert json.loads(peer.answer().body) == {
                    "data": {"me": {"id": str(person.id), "name": person.name}}
                }
        assert sockets(server) > IDLE
        assert resident(server) - before < MOST_KIB * IDLE
        idle[-1].send(post())
        assert idle[-1].answer().status == 200
        server.process.terminate()
        idle[0].send(post())
        assert [answer.status for answer in idle[0].answers()] == [200]
        assert [peer.answers() for peer in idle[1:]] == [[]] * (IDLE - 1)
        assert server.stop() in {0, -signal.SIGTERM}
    assert "Cancel" not in server.logged()
