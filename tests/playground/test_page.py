"""The playground's page: what it loads, whom it talks to, and who can use it."""

import json
import re
from collections.abc import Mapping
from typing import Final, Literal
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, expect

from gql_app.cli.samples import SIGN_INS
from gql_app.web.pages.playground import BUILT
from tests.playground.tab import Tab, origins
from tests.processes import Server

pytestmark = pytest.mark.xdist_group("chromium")

PERSON: Final = SIGN_INS[0]
MOST: Final = 2_500_000
"""Bytes that the first load may take over the wire."""
TOUR: Final = ("SignIn", "Me", "FirstPage", "NextPage", "Sessions", "ExpiredToken")
OVERFLOW: Final = "document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth"
LOADED: Final = """() => {
  const names = performance.getEntriesByType("resource").map((each) => each.name);
  return names.filter((name) => name.includes("worker")).length === 3 && names;
}"""
"""All that was loaded, once the three workers were."""
NAMED: Final = re.compile(r"\w")
INK: Final = "getComputedStyle(document.querySelector('.line-numbers')).color"
THEMES: Final[Mapping[Literal["dark", "light"], str]] = {"dark": "vs-dark", "light": "vs"}
"""Monaco's classes, by what the system prefers."""
FORCED: Final[tuple[Literal["active", "none"], ...]] = ("active", "none")
GROUND: Final = "getComputedStyle(document.body).backgroundColor"


async def test_whole_tour_talks_to_nobody_else_and_breaks_no_policy(tab: Tab, demo: Server) -> None:
    for operation in TOUR:
        answer = json.loads(await tab.run(operation))
        assert "errors" not in answer, answer
    for name in ("Show Documentation Explorer", "Show History"):
        await tab.page.get_by_role("button", name=name).click()
    await tab.page.get_by_role("button", name="Prettify query").click()
    await tab.page.get_by_role("button", name="Re-fetch GraphQL schema").click()
    await tab.ready()
    await tab.bar.get_by_role("button", name="Refresh").click()
    await tab.bar.get_by_role("button", name="Sign out").click()
    await tab.signed_out()
    assert origins(tab.requests) == {demo.url}
    assert await tab.page.evaluate("violations") == []
    assert tab.complaints == []
    assert (await tab.stored())["local"] == {}


async def test_first_load_is_light_and_all_of_it_is_cached_for_good(tab: Tab, demo: Server) -> None:
    loaded = await tab.page.wait_for_function(LOADED)
    files = {urlsplit(url).path.rpartition("/")[2] for url in await loaded.json_value()}
    files -= {"graphql"}
    assert not [name for name in files if "babel" in name]
    page = (BUILT / "index.html").stat().st_size
    assert sum((BUILT / "playground" / f"{name}.br").stat().st_size for name in files) + page < MOST
    with demo.client() as client:
        for name in files:
            answer = client.get(f"/playground/{name}", headers={"Accept-Encoding": "br"})
            assert answer.headers["content-encoding"] == "br"
            assert "immutable" in answer.headers["cache-control"]


async def test_keyboard_is_enough(tab: Tab) -> None:
    press, type_ = tab.page.keyboard.press, tab.page.keyboard.type
    await press("Tab")
    await expect(tab.field("E-mail")).to_be_focused()
    await type_(PERSON.email)
    await press("Tab")
    await type_(PERSON.password)
    await press("Enter")
    await tab.signed_in(PERSON.name)
    await press("Tab")
    await expect(tab.bar.get_by_role("button", name="Refresh")).to_be_focused()
    await press("Tab")
    await expect(tab.bar.get_by_role("button", name="Second factors")).to_be_focused()
    await press("Tab")
    await expect(tab.bar.get_by_role("button", name="Sign out")).to_be_focused()
    frame = tab.page.get_by_label("Operation Editor").locator(".graphiql-editor")
    for _ in range(20):
        await press("Tab")
        if await frame.evaluate("(frame) => frame === document.activeElement"):
            break
    await expect(frame).to_be_focused()
    await press("Enter")
    await press("Control+A")
    await type_("{ me { email")
    await expect(tab.page.locator(".suggest-widget.visible")).to_be_visible()
    await press("Escape")
    await expect(tab.page.locator(".suggest-widget.visible")).to_be_hidden()
    await press("Control+Enter")
    assert PERSON.email in await tab.answer()
    await press("Escape")
    await expect(frame).to_be_focused()
    for _ in range(20):
        await press("Shift+Tab")
        if await tab.bar.evaluate("(bar) => bar.contains(document.activeElement)"):
            break
    await expect(tab.bar.get_by_role("button", name="Sign out")).to_be_focused()
    await press("Enter")
    await tab.signed_out()
    await expect(tab.field("E-mail")).to_be_focused()


