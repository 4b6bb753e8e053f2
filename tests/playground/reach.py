"""Checks of views at any window size and in any colour mode: layout, touch and keyboard.

With EVERY_VIEW=1, as set by make test-pages, each view is tested in every size and mode, and
otherwise in some pairs of these.
"""

import os
from typing import Final, Literal

from playwright.async_api import Page

from tests.playground.axe import violations

SIZES: Final = {
    "a desk": (1440, 900),
    "a laptop": (1024, 768),
    "a phone": (390, 844),
    "400 %": (320, 256),  # of 1280 by 1024, as WCAG 1.4.10 has it
}
MODES: Final = ("light", "dark", "forced")
SCROLLED: Final = """() => {
  const { scrollWidth, scrollHeight } = document.scrollingElement;
  return [scrollWidth - innerWidth, scrollHeight - innerHeight];
}"""
"""Returns the pixels of content beyond the window, to the right and below."""
OUT_OF_REACH: Final = """() => {
  const dialog = document.querySelector("[role=dialog], [role=menu]");
  const all = (dialog ?? document.body)
    .querySelectorAll("a[href], button, input, [role=option], [role=menuitem]");
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
"""Returns visible controls that can't be touched in their centre, or are cut off at a side."""
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
"""Returns the number of elements that Tab must reach, and starts to record those it misses."""
LEFT: Final = """() => {
  document.activeElement.blur();
  return [...left.unvisited, ...left.ringless].map((each) =>
  `${left.ringless.has(each) ? "no ring" : "no stop"}: ${each.outerHTML.slice(0, 120)}`);
}"""
DRAWN: Final = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
"""Waits until the page is drawn in its present state."""
EVERY: Final = bool(os.environ.get("EVERY_VIEW"))


def chosen(turn: int) -> list[tuple[str, str]]:
    """Return sizes and modes for a view: all, or each size and mode, of which one mode twice.

    Those of a few turns cover every pair, and a mode stays while it can, as to turn it is dear.
    """
    if EVERY:
        return [(size, mode) for mode in MODES for size in SIZES]
    first = turn % len(SIZES)
    sizes = [*SIZES][first:] + [*SIZES][:first]
    return list(zip(sizes, (*MODES, MODES[-1]), strict=True))


async def show(page: Page, size: str, mode: str) -> None:
    """Give the page a size and colours."""
    width, height = SIZES[size]
    await page.set_viewport_size({"width": width, "height": height})
    scheme: Literal["dark", "light"] = "dark" if mode == "dark" else "light"
    forced: Literal["active", "none"] = "active" if mode == "forced" else "none"
    await page.emulate_media(color_scheme=scheme, forced_colors=forced)
    await page.evaluate(DRAWN)


async def faults(page: Page) -> list[str]:
    """Return the faults of layout, touch and accessibility of the page in its present state."""
    wide, _ = await page.evaluate(SCROLLED)
    found = [f"{wide} pixels beyond the right edge"] if wide > 0 else []
    unreachable: list[str] = await page.evaluate(OUT_OF_REACH)
    return [*found, *unreachable, *await violations(page)]


async def missed_by_keyboard(page: Page) -> list[str]:
    """Return the elements that Tab misses, or that show no focus ring."""
    stops: int = await page.evaluate(STOPS)
    for pressed in range(1, 2 * stops + 1):  # Tab may begin anywhere, and leave the page
        await page.keyboard.press("Tab")
        if pressed >= stops and await page.evaluate("left.unvisited.size === 0"):
            break
    found: list[str] = await page.evaluate(LEFT)
    return found
