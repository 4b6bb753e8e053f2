"""Takes the README's screenshot: the demo's playground with its admin signed in, and an answer."""

import asyncio
import sys
import tempfile
from pathlib import Path

from playwright.async_api import expect

from gql_app.cli.samples import SIGN_INS
from tests.playground.chromium import chromium
from tests.playground.tab import Tab
from tests.processes import serving


async def take(url: str, picture: Path) -> None:
    """Take the screenshot of a running demo."""
    async with chromium() as browser:
        context = await browser.new_context(
            viewport={"width": 1200, "height": 720}, color_scheme="light"
        )
        async with Tab.opened(context, url) as tab:
            await tab.page.get_by_role("button", name="Sign in as admin").click()
            await tab.signed_in(SIGN_INS[0].name)
            await tab.run("FirstPage")
            await expect(tab.page.get_by_label("Result Window")).to_contain_text("nodes")
            await tab.page.mouse.move(600, 20)
            await tab.page.screenshot(path=picture)


def main() -> None:
    """Serve a demo, and write the screenshot to the file of the argument."""
    picture = Path(sys.argv[1])
    picture.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, serving("--demo", folder=Path(folder)) as server:
        asyncio.run(take(server.url, picture))


if __name__ == "__main__":
    main()
