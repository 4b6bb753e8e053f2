"""Chromium, the system's or else the lock's: found, and started without network services."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, async_playwright

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
VARIABLE: Final = "CHROMIUM"
"""The environment variable with the path of another Chromium."""
LOCKED: Final = Path(__file__).parents[1] / "browser"
UNPACKED: Final = LOCKED / "node_modules/.chromium/chromium"
ALL_THERE_IS: Final = ("Linux", "x86_64")
NEITHER: Final = (
    f"No Chromium is found (looked for {', '.join(NAMES)}), and the one that make test brings runs "
    f"on Linux with x86-64 and glibc only: install Chromium, or set {VARIABLE} to the path of one."
)
QUIET: Final = (
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


def systems() -> str | None:
    """Return the path of the Chromium in the variable, or of an installed one."""
    return os.environ.get(VARIABLE) or next(filter(None, map(shutil.which, NAMES)), None)


def locked() -> Mapping[str, str]:
    """Return the environment in which the lock's Chromium finds its libraries and fonts."""
    return {
        **os.environ,
        "LD_LIBRARY_PATH": str(UNPACKED.parent / "al2023/lib"),
        "FONTCONFIG_FILE": str(LOCKED / "fonts.conf"),
    }


def bring() -> None:
    """Install the lock's Chromium if the system has none. Raises SystemExit if it can't run."""
    if systems():
        return
    if (platform.system(), platform.machine()) != ALL_THERE_IS:
        sys.exit(NEITHER)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    commands = () if is_new() else (["npm", "ci", "--silent"], ["node", "unpack.mjs"])
    for command in commands:
        program = shutil.which(command[0], path=path) or command[0]
        subprocess.run(  # noqa: S603 — the lock's own npm and node
            [program, *command[1:]], cwd=LOCKED, env={**os.environ, "PATH": path}, check=True
        )
    try:
        subprocess.run(  # noqa: S603 — what was unpacked
            [str(UNPACKED), "--version"], env=dict(locked()), check=True, stdout=subprocess.DEVNULL
        )
    except (OSError, subprocess.CalledProcessError):
        sys.exit(NEITHER)


def is_new() -> bool:
    """Return whether the lock's Chromium is unpacked, and of this lock."""
    lock = LOCKED / "package-lock.json"
    return UNPACKED.exists() and UNPACKED.stat().st_mtime >= lock.stat().st_mtime


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Run a browser until the block ends. Raises FileNotFoundError if there is none."""
    found = systems()
    if not found and not UNPACKED.exists():
        raise FileNotFoundError(NEITHER)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=found or UNPACKED, args=QUIET, env=None if found else dict(locked())
        )
        try:
            yield browser
        finally:
            await browser.close()


if __name__ == "__main__":
    bring()
