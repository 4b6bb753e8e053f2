"""Runs the suite with the newest releases of all dependencies, and reports what they break.

It works in a clone of the last commit, without the upper bounds of pyproject.toml, so that newer
releases are installed. Failing tests run again alone, and then with the locked releases: only
those that pass there are broken by a newer release. No file of the checkout changes.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.fresh_check import ROOT, Machine, say

BOUND: Final = re.compile(r",<[\d.]+(?=[\";])")
"""An upper bound of a requirement."""
FAILED: Final = re.compile(
    r"^(?:FAILED|ERROR) (\S+?\.py(?:::.*?)?)(?:@[^@\]\n]*)?(?: - .*)?$", re.MULTILINE
)
"""pytest's summary line of a test that fails, without the group that xdist names behind it."""
NEWEST: Final = "newest"
"""The environment of the newest releases, next to .venv with the locked ones."""
OF_THE_LOCKS: Final = "tests/test_locks.py::test_lock_has_all_that_its_packages_ask_for"
"""The test that compares the locks with the installed releases."""
BROKEN: Final = 1


def releases(machine: Machine, environment: str) -> dict[str, str]:
    """Return the version of each package in an environment."""
    listed = subprocess.run(
        [f"{environment}/bin/python", "-m", "pip", "list", "--format=freeze"],
        cwd=machine.clone,
        env=machine.variables,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return dict(line.split("==") for line in listed.splitlines() if "==" in line)


def install_newest(machine: Machine) -> None:
    """Install the newest releases that fit together. Raise CalledProcessError."""
    project = machine.clone / "pyproject.toml"
    unbounded = BOUND.sub("", project.read_text(encoding="utf-8"))
    (machine.clone / NEWEST).mkdir()
    (machine.clone / NEWEST / "pyproject.toml").write_text(unbounded, encoding="utf-8")
    (machine.clone / NEWEST / "README.md").touch()
    lock = f"{NEWEST}.txt"
    resolve = (".venv/bin/uv", "pip", "compile", "--universal", "--generate-hashes", "--no-header")
    machine.do(
        *resolve, "--quiet", "--extra", "dev", f"{NEWEST}/pyproject.toml", "--output-file", lock
    )
    machine.do(".venv/bin/python", "-m", "venv", NEWEST)
    pip = (f"{NEWEST}/bin/python", "-m", "pip", "--disable-pip-version-check")
    machine.do(*pip, "install", "--quiet", "--no-deps", "--require-hashes", "--requirement", lock)


def failures(machine: Machine, *command: str) -> list[str]:
    """Run the suite, and return the tests that fail. Raise SystemExit if it can't run."""
    say(" ".join(command))
    done = subprocess.Popen(
        command, cwd=machine.clone, env=machine.variables, stdout=subprocess.PIPE, text=True
    )
    assert done.stdout is not None
    printed = []
    for line in done.stdout:
        print(line, end="", flush=True)
        printed.append(line)
    broken = FAILED.findall("".join(printed))
    if done.wait() and not broken:
        sys.exit("The suite stopped before any test failed: see above.")
    return list(dict.fromkeys(broken))


def check(folder: Path) -> int:
    """Test the newest releases in an empty folder, and return the exit status."""
    machine = Machine(folder)
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(machine.clone)], check=True)
    machine.do("make", ".venv/dev")
    install_newest(machine)
    locked, newest = releases(machine, ".venv"), releases(machine, NEWEST)
    say("Newer than the locks")
    for name in sorted(newest):
        if newest[name] != locked.get(name):
            print(f"{name}: {locked.get(name, 'none')} -> {newest[name]}")
    old = ("--assume-old=.venv/run", "--assume-old=.venv/dev")
    suite = ("--keep-going", f"BIN={NEWEST}/bin", f"ARGS=--deselect={OF_THE_LOCKS}", "test")
    broken = failures(machine, "make", *old, *suite)
    if broken:  # a test that passes alone only timed out, on a busy machine
        broken = failures(machine, f"{NEWEST}/bin/python", "-m", "pytest", "-q", *broken)
    if broken:
        known = set(failures(machine, ".venv/bin/python", "-m", "pytest", "-q", *broken))
        broken = [test for test in broken if test not in known]
    say("Broken by a newer release" if broken else "Nothing is broken by a newer release")
    print("\n".join(broken))
    return BROKEN if broken else 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="gql_app-upgrade-") as folder:
        sys.exit(check(Path(folder)))
