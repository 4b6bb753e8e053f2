"""Each view of the playground in all sizes and colours: read by axe, within reach, by keyboard.

A view follows from the one before, so that the page is loaded once.
"""

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Browser, Page, expect

from gql_app.cli.samples import SIGN_INS
from tests.apps import App
from tests.playground.reach import EVERY, SCROLLED, SIZES, chosen, faults, missed_by_keyboard, show
from tests.playground.tab import WATCH, Tab
from tests.processes import PATIENCE, Server, serving

pytestmark = pytest.mark.xdist_group("chromium")

ADMIN: Final = SIGN_INS[0]
LOW: Final = 520
"""Pixels of height from which on nothing has to be scrolled to."""
LOWEST: Final = """() => Math.min(...[".graphiql-query-editor .graphiql-editor", ".result-window"]
  .map((pane) => document.querySelector(pane).getBoundingClientRect().height))"""
"""The height of the lower of the two panes."""

View = Callable[[Tab], Awaitable[None]]


async def signed_out(tab: Tab) -> None:
    """Show what comes first."""
    await tab.signed_out()


async def pointed_at(tab: Tab) -> None:
    """Have the mouse on the button that signs in."""
    await tab.button("Sign in").hover()


async def registering(tab: Tab) -> None:
    """Show the form of a new account."""
    await tab.button("Create an account").click()
    await expect(tab.field("Name")).to_be_focused()


async def forgotten(tab: Tab) -> None:
    """Show the form that has a link sent."""
    await tab.button("Back to the sign-in").click()
    await tab.button("Forgot it?").click()
    await expect(tab.button("Send me a link")).to_be_visible()


async def refused(tab: Tab) -> None:
    """Show a refusal, and how its request went."""
    await tab.button("Back to the sign-in").click()
    await tab.run("Me")
    await tab.notice("Nobody is signed in")


async def signed_in(tab: Tab) -> None:
    """Show an answer to somebody."""
    await tab.button("Sign in as admin").click()
    await tab.signed_in(ADMIN.name)
    await tab.run("FirstPage")


async def no_factors(tab: Tab) -> None:
    """Show the dialog of second factors, with none in it."""
    await tab.page.keyboard.press("Escape")
    await tab.button("Second factors").click()
    await expect(tab.button("Add a passkey")).to_be_visible()


async def scanning(tab: Tab) -> None:
    """Show what an app is set up with."""
    await tab.button("Set up an app for codes").click()
    await expect(tab.page.get_by_alt_text("QR code for your app")).to_be_visible()


async def wrong_code(tab: Tab) -> None:
    """Show a code that is refused."""
    await tab.field("Code of your app").fill("one")
    await tab.button("Confirm").click()
    await tab.page.get_by_text("This code is wrong").wait_for()


async def recovery_codes(tab: Tab) -> None:
    """Show recovery codes."""
    app = App((await tab.page.locator("dialog p code").inner_text()).replace(" ", ""))
    await tab.field("Code of your app").fill(app.code())
    await tab.button("Confirm").click()
    await expect(tab.button("Copy the codes")).to_be_visible()


async def renaming(tab: Tab) -> None:
    """Show a second factor, which is given another name."""
    await tab.button("I have kept them").click()
    await tab.button("Rename App for codes").click()
    await expect(tab.field("New name")).to_be_focused()


async def proving(tab: Tab) -> None:
    """Show what is asked for a proof."""
    stale = {"code": "FORBIDDEN", "reason": "REAUTHENTICATION_REQUIRED"}
    methods = ["CODE", "RECOVERY_CODE", "PASSKEY"]
    refused = {"message": "Prove it.", "extensions": {**stale, "methods": methods}}
    answer = {"data": None, "errors": [refused]}
    await tab.page.route("**/graphql", lambda route: route.fulfill(json=answer), times=1)
    await tab.button("Make new recovery codes").click()
    await expect(tab.button("Prove it")).to_be_visible()


async def challenged(tab: Tab) -> None:
    """Show the second step of a sign-in."""
    await tab.button("Close").click()
    await tab.button("Sign out").click()
    await tab.button("Sign in as admin").click()
    await expect(tab.field("Code of your app")).to_be_visible()


