"""The program started without the time of imports; nothing else differs."""

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from struct import calcsize, unpack
from typing import IO

SCRIPT = Path(__file__).with_name("preloaded.py")
COMMAND = "serve"


class Forked:
    """A forked program, with the interface of `subprocess.Popen`."""

    def __init__(self, told: socket.socket) -> None:
        self._told = told
        self.pid = self._next()
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return its exit status, None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it ends, and return its exit status."""
        if self.returncode is None:
            self._told.settimeout(timeout)
            try:
                self.returncode = self._next()
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired(COMMAND, timeout or 0) from None
            self._told.close()
        return self.returncode

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _next(self) -> int:
        number: int = unpack("q", self._told.recv(calcsize("q")))[0]
        return number


class Preloaded:
    """The process that has imported the program, and the socket to request a start."""

    def __init__(self, main: Path, variables: Mapping[str, str]) -> None:
        self._requests, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 — the tests' own script
                [sys.executable, SCRIPT, main, str(theirs.fileno())],
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        atexit.register(self.stop)

    def start(
        self,
        arguments: Sequence[str],
        folder: Path,
        variables: Mapping[str, str],
        streams: Sequence[IO[bytes] | None],
    ) -> Forked:
        """Start the program in a folder, in an environment, with its standard streams.

        None is one that is closed.
        """
        opened = {number: each.fileno() for number, each in enumerate(streams) if each}
        asked = {
            "arguments": arguments,
            "folder": str(folder),
            "variables": {**variables},
            "streams": [*opened],
        }
        ours, theirs = socket.socketpair()
        with theirs:
            files = [*opened.values(), theirs.fileno()]
            socket.send_fds(self._requests, [json.dumps(asked).encode()], files)
        return Forked(ours)

    def fileno(self) -> int:
        """Return the file descriptor of the socket, which typed.py uses as well."""
        return self._requests.fileno()

    def stop(self) -> None:
        """End it, but not the programs that it started."""
        self._requests.close()
        self._process.wait()
