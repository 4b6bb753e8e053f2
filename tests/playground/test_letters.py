"""Letters in a real browser: what a checker of accessibility finds, by day and by night."""

from typing import Literal

import pytest
from playwright.async_api import Browser

from gql_app.mail.composing import mail_templates
from gql_app.mail.letter_examples import EXAMPLES
from gql_app.settings import Settings
from tests.playground.axe import violations

pytestmark = pytest.mark.xdist_group("chromium")

OF_A_WHOLE_PAGE = ("landmark-one-main", "region")
"""What the page of a mail client has, around the letter."""
TEMPLATES = mail_templates(Settings())


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_letters_read_well_by_day_and_by_night_and_load_nothing(
    browser: Browser, scheme: Literal["light", "dark"]
) -> None:
    context = await browser.new_context(viewport={"width": 320, "height": 640}, color_scheme=scheme)
    page, requests = await context.new_page(), list[str]()
    page.on("request", lambda request: requests.append(request.url))
    for kind, language in (("verify_email", "de"), ("password_changed", "fr")):
        letter = TEMPLATES.render(kind, language, EXAMPLES[kind][0])
        assert letter.html
        await page.set_content(letter.html)
        found = await violations(page)
        assert [each for each in found if not each.startswith(OF_A_WHOLE_PAGE)] == []
        colour = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert colour == {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 18, 22)"}[scheme]
        width = await page.evaluate("document.documentElement.scrollWidth")
        assert width <= 320
    assert requests == []
    await context.close()
