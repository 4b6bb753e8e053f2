"""System programs that these tests start, and their Debian packages."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.processes import PATIENCE, ROOT

NEEDED: Final = {
    "nginx": "nginx",
    "pgbouncer": "pgbouncer",
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "systemd-analyze": "systemd",
}
DEPLOY: Final = ROOT / "deploy"
ENVIRONMENT: Final = ROOT / "build/operating"
"""The environment of these tests' lock."""
_PATH: Final = os.pathsep.join(
    [str(ENVIRONMENT / "bin"), os.environ["PATH"], "/usr/local/sbin", "/usr/sbin", "/sbin"]
)


def located(program: str) -> str | None:
    """Return the path of a program, None if it is missing; servers may be outside of PATH."""
    return shutil.which(program, path=_PATH)


def what_is_missing() -> str | None:
    """Return a sentence on the missing programs, None if there are none."""
    packages = {package: name for name, package in NEEDED.items() if located(name) is None}
    if packages:
        wanted = ", ".join(sorted(packages.values()))
        install = f"apt-get install {' '.join(sorted(packages))}"
        return f"make test-operating needs {wanted}, which Debian has: {install}"
    if not ENVIRONMENT.is_dir():
        return f"{ENVIRONMENT.relative_to(ROOT)} is not there: make test-operating makes it"
    return None


def told(program: str, *arguments: str | Path, code: int = 0) -> str:
    """Run a program, which must exit with this code, and return all its output."""
    done = subprocess.run(  # noqa: S603 — the tests' own commands
        [str(located(program)), *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == code, done.stdout
    return done.stdout


@contextmanager
def started(
    command: Sequence[str], log: Path, answers: Callable[[], bool], **variables: str
) -> Iterator[None]:
    """Run a system program until the block ends; the block begins once it answers."""
    with log.open("wb") as file:
        process = subprocess.Popen(  # noqa: S603 — the tests' own commands
            [str(located(command[0])), *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env={**os.environ, **variables},
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while not answers():
            assert process.poll() is None, log.read_text(encoding="utf-8")
            assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE)
