"""Fixtures of the account pages' tests: the browser, and a tab in which links are opened."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, BrowserContext

from tests.account_pages.visit import Visit
from tests.playground.conftest import browser, demo
from tests.playground.tab import WATCH
from tests.processes import PATIENCE, Server

__all__ = ["browser", "demo"]


@pytest.fixture
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """Open a browser context of a phone's size, with empty storage."""
    context = await browser.new_context(viewport={"width": 390, "height": 844})
    context.set_default_timeout(PATIENCE * 1000)
    await context.add_init_script(WATCH)
    yield context
    await context.close()


@pytest.fixture
async def visit(context: BrowserContext, demo: Server) -> Visit:
    """Open a tab for the account pages of the demo."""
    return Visit(await context.new_page(), demo.url)
