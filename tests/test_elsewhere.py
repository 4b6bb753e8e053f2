"""The program where what is Linux's or Unix's own is absent, as on Windows and macOS."""

import sys
from pathlib import Path

from tests.elsewhere import CORE
from tests.peers import connected, head, post
from tests.processes import PATIENCE, ROOT, free_port, run, running_server

PROGRAM = (sys.executable, str(ROOT / "tests" / "elsewhere.py"))
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "tests.elsewhere", "-p", "no:cacheprovider")


def test_core_of_the_suite_passes_there_and_several_processes_are_refused(tmp_path: Path) -> None:
    inner = f"--basetemp={tmp_path / 'inner'}"
    command = [*PYTEST, inner, "-k", "not postgresql", *CORE]
    done = run(command, ROOT, patience=10 * PATIENCE)
    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout


def test_one_process_serves_there(tmp_path: Path) -> None:
    port = free_port()
    command = [*PROGRAM, "serve", "--port", str(port)]
    with running_server(command, port, tmp_path) as server:
        with connected(server) as peer:
            for request in (post(), head(line=b"GET /metrics HTTP/1.1")):
                peer.send(request)
                assert peer.answer().status == 200
        assert server.stop() == 0
    assert "Traceback" not in server.logged()
