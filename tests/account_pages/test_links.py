"""Each link of a letter, from a real mailbox, through its page to what it is good for."""

import re
from collections.abc import AsyncIterator
from typing import Final

import pytest
from playwright.async_api import BrowserContext, expect

from tests.account_pages.correspondence import (
    PASSWORD,
    SIGN_IN_LINK,
    Correspondence,
    corresponding,
)
from tests.account_pages.visit import Visit

pytestmark = pytest.mark.xdist_group("chromium")

CHANGE: Final = """mutation ($email: String!, $password: String!) {
  updateMe(input: { email: $email, currentPassword: $password }) { status message }
}"""
INVITE: Final = """mutation ($input: InviteCustomerInput!) {
  inviteCustomer(input: $input) { status message }
}"""
ME: Final = "{ me { email emailVerifiedAt } }"


@pytest.fixture(scope="module")
async def posting(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Correspondence]:
    """Serve a demo that sends letters."""
    async with corresponding(tmp_path_factory.mktemp("posting")) as posting:
        yield posting


@pytest.fixture
async def visit(context: BrowserContext, posting: Correspondence) -> Visit:
    """Open a tab."""
    return Visit(await context.new_page(), posting.url)


async def test_address_is_proven_by_a_yes_and_its_link_is_good_once(
    visit: Visit, posting: Correspondence
) -> None:
    token = posting.register("proving")
    link = await posting.link(visit, "proving@example.com", "verify")
    await visit.follow(link)
    await expect(visit.page.locator("[data-kind]:visible")).to_have_text(
        re.compile(r"^Did you make this account on \d+ \w+ \d{4}\?$")
    )
    assert posting.run(ME, token)["emailVerifiedAt"] is None
    await visit.press("Yes, it was me")
    await visit.arrived("Your address is confirmed")
    assert posting.run(ME, token)["emailVerifiedAt"]
    assert visit.complaints == []
    await visit.follow(link)
    await visit.arrived("This link no longer works")
    secret = link.partition("=")[2]
    assert secret not in posting.logged()
    assert not [request for request in visit.requests if secret in request.url.partition("#")[0]]


async def test_who_never_made_the_account_says_no_and_nobody_signs_in_to_it(
    visit: Visit, posting: Correspondence
) -> None:
    posting.register("squatter")
    await visit.follow(await posting.link(visit, "squatter@example.com", "verify"))
    await visit.press("No, it wasn’t me")
    await visit.arrived("Thank you for telling us")
    assert posting.login("squatter@example.com") is None


async def test_new_address_is_asked_for_and_the_old_one_undoes_it(
    visit: Visit, posting: Correspondence
) -> None:
    old, new = "before@example.com", "after@example.com"
    token = posting.register("before")
    await visit.follow(await posting.link(visit, old, "verify"))
    await visit.press("Yes, it was me")
    await visit.arrived("Your address is confirmed")
    posting.run(CHANGE, token, email=new, password=PASSWORD)
    await visit.follow(await posting.link(visit, new, "verify"))
    await expect(visit.page.locator("[data-kind]:visible")).to_contain_text(
        "Did you ask to use this address"
    )
    await visit.press("Yes, it was me")
    await visit.arrived("Your address is confirmed")
    assert posting.login(new)
    undo = await posting.link(visit, old, "undo")
    await visit.follow(undo)
    await visit.press("Undo the change")
    await visit.arrived("The change is undone")
    assert posting.login(new) is None
    assert posting.login(old)
    await visit.follow(undo)
    await visit.press("Undo the change")
    await visit.arrived("This link no longer works")


async def test_who_is_invited_chooses_a_password_and_is_signed_in_to_the_playground(
    visit: Visit, posting: Correspondence
) -> None:
    invited = {"name": "Invited Ingrid", "email": "invited@example.com"}
    posting.run(INVITE, posting.admin(), input=invited)
    link = await posting.link(visit, invited["email"], "accept")
    await visit.follow(link)
    await visit.password().fill("short")
    await visit.press("Set the password and sign in")
    await expect(visit.password()).to_have_accessible_description(re.compile("^Choose a password"))
    await visit.password().fill(PASSWORD)
    await visit.password().press("Enter")
    await expect(visit.page.get_by_text("Signed in: Invited Ingrid")).to_be_visible()
    assert visit.page.url == f"{posting.url}/graphql"
    assert posting.login(invited["email"])
    await visit.follow(link)
    await visit.password().fill(PASSWORD)
    await visit.press("Set the password and sign in")
    await visit.arrived("This invitation no longer works")


async def test_link_signs_in_by_a_press_to_the_playground_once(
    visit: Visit, posting: Correspondence
) -> None:
    posting.register("linked")
    posting.run(SIGN_IN_LINK, email="linked@example.com")
    link = await posting.link(visit, "linked@example.com", "sign-in")
    await visit.follow(link)
    await visit.press("Sign in")
    await expect(visit.page.get_by_text("Signed in: linked")).to_be_visible()
    await visit.page.reload()
    await expect(visit.page.get_by_text("Signed in: linked")).to_be_visible()
    await visit.follow(link)
    await visit.press("Sign in")
    await visit.arrived("This link no longer works")
    await visit.page.get_by_role("link", name="Go to the sign-in").click()
    await expect(visit.page).to_have_url(f"{posting.url}/graphql")
