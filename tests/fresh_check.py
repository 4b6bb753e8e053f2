"""Runs the README's steps for a fresh machine, in a clone of the last commit.

The clone has an empty home and the oldest pip of a supported Python, until the dev lock installs
the newest. This needs only Python's standard library and git.
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
"""The address of the README's calls."""
PATIENCE: Final = 600
"""Time-out of the first `make run` until it answers, with its installs and builds, in seconds."""
OURS: Final = re.compile(
    r"GQL_APP_|MAKE|MFLAGS|XDG_|VIRTUAL_ENV|PYTHONPATH|PYTHONHOME|COVERAGE|PYTEST"
)
"""Prefixes of the variables of the user or of this folder's tools, which are removed."""
LOCKS: Final = ("bench", "build", "conformance", "node")
"""The locks that together have all packages; the newest pip installs them in one run."""


def environment(home: Path) -> dict[str, str]:
    """Return this environment, for the registries' settings, with an empty home."""
    inherited = {name: value for name, value in os.environ.items() if not OURS.match(name)}
    places = inherited["PATH"].split(os.pathsep)
    path = os.pathsep.join(each for each in places if not Path(each).is_relative_to(ROOT))
    return {**inherited, "HOME": str(home), "PATH": path}


def say(what: str) -> None:
    """Print a heading for the next command's output."""
    print(f"\n=== {what}", flush=True)


class Machine:
    """The clone, and its isolated environment."""

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
        """Run a command in the background, and end it with all its children when the block ends."""
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
        """Run a line of the README, and return its output; nothing if it fails."""
        done = subprocess.run(
            ["sh", "-c", call], cwd=self.clone, env=self.variables, capture_output=True, check=False
        )
        return done.stdout.decode() if done.returncode == 0 else ""


def first_call() -> tuple[str, str]:
    """Return the README's first curl call, and the beginning of its answer there."""
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
    """Run all steps in an empty folder. Raises CalledProcessError, SystemExit."""
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
