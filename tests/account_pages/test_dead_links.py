"""Links that no longer work: the page says how to have another, and that comes."""

import re
from collections.abc import AsyncIterator
from typing import Final

import pytest
from playwright.async_api import BrowserContext, Route, expect

from tests.account_pages.correspondence import (
    PASSWORD,
    SIGN_IN_LINK,
    Correspondence,
    corresponding,
)
from tests.account_pages.test_security import FACTORS, sign_in
from tests.account_pages.visit import Visit, fault, payload
from tests.processes import Server

pytestmark = pytest.mark.xdist_group("chromium")

SPENT: Final = "This link no longer works"
NO_ADDRESS: Final = "Give your account’s e-mail address."
CONFIRM: Final = "Send me a link to confirm it"
OFFERED: Final = 'content="passkeys passwordReset verification"'
BUTTONS: Final = {"Set the password": "resetPassword", "Sign in": "signInByLink"}
INVALID: Final = {"message": SPENT, "extensions": {"code": "TOKEN_INVALID"}}
RESET: Final = """mutation ($email: String!) {
  requestPasswordReset(email: $email) { status message }
}"""


@pytest.fixture(scope="module", params=["ask", "require"])
async def posting(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> AsyncIterator[Correspondence]:
    """Serve a demo that sends letters, in a mode of verification."""
    folder = tmp_path_factory.mktemp("dead")
    async with corresponding(folder, email_verification=request.param) as posting:
        yield posting


@pytest.fixture
async def visit(context: BrowserContext, posting: Correspondence) -> Visit:
    """Open a tab."""
    return Visit(await context.new_page(), posting.url)


async def verify(visit: Visit, link: str) -> None:
    """Verify an address by a link."""
    await visit.follow(link)
    await visit.press("Yes, it was me")
    await visit.arrived("Your address is confirmed")


async def newer(visit: Visit, posting: Correspondence, email: str, page: str, old: str) -> str:
    """Wait for a link other than the old one, and return it."""
    while (link := await posting.link(visit, email, page)) == old:
        await visit.page.wait_for_timeout(20)
    return link


async def ask_for_another(visit: Visit, email: str) -> None:
    """Ask for another link where one no longer works."""
    await visit.arrived(SPENT)
    sent = len(visit.sent())
    for blank in ("", " "):
        await visit.field("E-mail address").fill(blank)
        await visit.press("Send me a new link")
        await expect(visit.field("E-mail address")).to_have_accessible_description(NO_ADDRESS)
    assert len(visit.sent()) == sent
    await visit.field("E-mail address").fill(email)
    await visit.press("Send me a new link")
    await visit.arrived("Your request has arrived")
    await expect(visit.page.get_by_text("is on its way").filter(visible=True)).to_be_visible()
    assert visit.sent()[-1]["variables"] == {"email": email}


async def test_password_is_reset_by_another_link(visit: Visit, posting: Correspondence) -> None:
    email = "forgetful@example.com"
    posting.register("forgetful")
    await verify(visit, await posting.link(visit, email, "verify"))
    posting.run(RESET, email=email)
    link = await posting.link(visit, email, "reset")
    for words in ("another few words", "words once more"):
        await visit.follow(link)
        await visit.password().fill(words)
        await visit.press("Set the password")
        await visit.arrived("Your new password is set")
        await visit.follow(link)
        await visit.password().fill(words)
        await visit.press("Set the password")
        await ask_for_another(visit, email)
        link = await newer(visit, posting, email, "reset", link)


async def test_sign_in_works_by_another_link(visit: Visit, posting: Correspondence) -> None:
    email = "again@example.com"
    posting.register("again")
    await verify(visit, await posting.link(visit, email, "verify"))
    posting.run(SIGN_IN_LINK, email=email)
    link = await posting.link(visit, email, "sign-in")
    await visit.follow(link)
    await visit.press("Sign in")
    await expect(visit.page.get_by_text("Signed in: again")).to_be_visible()
    await visit.follow(link)
    await visit.press("Sign in")
    await ask_for_another(visit, email)
    await visit.follow(await newer(visit, posting, email, "sign-in", link))
    await visit.press("Sign in")
    await expect(visit.page.get_by_text("Signed in: again")).to_be_visible()


async def test_address_is_confirmed_by_another_link(
    visit: Visit, posting: Correspondence, request: pytest.FixtureRequest
) -> None:
    email = "late@example.com"
    posting.register("late")
    link = await posting.link(visit, email, "verify")
    await visit.follow(f"{posting.url}/account/verify#token=gav_x")
    await visit.heading(SPENT)
    await visit.page.get_by_role("link", name="Sign in").click()
    await visit.heading("Sign in")
    await visit.field("E-mail address").fill(email)
    await visit.field("Password").fill(PASSWORD)
    await visit.page.keyboard.press("Enter")
    if "require" in request.node.name:
        await expect(visit.alert()).to_contain_text("not confirmed yet")
    else:
        await visit.arrived(FACTORS)
        await visit.press(CONFIRM)
        await expect(visit.page.get_by_text("is on its way")).to_be_visible()
    await verify(visit, await newer(visit, posting, email, "verify", link))
    await visit.open("security", None)
    if "require" in request.node.name:
        await visit.field("E-mail address").fill(email)
        await visit.field("Password").fill(PASSWORD)
        await visit.page.keyboard.press("Enter")
    await visit.heading(FACTORS)
    await expect(visit.button(CONFIRM)).to_be_hidden()


async def test_nothing_is_offered_that_the_server_has_not(
    context: BrowserContext, demo: Server
) -> None:
    async def page(route: Route) -> None:
        served = await route.fetch()
        text = await served.text()
        assert text.count(OFFERED) == 1
        await route.fulfill(response=served, body=text.replace(OFFERED, 'content=""'))

    visit = Visit(await context.new_page(), demo.url)
    await visit.page.route(re.compile(r"/account/[a-z-]+$"), page)
    for name, button in (("reset", "Set the password"), ("sign-in", "Sign in")):
        await visit.play("graphql", payload(BUTTONS[button], SPENT, fault("TOKEN_INVALID", SPENT)))
        await visit.open(name)
        await visit.press(button)
        await visit.arrived(SPENT)
        await expect(visit.field("E-mail address")).to_be_hidden()
    await visit.play("link", {"status": 400, "body": {"errors": [INVALID]}})
    await visit.open("verify")
    await visit.heading(SPENT)
    await expect(visit.page.get_by_text("you can have a new link")).to_be_hidden()
    await visit.page.unroute("**/graphql")
    await visit.open("security", None)
    await expect(visit.button("Sign in")).to_be_visible()
    await expect(visit.button("Use a passkey")).to_be_hidden()
    await sign_in(visit)
    await visit.arrived(FACTORS)
    await expect(visit.field("Name of a new passkey")).to_be_hidden()
    await expect(visit.button(CONFIRM)).to_be_hidden()
    await expect(visit.page.get_by_text("Passkeys need")).to_have_count(0)
