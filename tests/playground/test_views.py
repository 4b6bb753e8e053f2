"""Each view of the playground in all sizes and colours: read by axe, within reach, by keyboard.

A view follows from the one before, so that the page is loaded once. Here each pair of a view, a
size and a mode comes up; EVERY_VIEW=1, as make test-pages has it, tries the whole product.
"""

import os
from collections.abc import Awaitable, Callable
from typing import Final, Literal

import pytest
from playwright.async_api import Browser, Page, expect

from gql_app.cli.samples import SIGN_INS
from tests.playground.axe import violations
from tests.playground.conftest import PATIENCE
from tests.playground.tab import WATCH, Tab
from tests.processes import Server

pytestmark = pytest.mark.xdist_group("chromium")

ADMIN: Final = SIGN_INS[0]
SIZES: Final = {
    "a desk": (1440, 900),
    "a laptop": (1024, 768),
    "a phone": (390, 844),
    "400 %": (320, 256),  # of 1280 by 1024, as WCAG 1.4.10 has it
}
MODES: Final = ("light", "dark", "forced")
LOW: Final = 520
"""Pixels of height from which on nothing has to be scrolled to."""
SCROLLED: Final = """() => {
  const { scrollWidth, scrollHeight } = document.scrollingElement;
  return [scrollWidth - innerWidth, scrollHeight - innerHeight];
}"""
"""How many pixels there are beyond the window, to the right and below."""
OUT_OF_REACH: Final = """() => {
  const dialog = document.querySelector("[role=dialog]");
  const all = (dialog ?? document.body).querySelectorAll("a[href], button, input, [role=option]");
  const shown = [...all].filter((each) => each.checkVisibility() && each.offsetParent);
  const missed = shown.filter((each) => {
    each.scrollIntoView({ block: "nearest", inline: "nearest" });
    const { left, top, width, height } = each.getBoundingClientRect();
    const hit = document.elementFromPoint(left + width / 2, top + height / 2);
    const fits = left >= 0 && left + width <= innerWidth + 0.5;
    return !fits || !(each.contains(hit) || hit?.contains(each) && hit.closest("label"));
  });
  scrollTo(0, 0);
  return missed.map((each) => each.outerHTML.slice(0, 120));
}"""
"""What is shown, and yet can't be touched in its middle, or is cut off at a side."""
STOPS: Final = """() => {
  const dialog = document.querySelector("[role=dialog]");
  const all = (dialog ?? document.body).querySelectorAll("a[href], button, input, [tabindex='0']");
  const stops = new Set([...all].filter((each) =>
    each.checkVisibility() && each.offsetParent && !each.disabled && each.tabIndex === 0));
  globalThis.left = { unvisited: new Set(stops), ringless: new Set() };
  document.activeElement.blur();
  document.addEventListener("focusin", ({ target }) => {
    left.unvisited.delete(target);
    const { outlineStyle } = getComputedStyle(target);
    if (stops.has(target) && outlineStyle === "none") left.ringless.add(target);
  });
  return stops.size;
}"""
"""How many elements there are that Tab has to come by; which it has not is noted."""
LEFT: Final = """() => {
  document.activeElement.blur();
  return [...left.unvisited, ...left.ringless].map((each) =>
  `${left.ringless.has(each) ? "no ring" : "no stop"}: ${each.outerHTML.slice(0, 120)}`);
}"""
DRAWN: Final = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
"""Waits until the page is drawn as it is now."""
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


async def resetting(tab: Tab) -> None:
    """Show the form of a letter's link, with something to mend."""
    await tab.page.evaluate("location.hash = 'token=gap_of-a-letter'")
    await tab.field("New password").fill("one")
    await tab.field("The same again").fill("another")
    await tab.button("Set the password").click()
    await tab.notice("The two passwords differ.")
    await expect(tab.field("The same again")).to_have_accessible_description(
        "The two passwords differ."
    )


