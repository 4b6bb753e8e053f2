"""Chromium, as Debian packages it: found, and started with nobody to call home to."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from playwright.async_api import Browser, async_playwright

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
QUIET: Final = (
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


def executable() -> str:
    """Find Chromium. Raises FileNotFoundError, which tells how to get it."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    msg = (
        f"No Chromium is found (looked for {', '.join(NAMES)}): the playground can't be tried in a "
        "browser. Install it, on Debian with: apt-get install chromium"
    )
    raise FileNotFoundError(msg)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Run a browser for as long as the block lasts."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable(), args=QUIET)
        try:
            yield browser
        finally:
            await browser.close()
