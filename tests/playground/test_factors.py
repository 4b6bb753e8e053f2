"""Second factors by the playground's forms: set up, used, proven again, removed."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Final

import pytest
from playwright.async_api import Locator, Page, Route, expect

from gql_app.cli.samples import SignIn
from gql_app.settings.model import PAGES
from tests.apps import App
from tests.newcomers import newcomer
from tests.playground.authenticator import Authenticator
from tests.playground.tab import Tab
from tests.playground.test_page import OVERFLOW
from tests.processes import Server, serving, signed_in

pytestmark = pytest.mark.xdist_group("chromium")

RENEW: Final = "mutation { renewRecoveryCodes { status } }"
BEGIN: Final = "mutation { beginCodes { secret } }"
CONFIRM: Final = "mutation ($code: String!) { confirmCodes(code: $code) { codes } }"


@pytest.fixture
def person(demo: Server) -> SignIn:
    """Register somebody without a second factor."""
    return newcomer(demo)


@pytest.fixture
async def tab(page: Page, demo: Server) -> AsyncIterator[Tab]:
    """Open the playground in a browser with an authenticator."""
    async with Tab.reopened(page, demo.url) as tab:
        authenticator = await Authenticator.of(page)
        yield tab
        await authenticator.devtools.detach()


def dialog(tab: Tab) -> Locator:
    """Return where the dialog of second factors is."""
    return tab.page.get_by_role("dialog", name="Second factors")


async def press(tab: Tab, name: str) -> None:
    """Press a button of the dialog."""
    await dialog(tab).get_by_role("button", name=name, exact=True).click()


async def opened(tab: Tab, person: SignIn) -> None:
    """Sign in, and open the dialog."""
    await tab.sign_in(person.email, person.password)
    await tab.signed_in(person.name)
    await tab.button("Second factors").click()


async def set_up_app(tab: Tab) -> tuple[App, list[str]]:
    """Set up an app in the dialog; return it with the recovery codes that are shown."""
    await press(tab, "Set up an app for codes")
    app = App((await dialog(tab).locator("p code").inner_text()).replace(" ", ""))
    await expect(tab.field("Code of your app")).to_be_focused()
    await tab.field("Code of your app").fill(app.code())
    await tab.page.keyboard.press("Enter")
    await expect(tab.page.get_by_role("heading", name="Your recovery codes")).to_be_focused()
    codes = await dialog(tab).locator(".codes code").all_inner_texts()
    await press(tab, "I have kept them")
    await expect(dialog(tab).get_by_role("alert")).to_be_empty()
    return app, codes


def set_up_elsewhere(server: Server, person: SignIn) -> App:
    """Set up an app in another session of somebody's."""
    with server.client() as client:
        token = signed_in(client, person.email, person.password)
        headers = {"Authorization": f"Bearer {token}"}
        begun = client.post("/graphql", json={"query": BEGIN}, headers=headers).json()
        app = App(begun["data"]["beginCodes"]["secret"])
        sent = {"query": CONFIRM, "variables": {"code": app.code()}}
        done = client.post("/graphql", json=sent, headers=headers).json()
        assert len(done["data"]["confirmCodes"]["codes"]) == 10
    return app


