"""The program with its libraries imported: a process that waits, and forks for each start.

It is a script, which `tests/starting.py` runs once an environment. To import takes most of what a
start takes, and tests start servers a hundred times. What is forked runs `main.py` as its command
line; no setting is read while it is imported (tests/test_house.py), so that only time is saved.
"""

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
"""Bytes that are received in one piece."""


def await_start(main: str, requests: socket.socket) -> None:
    """Fork for every request, and return in the processes that are the program from now on.

    Beside each of them stays a process that is told the pid and the status it ends with.
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
    """Make this process one that was started for a command line, in a folder, with settings."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    asked = json.loads(request)
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


def _reap() -> None:
    """Forget those who told how a program ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


if __name__ == "__main__":
    _, main, descriptor = sys.argv
    sys.path[0] = os.path.dirname(main)  # where Python looks when it runs main.py  # noqa: PTH120
    gc.disable()  # main() enables it
    for module in iter_modules(import_module("gql_app.cli").__path__):
        import_module(f"gql_app.cli.{module.name}")
    for name in ("gql_app.app", "alembic.command"):
        import_module(name)
    gc.freeze()
    await_start(main, socket.socket(fileno=int(descriptor)))
    runpy.run_path(main, run_name="__main__")
