"""Links of letters for accounts with a second factor, and for those that must have one."""

import re
from collections.abc import AsyncIterator
from typing import Final

import pytest
from playwright.async_api import BrowserContext, expect

from tests.account_pages.correspondence import ADMIN, SIGN_IN_LINK, Correspondence, corresponding
from tests.account_pages.visit import Visit, fault, payload
from tests.apps import App
from tests.playground.authenticator import Authenticator

pytestmark = pytest.mark.xdist_group("chromium")

BEGIN: Final = "mutation { beginCodes { secret } }"
CONFIRM: Final = "mutation ($code: String!) { confirmCodes(code: $code) { status } }"
ALMOST: Final = fault("SECOND_FACTOR_REQUIRED", "Almost there.")


@pytest.fixture(scope="module")
async def posting(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Correspondence]:
    """Serve a demo that sends letters, and whose admins must have a second factor."""
    folder = tmp_path_factory.mktemp("posting")
    async with corresponding(folder, second_factor="admins") as posting:
        yield posting


@pytest.fixture
async def visit(context: BrowserContext, posting: Correspondence) -> Visit:
    """Open a tab of a browser with an authenticator."""
    visit = Visit(await context.new_page(), posting.url)
    await Authenticator.of(visit.page)
    return visit


def with_app(posting: Correspondence, name: str) -> App:
    """Register somebody with an app for codes."""
    token = posting.register(name)
    app = App(posting.run(BEGIN, token)["secret"])
    assert posting.run(CONFIRM, token, code=app.code())["status"] == "SUCCESS"
    return app


async def test_sign_in_link_takes_a_code_where_there_is_a_second_factor(
    visit: Visit, posting: Correspondence
) -> None:
    app = with_app(posting, "linked")
    posting.run(SIGN_IN_LINK, email="linked@example.com")
    await visit.follow(await posting.link(visit, "linked@example.com", "sign-in"))
    await visit.press("Sign in")
    await visit.arrived("One more step")
    assert await visit.stored() == {"local": {}, "session": {}}
    await visit.field("Code of your app").fill(app.wrong())
    await visit.page.keyboard.press("Enter")
    await expect(visit.field("Code of your app")).to_have_accessible_description(
        re.compile("^This code is wrong")
    )
    await visit.field("Code of your app").fill(app.code(1))
    await visit.page.keyboard.press("Enter")
    await expect(visit.page.get_by_text("Signed in: linked")).to_be_visible()


async def test_who_must_have_a_factor_and_has_none_is_led_to_set_one_up(
    visit: Visit, posting: Correspondence
) -> None:
    await visit.open("security", None)
    await visit.field("E-mail address").fill(ADMIN.email)
    await visit.field("Password").fill(ADMIN.password)
    await visit.page.keyboard.press("Enter")
    await visit.arrived("Your second factors")
    await visit.press("Add a passkey")
    await expect(visit.page.get_by_text("Use the link in the letter")).to_be_visible()
    await visit.follow(await posting.link(visit, ADMIN.email, "sign-in"))
    await visit.press("Sign in")
    await expect(visit.page).to_have_url(f"{posting.url}/account/security")
    await visit.press("Add a passkey")
    await visit.arrived("Your recovery codes")
    await visit.press("I have kept them")
    await visit.page.get_by_role("link", name="Go on").click()
    await expect(visit.page.get_by_text(f"Signed in: {ADMIN.name}")).to_be_visible()


async def test_invitation_goes_on_by_the_second_step(visit: Visit) -> None:
    step: dict[str, object] = {
        "challenge": "gac_1",
        "methods": ["PASSKEY"],
        "passkeyOptions": {"challenge": "AAAA"},
    }
    await visit.play(
        "graphql", payload("acceptInvitation", "Almost there.", ALMOST, secondFactor=step)
    )
    await visit.open("accept")
    await visit.password().fill("several words in a row")
    await visit.press("Set the password and sign in")
    await visit.arrived("One more step")
    await expect(visit.page.get_by_role("textbox")).to_have_count(0)
    await visit.press("Use a passkey")
    await expect(visit.alert()).to_have_text(re.compile("gave no passkey"))
    old = fault("TOKEN_EXPIRED", "This sign-in took too long.", "challenge")
    step |= {"methods": ["CODE", "RECOVERY_CODE"], "passkeyOptions": None}
    await visit.play(
        "graphql", payload("acceptInvitation", "Almost there.", ALMOST, secondFactor=step)
    )
    await visit.open("accept")
    await visit.press("Set the password and sign in")
    await visit.play("graphql", payload("verifySecondFactor", old["message"], old))
    await visit.field("Code of your app").fill("123456")
    await visit.page.keyboard.press("Enter")
    await visit.arrived("This invitation no longer works")
    assert visit.sent()[-1]["variables"] == {"challenge": "gac_1", "code": "123456"}
