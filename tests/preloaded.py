"""A process that has imported the program's libraries, and forks for each start of it.

It is a script, which `tests/starting.py` runs once per environment. Imports take most of the time
of a start, and tests start servers a hundred times. The fork runs `main.py` as its command line;
imports read no settings (tests/test_house.py), so nothing but the time differs. Nor does the fork
free its memory when it exits.
"""

import atexit
import gc
import json
import os
import runpy
import socket
import sys
from importlib import import_module
from pkgutil import iter_modules
from struct import pack

LONGEST_REQUEST = 30_000
"""The most bytes of a request, which is received at once."""
STREAMS = ("stdin", "stdout", "stderr")
_statuses: list[int] = []
"""The exit status of the program, once it exits."""


def await_start(main: str, requests: socket.socket) -> None:
    """Fork for every request, and return in the child processes, which become the program.

    Each has a parent process, which reports its pid and its exit status.
    """
    while True:
        request, files, _, _ = socket.recv_fds(requests, LONGEST_REQUEST, 4)
        _reap()
        if not request:
            os._exit(0)
        if os.fork() == 0:
            *streams, told = files
            program = os.fork()
            if program == 0:
                requests.close()
                _become(main, request, streams)
                return
            _tell_end(program, told)
        for each in files:
            os.close(each)


def _become(main: str, request: bytes, streams: list[int]) -> None:
    """Set this process's command line, folder, variables and streams as in a new process."""
    asked = json.loads(request)
    for number, stream in zip(asked["streams"], streams, strict=True):
        os.dup2(stream, number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    for number in {0, 1, 2}.difference(asked["streams"]):
        os.close(number)
        for name in (STREAMS[number], f"__{STREAMS[number]}__"):
            setattr(sys, name, None)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["variables"])
    sys.argv = [main, *asked["arguments"]]


def _tell_end(program: int, told: int) -> None:
    os.closerange(0, told)
    os.write(told, pack("q", program))
    _, status = os.waitpid(program, 0)
    os.write(told, pack("q", os.waitstatus_to_exitcode(status)))
    os._exit(0)


def _run(main: str) -> None:
    """Run the program, and note the status that it exits with."""
    try:
        runpy.run_path(main, run_name="__main__")
    except SystemExit as leaving:
        if isinstance(leaving.code, int | None):
            _statuses.append(leaving.code or 0)
        raise


def _leave() -> None:
    """End the program after its last exit handler, without freeing every object.

    Those are shared with the other forks, so each page would be copied first: half of a start.
    """
    if _statuses:
        for stream in (sys.stdout, sys.stderr):
            if stream and not stream.closed:
                stream.flush()
        os._exit(_statuses[0])


def _reap() -> None:
    """Reap the parent processes that have ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


if __name__ == "__main__":
    _, main, descriptor = sys.argv
    atexit.register(_leave)  # first, and so it is the last to run
    sys.path[0] = os.path.dirname(main)  # where Python looks when it runs main.py  # noqa: PTH120
    gc.disable()  # main() enables it
    for module in iter_modules(import_module("gql_app.cli").__path__):
        import_module(f"gql_app.cli.{module.name}")
    for name in ("gql_app.app", "alembic.command"):
        import_module(name)
    gc.freeze()
    await_start(main, socket.socket(fileno=int(descriptor)))
    _run(main)
