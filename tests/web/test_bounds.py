"""How many connections there may be: no more than the system has files for."""

import shlex
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.peers import ask, connected, post
from tests.processes import MAIN, free_port, running_server


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