async def test_app_is_set_up_and_signs_in_as_do_its_recovery_codes(
    tab: Tab, person: SignIn
) -> None:
    await opened(tab, person)
    await expect(dialog(tab).get_by_text("You have none yet")).to_be_visible()
    app, codes = await set_up_app(tab)
    assert len(set(codes)) == 10
    await expect(dialog(tab).get_by_text("Recovery codes left: 10")).to_be_visible()
    await press(tab, "Close")
    await expect(tab.button("Second factors")).to_be_focused()
    await tab.button("Sign out").click()
    await tab.sign_in(person.email, person.password)
    code = tab.field("Code of your app")
    await expect(code).to_be_focused()
    await expect(code).to_have_attribute("autocomplete", "one-time-code")
    await expect(code).to_have_attribute("inputmode", "numeric")
    await code.fill(app.wrong())
    await tab.page.keyboard.press("Enter")
    await tab.notice("This code is wrong")
    await expect(code).to_have_accessible_description(re.compile("is wrong"))
    await expect(code).to_be_focused()
    await code.fill(app.code(1))
    await tab.page.keyboard.press("Enter")
    await tab.signed_in(person.name)
    await tab.button("Sign out").click()
    await tab.sign_in(person.email, person.password)
    await tab.button("Use a recovery code").click()
    await expect(tab.field("Recovery code")).to_be_focused()
    await tab.field("Recovery code").fill(codes[0])
    await tab.page.keyboard.press("Enter")
    await tab.signed_in(person.name)
    await tab.no_notice()
    stored = json.dumps(await tab.stored())
    assert not [each for each in (app.secret, *codes) if each in stored]
    assert tab.complaints == []
    assert await tab.page.evaluate("violations") == []


async def test_secret_is_a_picture_that_runs_no_markup(tab: Tab, person: SignIn) -> None:
    await opened(tab, person)
    await press(tab, "Set up an app for codes")
    picture = dialog(tab).get_by_role("img", name="QR code for your app")
    await expect(picture).to_have_attribute("src", re.compile("^data:image/svg"))
    assert await picture.evaluate("(image) => image.decode().then(() => image.naturalWidth > 0)")
    await expect(dialog(tab).locator("svg")).to_have_count(0)
    await press(tab, "Cancel")
    await expect(dialog(tab).get_by_text("You have none yet")).to_be_visible()


async def test_passkey_is_set_up_and_signs_in_alone_and_as_second_factor(
    tab: Tab, person: SignIn
) -> None:
    await opened(tab, person)
    await tab.field("Name of the passkey").fill("Laptop")
    await tab.page.keyboard.press("Enter")
    await expect(tab.page.get_by_role("heading", name="Your recovery codes")).to_be_focused()
    await press(tab, "I have kept them")
    await press(tab, "Add a passkey")
    await expect(dialog(tab)).to_contain_text("a passkey for your account already")
    await press(tab, "Close")
    await tab.button("Sign out").click()
    await tab.button("Use a passkey").click()
    await tab.signed_in(person.name)
    await tab.button("Sign out").click()
    await tab.sign_in(person.email, person.password)
    await expect(tab.field("Recovery code")).to_be_visible()
    await tab.button("Cancel").click()
    await tab.signed_out()
    await tab.sign_in(person.email, person.password)
    await expect(tab.field("Recovery code")).to_be_visible()
    await tab.button("Use a passkey").click()
    await tab.signed_in(person.name)


async def test_factors_are_named_and_removed_and_recovery_codes_made_anew(
    tab: Tab, person: SignIn
) -> None:
    await opened(tab, person)
    _, codes = await set_up_app(tab)
    await press(tab, "Rename App for codes")
    await expect(tab.field("New name")).to_be_focused()
    await tab.field("New name").fill("N" * 60)
    await tab.page.keyboard.press("Enter")
    await expect(dialog(tab).get_by_role("listitem")).to_contain_text("N" * 60)
    await tab.page.set_viewport_size({"width": 390, "height": 844})
    assert await tab.page.evaluate(OVERFLOW) == 0
    await tab.page.set_viewport_size({"width": 1280, "height": 800})
    await press(tab, "Make new recovery codes")
    await expect(tab.page.get_by_role("heading", name="Your recovery codes")).to_be_focused()
    new = await dialog(tab).locator(".codes code").all_inner_texts()
    assert len({*codes, *new}) == 20
    await press(tab, "I have kept them")
    await press(tab, f"Remove {'N' * 60}")
    await expect(dialog(tab).get_by_text("You have none yet")).to_be_visible()
    await expect(dialog(tab).get_by_role("alert")).to_contain_text("is removed")


