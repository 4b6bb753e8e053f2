"""Runs graphql-core's own tests of execution with the compiled executor in place.

They are in the source distribution of the locked release, which pip fetches by its hash. It is
unpacked next to the environment, is not committed, and stays unchanged.
"""

import os
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
LOCK: Final = ROOT / "requirements-conformance.txt"
PLACE: Final = ROOT / "build/conformance"
"""The environment that this runs in."""
PINNED: Final = re.compile(r"(?m)^graphql-core==(\S+) \\\n(?:    --hash=sha256:\w+(?: \\)?\n)+")
PLUGIN: Final = "graphql_core_plugin"
"""The plugin that installs the executor, found by its folder, as their package is `tests`, too."""
OPTIONS: Final = ("-p", PLUGIN, "-p", "no:cacheprovider", "--override-ini=addopts=", "--tb=short")
SECONDS: Final = 20
"""Time-out of each test; some hang if awaiting goes wrong."""


def fetched(entry: str, folder: Path) -> None:
    """Fetch the source distribution of a lock's entry, and unpack it. Raise CalledProcessError."""
    bin_folder = str(Path(sys.executable).parent)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet")
    only = ("--no-deps", "--require-hashes", "--no-binary", ":all:", "--no-build-isolation")
    with tempfile.TemporaryDirectory() as name:
        locked = Path(name) / "locked.txt"
        locked.write_text(entry, encoding="utf-8")
        subprocess.run(
            [*pip, *only, "--requirement", str(locked), "--dest", name],
            # pip reads the metadata, which uv-build writes.
            env={**os.environ, "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}"},
            check=True,
        )
        (archive,) = Path(name).glob("*.tar.gz")
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")


def source() -> Path:
    """Return the folder of graphql-core's source. Raise CalledProcessError, SystemExit."""
    found = PINNED.search(LOCK.read_text(encoding="utf-8"))
    if found is None:
        sys.exit(f"{LOCK.name} has no graphql-core.")
    folder = PLACE / f"graphql_core-{found[1]}"
    if not folder.exists():
        fetched(found[0], PLACE)
    return folder


def main() -> int:
    """Run the tests, and return pytest's exit status."""
    arguments = ("--timeout", str(SECONDS), "tests/execution", *sys.argv[1:])
    paths = os.pathsep.join(map(str, (Path(__file__).parent, ROOT)))
    return subprocess.run(
        [sys.executable, "-m", "pytest", *OPTIONS, *arguments],
        cwd=source(),
        env={**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
