"""Accounts and forgotten passwords by the playground's forms, with a mail server."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import BrowserContext, Route, expect

from tests.mailbox import HOST, Arrived, Mailbox, mail_server, port_of, reserved_port
from tests.playground.tab import Tab
from tests.playground.test_page import OVERFLOW
from tests.processes import Server, serving

pytestmark = pytest.mark.xdist_group("chromium")

NAME: Final = "N" * 200
EMAIL: Final = "newcomer@example.com"
PASSWORD: Final = 'a "quoted" \\ word of mine'
NEXT_PASSWORD: Final = "another $quoted` one"


@pytest.fixture(scope="module")
async def mailbox() -> AsyncIterator[tuple[Mailbox, int]]:
    """Take letters at a port."""
    mailbox, reserved = Mailbox(), reserved_port()
    async with mail_server(mailbox, reserved):
        yield mailbox, port_of(reserved)


@pytest.fixture(scope="module")
async def posting(
    tmp_path_factory: pytest.TempPathFactory, mailbox: tuple[Mailbox, int]
) -> AsyncIterator[Server]:
    """Serve a demo that sends letters."""
    folder: Path = tmp_path_factory.mktemp("posting")
    smtp_url = f"smtp://{HOST}:{mailbox[1]}"
    with serving("--demo", folder=folder, smtp_url=smtp_url) as server:
        yield server


async def test_nothing_is_offered_that_the_server_lacks(
    context: BrowserContext, demo: Server
) -> None:
    offers = ("Forgot it?", "Create an account")
    lacks = re.compile(r"&quot;lacks&quot;: \[[^\]]*\]")
    told = '&quot;lacks&quot;: ["passwordReset", "registration"]'.replace('"', "&quot;")

    async def page(route: Route) -> None:
        if route.request.method == "GET":
            served = await route.fetch()
            text, count = lacks.subn(told, await served.text())
            assert count == 1
            await route.fulfill(response=served, body=text)
        else:
            await route.fallback()

    async with Tab.opened(context, demo.url) as tab:
        for offer in offers:
            await expect(tab.bar.get_by_role("button", name=offer)).to_be_visible()
        await tab.page.route("**/graphql", page)
        await tab.page.reload()
        await tab.ready()
        for offer in offers:
            await expect(tab.bar.get_by_role("button", name=offer)).to_have_count(0)


async def create_account(tab: Tab) -> None:
    """Create an account by the form, with a mistake at each turn, and sign out of it."""
    await tab.button("Create an account").click()
    await tab.page.keyboard.type(NAME)
    await tab.field("E-mail").fill("customer@example.com")
    await tab.field("Password").fill("short")
    await tab.button("Create the account").click()
    await expect(tab.field("Password")).to_have_attribute("aria-invalid", "true")
    await tab.field("Password").fill(PASSWORD)
    await tab.page.keyboard.press("Enter")
    await expect(tab.field("E-mail")).to_have_attribute("aria-invalid", "true")
    await expect(tab.field("E-mail")).to_have_accessible_description(re.compile(r"\w"))
    await tab.field("E-mail").fill(EMAIL)
    await tab.button("Show password").click()
    await expect(tab.field("Password")).to_have_attribute("type", "text")
    await tab.page.set_viewport_size({"width": 390, "height": 844})
    await tab.button("Create the account").click()
    await tab.signed_in(NAME)
    assert await tab.page.evaluate(OVERFLOW) == 0
    await tab.page.set_viewport_size({"width": 1280, "height": 800})
    await tab.button("Sign out").click()


async def test_account_is_created_and_its_forgotten_password_reset_by_a_letters_link(
    context: BrowserContext, posting: Server, mailbox: tuple[Mailbox, int]
) -> None:
    arrived = mailbox[0].arrived
    async with Tab.opened(context, posting.url) as tab:
        await create_account(tab)
        await tab.button("Forgot it?").click()
        await expect(tab.field("E-mail")).to_have_value(EMAIL)
        await tab.button("Send me a link").click()
        await tab.signed_out()
        await expect(tab.bar.locator(".notice.good")).to_be_visible()
        token = await letter_token(tab, arrived)
        # as the address differs in its fragment alone, nothing is loaded
        await tab.page.goto(f"{tab.url}#token={token}")
        await expect(tab.page).to_have_url(f"{posting.url}/account/reset")
        await tab.page.get_by_label("New password", exact=True).fill(NEXT_PASSWORD)
        await tab.page.keyboard.press("Enter")
        await tab.page.get_by_role("link", name="Go on to sign in").click()
        await tab.ready()
        await tab.sign_in(EMAIL, PASSWORD)
        await tab.notice("is wrong")
        await tab.field("Password").fill(NEXT_PASSWORD)
        await tab.page.keyboard.press("Enter")
        await tab.signed_in(NAME)
        await tab.page.goto(f"{posting.url}/account/reset#token={token}")
        await tab.page.get_by_label("New password", exact=True).fill(PASSWORD)
        await tab.button("Set the password").click()
        heading = tab.page.get_by_role("heading", name="This link no longer works")
        await expect(heading).to_be_focused()
        stored = str(await tab.stored())
        assert not [each for each in (PASSWORD, NEXT_PASSWORD, token) if each in stored]
    assert token not in posting.logged()


async def letter_token(tab: Tab, arrived: list[Arrived]) -> str:
    """Wait for a letter that resets a password, and read its link's token."""
    while not (tokens := re.findall(r"#token=(gap_\S+)$", texts(arrived), re.MULTILINE)):
        await tab.page.wait_for_timeout(20)
    return str(tokens[0])


def texts(arrived: list[Arrived]) -> str:
    """Return what the letters say."""
    return "\n".join(letter.text for letter in arrived)