async def test_operation_that_wants_a_proof_is_run_again_after_it(
    tab: Tab, person: SignIn, demo: Server
) -> None:
    await tab.sign_in(person.email, person.password)
    await tab.signed_in(person.name)
    app = set_up_elsewhere(demo, person)
    assert "REAUTHENTICATION_REQUIRED" in await tab.run_text(RENEW)
    await tab.notice("This needs a fresh proof that it is you.")
    await tab.field("Code of your app").fill(app.code(1))
    await tab.button("Prove it").click()
    await tab.notice("It is you. Run the operation again.")
    await expect(tab.field("Code of your app")).to_be_hidden()
    assert "SUCCESS" in await tab.run()
    await tab.no_notice()


async def test_what_the_dialog_wanted_a_proof_for_is_done_after_it(
    tab: Tab, person: SignIn, demo: Server
) -> None:
    await tab.sign_in(person.email, person.password)
    await tab.signed_in(person.name)
    app = set_up_elsewhere(demo, person)
    await tab.button("Second factors").click()
    await press(tab, "Remove App for codes")
    await expect(tab.field("Code of your app")).to_be_focused()
    await press(tab, "Cancel")
    await expect(dialog(tab).get_by_role("listitem")).to_have_count(1)
    await press(tab, "Remove App for codes")
    await tab.field("Code of your app").fill(app.code(1))
    await press(tab, "Prove it")
    await expect(dialog(tab).get_by_text("You have none yet")).to_be_visible()
    await press(tab, "Close")
    await expect(dialog(tab)).to_be_hidden()
    await tab.no_notice()


async def test_whoever_must_have_a_factor_is_led_to_the_forms_for_one(
    page: Page, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("held")
    with serving(folder=folder, second_factor="everyone") as server:
        async with Tab.reopened(page, server.url) as tab:
            await tab.button("Create an account").click()
            await tab.field("Name").fill("Ada")
            await tab.field("E-mail").fill("ada@example.com")
            await tab.field("Password").fill("several words in a row")
            await tab.button("Create the account").click()
            await tab.signed_in("Ada")
            assert "SECOND_FACTOR_ENROLMENT_REQUIRED" in await tab.run("FirstPage")
            await tab.notice("needs a second factor before anything else")
            await tab.button("Set one up").click()
            await set_up_app(tab)
            await press(tab, "Close")
            assert "nodes" in await tab.run("FirstPage")


async def test_notice_of_new_codes_is_closed_with_them_however_slow_the_overview(
    tab: Tab, person: SignIn
) -> None:
    await opened(tab, person)
    await expect(dialog(tab).get_by_text("You have none yet")).to_be_visible()
    closed = asyncio.Event()

    async def hold(route: Route) -> None:
        if "recoveryCodesLeft" in (route.request.post_data or ""):
            await closed.wait()
        await route.continue_()

    await tab.page.route("**/graphql", hold)
    await set_up_app(tab)
    closed.set()
    await expect(dialog(tab).get_by_text("Recovery codes left: 10")).to_be_visible()
    await expect(dialog(tab).get_by_role("alert")).to_be_empty()


async def test_page_opened_by_an_ip_address_says_what_passkeys_need(
    page: Page, person: SignIn, demo: Server
) -> None:
    needs = re.compile(r"Passkeys need a host name: open this page as http://localhost:\d+/graphql")
    async with Tab.reopened(page, demo.url.replace("localhost", "127.0.0.1")) as tab:
        await tab.button("Use a passkey").click()
        await expect(tab.bar.get_by_role("alert")).to_contain_text(needs)
        await opened(tab, person)
        await expect(dialog(tab).get_by_text(needs)).to_be_visible()
        await expect(tab.field("Name of the passkey")).to_have_count(0)


async def test_server_without_passkeys_says_so(
    page: Page, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("without")
    nowhere = {name.lower(): "http://192.0.2.7/" for name in PAGES}
    with serving("--demo", folder=folder, **nowhere) as server:
        async with Tab.reopened(page, server.url) as tab:
            await tab.button("Use a passkey").click()
            await tab.notice("takes no passkeys")
