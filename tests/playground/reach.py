"""Whether a view fits into a window of any size and colours, and can be touched and reached.

Each pair of a view, a size and a mode comes up; EVERY_VIEW=1, as make test-pages has it, tries the
whole product.
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
"""How many pixels there are beyond the window, to the right and below."""
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


async def faults(page: Page) -> list[str]:
    """Return what somebody would stumble over in the page as it is now, whatever its height."""
    wide, _ = await page.evaluate(SCROLLED)
    found = [f"{wide} pixels beyond the right edge"] if wide > 0 else []
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
