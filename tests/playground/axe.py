"""Accessibility checks of a page by axe-core."""

from typing import Final

from playwright.async_api import Page

from tests.processes import ROOT

SCRIPT: Final = ROOT / "playground/node_modules/axe-core/axe.min.js"
RULES: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
"""The rules of WCAG 2.2 at levels A and AA, and of best practice."""
# Behind an open menu, its library hides the page from screen readers, but not from axe.
RUN: Final = """async (tags) => {
  const options = { resultTypes: ["violations"], runOnly: tags };
  const menu = document.querySelector("[role=menu]");
  const { violations } = await axe.run(menu ?? document, options);
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => {
    const [why] = [...node.any, ...node.all, ...node.none];
    return `${id}: ${node.html.slice(0, 120)} ${why?.message ?? ""}`;
  }));
}"""


async def violations(page: Page) -> list[str]:
    """Return the violations of a page in its present state: the rule, the element and why."""
    if not await page.evaluate("'axe' in globalThis"):
        await page.evaluate(f"{SCRIPT.read_text(encoding='utf-8')}; undefined")
    found: list[str] = await page.evaluate(RUN, list(RULES))
    return found