async def test_400_pixels_are_enough(tab: Tab) -> None:
    await tab.page.set_viewport_size({"width": 400, "height": 800})
    await tab.page.reload()
    await tab.ready()
    assert await tab.page.evaluate(OVERFLOW) == 0
    await tab.sign_in(PERSON.email, PERSON.password)
    await tab.signed_in(PERSON.name)
    assert PERSON.email in await tab.run("Me")
    assert await tab.page.evaluate(OVERFLOW) == 0
    for button in await tab.page.get_by_role("button").all():
        await expect(button).to_be_in_viewport()
    for pane in ("Operation Editor", "Result Window"):
        box = await tab.page.get_by_label(pane).bounding_box()
        assert box is not None
        assert box["width"] >= 300
        assert box["height"] >= 150


async def test_dark_and_light_follow_the_system_and_the_settings_are_for_all_tabs(
    browser: Browser, demo: Server
) -> None:
    context = await browser.new_context()
    grounds, inks = {}, {}
    async with Tab.opened(context, demo.url) as tab:
        for scheme, theme in THEMES.items():
            await tab.page.emulate_media(color_scheme=scheme)
            await expect(tab.page.locator(f".monaco-editor.{theme}").first).to_be_visible()
            grounds[scheme] = await tab.page.evaluate(GROUND)
            inks[scheme] = await tab.page.evaluate(INK)
            for forced in FORCED:
                await tab.page.emulate_media(color_scheme=scheme, forced_colors=forced)
            await tab.page.wait_for_function(f"(ink) => {INK} === ink", arg=inks[scheme])
        await tab.button("Open settings dialog").click()
        await tab.button("Dark").click()
        assert await tab.page.evaluate(GROUND) == grounds["dark"]
        assert (await tab.stored())["local"] == {"graphiql:theme": "dark"}
        async with Tab.opened(context, demo.url) as other:
            assert await other.page.evaluate(GROUND) == grounds["dark"]
            assert await other.page.evaluate(INK) == inks["dark"]
    await context.close()
    assert grounds == {"dark": "rgb(33, 42, 59)", "light": "rgb(255, 255, 255)"}
    assert inks["dark"] != inks["light"]


async def test_screen_reader_finds_a_name_for_everything(tab: Tab) -> None:
    form = tab.page.get_by_role("textbox", name="E-mail"), tab.field("Password")
    for each, hint in zip(form, ("username", "current-password"), strict=True):
        await expect(each).to_have_attribute("autocomplete", hint)
    for button in await tab.page.get_by_role("button").all():
        await expect(button).to_have_accessible_name(NAMED)
    await expect(tab.page).to_have_title("gql_app playground")
    assert await tab.page.evaluate("document.documentElement.lang") == "en"
    await expect(tab.page.get_by_role("main")).to_be_visible()
    for pane in ("operations", "variables"):
        await expect(tab.page.get_by_role("group", name=f"Frame of the {pane}")).to_be_visible()
    for pane in ("Operations", "Variables", "Answer"):
        await expect(tab.page.get_by_role("textbox", name=pane, exact=True)).to_be_attached()
    tabs = tab.page.get_by_role("list", name="Select active operation")
    await expect(tabs.get_by_role("button", name="SignIn")).to_have_attribute(
        "aria-current", "true"
    )
