"""Does what the README promises of a fresh machine, in a clone of the last commit.

The clone's home is empty and its pip the oldest that a supported Python brings, until the dev lock
brings the newest. Python's own library and git are all that this needs.
"""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
ADDRESS: Final = ("127.0.0.1", 8000)
"""Where the README's calls go to."""
PATIENCE: Final = 600
"""Seconds in which the first `make run` has to answer, everything installed and built."""
OURS: Final = re.compile(
    r"GQL_APP_|MAKE|MFLAGS|XDG_|VIRTUAL_ENV|PYTHONPATH|PYTHONHOME|COVERAGE|PYTEST"
)
"""Beginnings of the variables that belong to who runs this, or to what runs in this folder."""
LOCKS: Final = ("bench", "build", "conformance", "node")
"""Locks that hold, all together, whatever there is to install; the newest pip does it in one go."""


def environment(home: Path) -> dict[str, str]:
    """Return this environment, in which the machine finds its registries, with an empty home."""
    inherited = {name: value for name, value in os.environ.items() if not OURS.match(name)}
    places = inherited["PATH"].split(os.pathsep)
    path = os.pathsep.join(each for each in places if not Path(each).is_relative_to(ROOT))
    return {**inherited, "HOME": str(home), "PATH": path}


def say(what: str) -> None:
    """Print a heading, above what the next command prints."""
    print(f"\n=== {what}", flush=True)


class Machine:
    """The clone, and an environment that knows of nothing else."""

    def __init__(self, folder: Path) -> None:
        self.clone, home = folder / "gql_app", folder / "home"
        home.mkdir()
        self.variables: Mapping[str, str] = environment(home)

    def do(self, *command: str) -> None:
        """Run a command in the clone. Raises CalledProcessError."""
        say(shlex.join(command))
        began = time.monotonic()
        subprocess.run(
            command, cwd=self.clone, env=self.variables, stdin=subprocess.DEVNULL, check=True
        )
        print(f"=== took {time.monotonic() - began:.0f} s", flush=True)

    @contextmanager
    def running(self, *command: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a command, and all that it starts, for as long as the block lasts."""
        say(shlex.join(command))
        process = subprocess.Popen(
            command,
            cwd=self.clone,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()

    def answer(self, call: str) -> str:
        """Run a line of the README, and return what it prints; nothing if it fails."""
        done = subprocess.run(
            ["sh", "-c", call], cwd=self.clone, env=self.variables, capture_output=True, check=False
        )
        return done.stdout.decode() if done.returncode == 0 else ""


def first_call() -> tuple[str, str]:
    """Return the README's first curl call, and the beginning of the answer that it promises."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"^\$ (curl .*?[^\\])\n(\{.*?)…", readme, re.MULTILINE | re.DOTALL)
    if found is None:
        sys.exit("The README has no call of curl with its answer.")
    return found[1], found[2]


def try_run(machine: Machine) -> None:
    """Run `make run` until it answers as the README says. Raises SystemExit if it doesn't."""
    call, promised = first_call()
    with socket.socket() as probe:
        if probe.connect_ex(ADDRESS) == 0:
            sys.exit(
                "Port 8000 is taken, and the README's calls go there: stop what listens on it."
            )
    with machine.running("make", "run") as process:
        until = time.monotonic() + PATIENCE
        while not (answer := machine.answer(call)):
            if process.poll() is not None or time.monotonic() > until:
                sys.exit("make run doesn't answer.")
            time.sleep(0.5)
    say(f"{call}\n{answer}")
    if not answer.startswith(promised):
        sys.exit(f"The README promises another answer:\n{promised}…")


def check(folder: Path) -> None:
    """Try everything in an empty folder. Raises CalledProcessError, SystemExit."""
    machine = Machine(folder)
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(machine.clone)], check=True)
    python = os.environ.get("PYTHON", "python3")
    pip = (".venv/bin/python", "-m", "pip", "--disable-pip-version-check")
    install = ("install", "--quiet", "--no-deps", "--require-hashes")
    machine.do("git", "log", "--max-count=1", "--oneline")
    machine.do(python, "-m", "venv", ".venv")
    machine.do(*pip, *install, "--requirement", "requirements-oldest-pip.txt")
    machine.do(*pip, "--version")
    try_run(machine)
    machine.do("make", "lint")
    machine.do(*pip, "--version")
    machine.do(python, "-m", "venv", "--without-pip", "../newest")
    newest = (*pip, "--python", "../newest/bin/python")
    locks = [each for name in LOCKS for each in ("--requirement", f"requirements-{name}.txt")]
    machine.do(*newest, *install, *locks)
    machine.do(*newest, "check")
    machine.do("make", "test")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="gql_app-") as place:
        try:
            check(Path(place))
        except subprocess.CalledProcessError as failure:
            sys.exit(f"On a fresh machine {shlex.join(failure.cmd)} fails ({failure.returncode}).")