async def by_recovery_code(tab: Tab) -> None:
    """Show the second step by a recovery code, which is refused."""
    await tab.button("Use a recovery code").click()
    await tab.field("Recovery code").fill("one")
    await tab.page.keyboard.press("Enter")
    await tab.notice("is wrong")


async def new_tab(tab: Tab) -> None:
    """Show a second tab, of which one is closed."""
    await tab.button("New tab").click()
    await expect(tab.button("Close Tab").last).to_be_visible()
    await expect(tab.button("Execute query")).not_to_have_attribute("aria-haspopup", "menu")


async def docs(tab: Tab) -> None:
    """Show the documentation of queries."""
    await tab.button("Show Documentation Explorer").click()
    await tab.page.get_by_role("link", name="Query", exact=True).click()


async def field_docs(tab: Tab) -> None:
    """Show the documentation of a field."""
    await tab.page.get_by_role("link", name="customers", exact=True).click()


async def unreachable(tab: Tab) -> None:
    """Show that the server is down."""
    await tab.page.route("**/graphql", lambda route: route.abort())
    await tab.button("Execute query").click()
    await tab.notice("The server can't be reached.")
    await tab.button("Re-fetch GraphQL schema").click()
    await expect(tab.page.get_by_text("Error fetching schema")).to_be_visible()


async def history(tab: Tab) -> None:
    """Show what was run, once the server is back."""
    await tab.page.unroute("**/graphql")
    await tab.button("Re-fetch GraphQL schema").click()
    await tab.no_notice()
    await tab.button("Show History").click()


async def settings(tab: Tab) -> None:
    """Show the settings."""
    await tab.button("Open settings dialog").click()


async def short_keys(tab: Tab) -> None:
    """Show the keys."""
    await tab.page.keyboard.press("Escape")
    await tab.button("Open short keys dialog").click()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Serve a demo, whose admin gets a second factor."""
    with serving("--demo", folder=tmp_path) as server:
        yield server


VIEWS: Final[tuple[View, ...]] = (
    signed_out,
    pointed_at,
    registering,
    forgotten,
    refused,
    signed_in,
    new_tab,
    docs,
    field_docs,
    unreachable,
    history,
    settings,
    short_keys,
    no_factors,
    scanning,
    wrong_code,
    recovery_codes,
    renaming,
    proving,
    challenged,
    by_recovery_code,
)


async def panes(page: Page, size: str) -> list[str]:
    """Return what is wrong with the heights of the page and its panes as they are now."""
    _, high = await page.evaluate(SCROLLED)
    found = []
    if high > 0 and SIZES[size][1] > LOW:
        found += [f"{high} pixels below the window"]
    if (lowest := await page.evaluate(LOWEST)) < 60:
        found += [f"a pane of {lowest} pixels"]
    return found


async def test_every_view_can_be_read_and_reached_in_every_size_and_mode(
    browser: Browser, server: Server
) -> None:
    context = await browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(PATIENCE * 1000)
    await context.add_init_script(WATCH)
    found: list[str] = []
    async with Tab.opened(context, server.url) as tab:
        for turn, view in enumerate(VIEWS):
            await show(tab.page, "a desk", "light")
            await view(tab)
            for size in SIZES if EVERY else ("a desk",):
                await show(tab.page, size, "light")
                missed = await missed_by_keyboard(tab.page)
                found += [f"{view.__name__}, {size}, by keyboard: {each}" for each in missed]
            for size, mode in chosen(turn):
                await show(tab.page, size, mode)
                here = [*await faults(tab.page), *await panes(tab.page, size)]
                found += [f"{view.__name__}, {size}, {mode}: {each}" for each in here]
        assert await tab.page.evaluate("violations") == []
    await context.close()
    assert not found, "\n".join(found)


async def test_operations_can_be_chosen_in_every_size_and_mode(tab: Tab) -> None:
    found: list[str] = []
    for size, mode in chosen(0):  # the menu is placed once, where it is opened
        await show(tab.page, size, mode)
        await tab.button("Execute query").click()
        await expect(tab.page.get_by_role("menuitem", name="Me", exact=True)).to_be_visible()
        found += [f"{size}, {mode}: {each}" for each in await faults(tab.page)]
        await tab.page.keyboard.press("Escape")
    assert not found, "\n".join(found)
