"""Fixtures of the browser tests: the browser, and a fresh context."""

from collections.abc import AsyncIterator, Iterator

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from gql_app.web.pages.playground import BUILT
from tests.playground.chromium import chromium
from tests.playground.tab import WATCH, Tab
from tests.processes import PATIENCE, Server, serving


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve a demo for the tests of a package, which register: other tests count its customers."""
    with serving("--demo", folder=tmp_path_factory.mktemp("demo")) as server:
        yield server


@pytest.fixture(scope="package")
async def browser() -> AsyncIterator[Browser]:
    """Run one browser for the tests of a package."""
    assert (BUILT / "index.html").exists(), "The playground is not built; make test builds it first"
    expect.set_options(timeout=PATIENCE * 1000)
    async with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """Open one context: its tabs share a cache, but no storage."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE * 1000)
    await context.add_init_script(WATCH)
    yield context
    await context.close()


@pytest.fixture(scope="module")
async def page(context: BrowserContext) -> Page:
    """Open a tab for one test after the other, as a new process would double a page's cost."""
    return await context.new_page()


@pytest.fixture
async def tab(page: Page, demo: Server) -> AsyncIterator[Tab]:
    """Open the playground of the demo."""
    async with Tab.reopened(page, demo.url) as tab:
        yield tab