async def refused(tab: Tab) -> None:
    """Show a refusal, and how its request went."""
    await tab.button("Cancel").click()
    await tab.button("Back to the sign-in").click()
    await tab.run("Me")
    await tab.notice("Nobody is signed in")


async def signed_in(tab: Tab) -> None:
    """Show an answer to somebody."""
    await tab.button("Sign in as admin").click()
    await tab.signed_in(ADMIN.name)
    await tab.run("FirstPage")


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


async def history(tab: Tab) -> None:
    """Show what was run."""
    await tab.button("Show History").click()


async def settings(tab: Tab) -> None:
    """Show the settings."""
    await tab.button("Open settings dialog").click()


async def short_keys(tab: Tab) -> None:
    """Show the keys."""
    await tab.page.keyboard.press("Escape")
    await tab.button("Open short keys dialog").click()


VIEWS: Final[tuple[View, ...]] = (
    signed_out,
    pointed_at,
    registering,
    forgotten,
    resetting,
    refused,
    signed_in,
    new_tab,
    docs,
    field_docs,
    history,
    settings,
    short_keys,
)


EVERY: Final = bool(os.environ.get("EVERY_VIEW"))


def chosen(turn: int) -> list[tuple[str, str]]:
    """Choose sizes and modes for a view: all, or so that any two of the three meet once."""
    if EVERY:
        return [(size, mode) for size in SIZES for mode in MODES]
    return [(size, MODES[(turn + index) % len(MODES)]) for index, size in enumerate(SIZES)]


async def show(page: Page, size: str, mode: str) -> None:
    """Give the page a size and colours."""
    width, height = SIZES[size]
    await page.set_viewport_size({"width": width, "height": height})
    scheme: Literal["dark", "light"] = "dark" if mode == "dark" else "light"
    forced: Literal["active", "none"] = "active" if mode == "forced" else "none"
    await page.emulate_media(color_scheme=scheme, forced_colors=forced)
    await page.evaluate(DRAWN)


async def faults(page: Page, size: str) -> list[str]:
    """Return what somebody would stumble over in the page as it is now."""
    wide, high = await page.evaluate(SCROLLED)
    found = [f"{wide} pixels beyond the right edge"] if wide > 0 else []
    if high > 0 and SIZES[size][1] > LOW:
        found += [f"{high} pixels below the window"]
    if (lowest := await page.evaluate(LOWEST)) < 60:
        found += [f"a pane of {lowest} pixels"]
    unreachable: list[str] = await page.evaluate(OUT_OF_REACH)
    return [*found, *unreachable, *await violations(page)]


async def missed_by_keyboard(page: Page) -> list[str]:
    """Return what Tab doesn't come by, or doesn't show that it has come to."""
    for _ in range(2 * await page.evaluate(STOPS)):  # Tab may begin anywhere, and leave the page
        await page.keyboard.press("Tab")
        if await page.evaluate("left.unvisited.size === 0"):
            break
    found: list[str] = await page.evaluate(LEFT)
    return found


async def test_every_view_can_be_read_and_reached_in_every_size_and_mode(
    browser: Browser, demo: Server
) -> None:
    context = await browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(PATIENCE * 1000)
    await context.add_init_script(WATCH)
    found: list[str] = []
    async with Tab.opened(context, demo.url) as tab:
        for turn, view in enumerate(VIEWS):
            await show(tab.page, "a desk", "light")
            await view(tab)
            for size in SIZES if EVERY else ("a desk",):
                await show(tab.page, size, "light")
                missed = await missed_by_keyboard(tab.page)
                found += [f"{view.__name__}, {size}, by keyboard: {each}" for each in missed]
            for size, mode in chosen(turn):
                await show(tab.page, size, mode)
                here = await faults(tab.page, size)
                found += [f"{view.__name__}, {size}, {mode}: {each}" for each in here]
        assert await tab.page.evaluate("violations") == []
    await context.close()
    assert not found, "\n".join(found)
