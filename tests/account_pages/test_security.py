"""The page on which whoever is signed in manages second factors, of a demo in a real browser."""

import re
from typing import Final

import pytest
from playwright.async_api import BrowserContext, Route, expect

from gql_app.cli.samples import SignIn
from tests.account_pages.visit import Visit, fault, payload
from tests.apps import App
from tests.newcomers import newcomer
from tests.playground.authenticator import Authenticator
from tests.processes import Server, signed_in

pytestmark = pytest.mark.xdist_group("chromium")

FACTORS: Final = "Your second factors"
BEGIN: Final = "mutation { beginCodes { secret } }"
CONFIRM: Final = "mutation ($code: String!) { confirmCodes(code: $code) { codes } }"


@pytest.fixture
async def visit(context: BrowserContext, demo: Server) -> Visit:
    """Open a tab of a browser with an authenticator, for somebody without a second factor."""
    visit = Visit(await context.new_page(), demo.url, newcomer(demo))
    await Authenticator.of(visit.page)
    return visit


async def sign_in(visit: Visit) -> None:
    """Sign in by the password, as far as that goes."""
    await visit.field("E-mail address").fill(visit.person.email)
    await visit.field("Password").fill(visit.person.password)
    await visit.page.keyboard.press("Enter")


async def opened(visit: Visit) -> None:
    """Open the page, and sign in there."""
    await visit.open("security", None)
    await visit.heading("Sign in")
    await sign_in(visit)
    await visit.arrived(FACTORS)


async def set_up_app(visit: Visit) -> tuple[App, list[str]]:
    """Set up an app; return it with the recovery codes that are shown."""
    await visit.press("Set up an app for codes")
    await visit.arrived("Set up an app for codes")
    app = App((await visit.page.locator("[data-secret]").inner_text()).replace(" ", ""))
    await visit.field("Code of your app").fill(app.code())
    await visit.page.keyboard.press("Enter")
    await visit.arrived("Your recovery codes")
    return app, await visit.page.locator(".codes code").all_inner_texts()


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


async def test_app_is_set_up_and_signs_in_as_do_its_recovery_codes(visit: Visit) -> None:
    await opened(visit)
    await expect(visit.page.get_by_text("You have none yet")).to_be_visible()
    app, codes = await set_up_app(visit)
    assert len(set(codes)) == 10
    await visit.press("I have kept them")
    await visit.arrived(FACTORS)
    await expect(visit.page.get_by_text("that you have left: 10")).to_be_visible()
    assert codes[0] not in await visit.page.content()
    assert app.secret not in (await visit.page.content()).replace(" ", "")
    await visit.press("Sign out")
    await visit.arrived("Sign in")
    assert (await visit.stored())["session"] == {}
    await sign_in(visit)
    await visit.arrived("One more step")
    await expect(visit.page.locator("#password")).to_have_value("")
    code = visit.field("Code of your app")
    await expect(code).to_have_attribute("autocomplete", "one-time-code")
    await expect(code).to_have_attribute("inputmode", "numeric")
    await code.fill(app.wrong())
    await visit.page.keyboard.press("Enter")
    await expect(code).to_have_accessible_description(re.compile("^This code is wrong"))
    await expect(code).to_be_focused()
    await code.fill(app.code(1))
    await visit.page.keyboard.press("Enter")
    await visit.arrived(FACTORS)
    await visit.press("Sign out")
    await visit.arrived("Sign in")
    await sign_in(visit)
    await visit.press("Use a recovery code")
    await expect(visit.field("Recovery code")).to_be_focused()
    await visit.field("Recovery code").fill(codes[0])
    await visit.page.keyboard.press("Enter")
    await visit.arrived(FACTORS)
    assert visit.complaints == []
    assert await visit.page.evaluate("violations") == []


async def test_qr_code_is_drawn_by_its_numbers(visit: Visit) -> None:
    await opened(visit)
    await visit.press("Set up an app for codes")
    picture = visit.page.get_by_role("img", name="QR code for your app")
    await expect(picture).to_be_visible()
    children = await picture.evaluate("(picture) => [...picture.children].map((e) => e.tagName)")
    assert children == ["rect", "path"]
    await visit.press("Cancel")
    await visit.arrived(FACTORS)
    hostile = '<svg viewBox="0 0 9 9"><script>alert(1)</script></svg>'
    begun = {"secret": "ABCDEFGH", "uri": "javascript:alert(1)", "qrCode": hostile}
    await visit.play("graphql", payload("beginCodes", "Scan it.", **begun))
    await visit.press("Set up an app for codes")
    await visit.arrived("Set up an app for codes")
    await expect(visit.page.get_by_text("ABCD EFGH")).to_be_visible()
    await expect(picture).to_have_count(0)
    await expect(visit.page.get_by_role("link")).to_have_count(0)


async def test_passkey_is_set_up_and_signs_in_alone_and_as_second_factor(visit: Visit) -> None:
    await opened(visit)
    await visit.field("Name of a new passkey").fill("Laptop")
    await visit.press("Add a passkey")
    await visit.arrived("Your recovery codes")
    await visit.press("I have kept them")
    await visit.arrived(FACTORS)
    await expect(visit.field("Name")).to_have_value("Laptop")
    await visit.press("Add a passkey")
    await expect(visit.page.get_by_role("alert").get_by_text("already")).to_be_visible()
    await visit.press("Sign out")
    await visit.arrived("Sign in")
    await visit.press("Use a passkey")
    await visit.arrived(FACTORS)
    await visit.press("Sign out")
    await visit.arrived("Sign in")
    await sign_in(visit)
    await visit.arrived("One more step")
    await expect(visit.field("Recovery code")).to_be_visible()
    await visit.press("Use a passkey")
    await visit.arrived(FACTORS)
    await visit.page.get_by_role("link", name="Go on").click()
    await expect(visit.page.get_by_text(f"Signed in: {visit.person.name}")).to_be_visible()


async def test_codes_that_can_not_be_copied_are_to_be_selected(visit: Visit) -> None:
    await visit.page.add_init_script(
        "Object.defineProperty(navigator, 'clipboard', { value: undefined })"  # as over plain HTTP
    )
    await opened(visit)
    await set_up_app(visit)
    await visit.press("Copy the codes")
    await expect(visit.page.locator("[data-copied]")).to_contain_text("Not copied: select")


async def test_after_too_many_wrong_codes_a_passkey_is_taken_still(visit: Visit) -> None:
    await opened(visit)
    app, _ = await set_up_app(visit)
    await visit.press("I have kept them")
    await visit.press("Add a passkey")
    await expect(visit.page.get_by_role("listitem")).to_have_count(2)
    await visit.press("Sign out")
    await visit.arrived("Sign in")
    await sign_in(visit)
    await visit.arrived("One more step")
    button = visit.page.locator("[data-view=second] button.main")
    await visit.field("Code of your app").fill(app.wrong())
    for number in range(6):
        await button.click()
        await expect(button).to_have_attribute("aria-disabled", str(number == 5).lower())
    await expect(visit.alert()).to_contain_text("too many attempts")
    await visit.press("Use a passkey")
    await visit.arrived(FACTORS)


async def test_factors_are_named_and_removed_and_recovery_codes_made_anew(visit: Visit) -> None:
    await opened(visit)
    _, codes = await set_up_app(visit)
    await visit.press("I have kept them")
    await visit.arrived(FACTORS)
    await visit.field("Name").fill("Telephone")
    await visit.page.keyboard.press("Enter")
    await expect(visit.page.get_by_text("is called Telephone")).to_be_visible()
    await expect(visit.field("Name")).to_have_value("Telephone")
    await visit.field("Name").fill("")
    await visit.press("Rename Telephone")
    await expect(visit.field("Name")).to_have_accessible_description(re.compile(r"\w"))
    await visit.press("Make new recovery codes")
    await visit.arrived("Your recovery codes")
    new = await visit.page.locator(".codes code").all_inner_texts()
    assert len({*codes, *new}) == 20
    await visit.press("I have kept them")
    await visit.press("Remove Telephone")
    await expect(visit.page.get_by_text("You have none yet")).to_be_visible()


async def test_what_wants_a_proof_is_done_after_it(visit: Visit, demo: Server) -> None:
    await opened(visit)
    app = set_up_elsewhere(demo, visit.person)
    await visit.press("Set up an app for codes")
    await visit.arrived("Prove that it is you")
    await visit.press("Cancel")
    await visit.arrived(FACTORS)
    await visit.press("Remove App for codes")
    await visit.arrived("Prove that it is you")
    await visit.field("Code of your app").fill(app.wrong())
    await visit.press("Prove it")
    await expect(visit.field("Code of your app")).to_have_accessible_description(
        re.compile("^This code is wrong")
    )
    await visit.field("Code of your app").fill(app.code(1))
    await visit.press("Prove it")
    await expect(visit.page.get_by_text("You have none yet")).to_be_visible()


async def test_password_or_a_new_sign_in_proves_it_where_the_server_says_so(visit: Visit) -> None:
    await opened(visit)
    stale = {"code": "FORBIDDEN", "reason": "REAUTHENTICATION_REQUIRED", "methods": ["PASSWORD"]}
    refused = {"message": "Prove it.", "extensions": stale}
    await visit.play("graphql", {"body": {"data": None, "errors": [refused]}})
    await visit.press("Set up an app for codes")
    await visit.arrived("Prove that it is you")
    await expect(visit.field("Password")).to_be_visible()
    await expect(visit.button("Use a passkey")).to_be_hidden()
    wrong = fault("WRONG_PASSWORD", "The password is wrong.", "password")
    await visit.play("graphql", payload("reauthenticate", "Wrong.", wrong))
    await visit.field("Password").fill("not this one")
    await visit.press("Prove it")
    await expect(visit.field("Password")).to_have_accessible_description(re.compile("^The pass"))
    assert visit.sent()[-1]["variables"] == {"password": "not this one"}
    stale["methods"] = ["SIGN_IN"]
    await visit.play("graphql", {"body": {"data": None, "errors": [refused]}})
    await visit.press("Prove it")
    await visit.arrived("Sign in")
    await expect(visit.alert()).to_have_text("Prove it.")


async def test_page_opened_by_an_ip_address_says_what_passkeys_need(visit: Visit) -> None:
    visit.url = visit.url.replace("localhost", "127.0.0.1")
    needs = "Passkeys need a host name: open this page as http://localhost:"
    await visit.open("security", None)
    await expect(visit.page.get_by_text(needs).filter(visible=True)).to_be_visible()
    await expect(visit.button("Use a passkey")).to_be_hidden()
    await sign_in(visit)
    await visit.arrived(FACTORS)
    await expect(visit.page.get_by_text(needs).filter(visible=True)).to_be_visible()
    await expect(visit.field("Name of a new passkey")).to_be_hidden()


async def test_session_that_has_expired_is_refreshed_and_one_that_has_ended_signs_in(
    visit: Visit, demo: Server
) -> None:
    await opened(visit)
    held = "JSON.parse(sessionStorage.getItem('gql_app:session'))"
    expired = {"code": "UNAUTHENTICATED", "reason": "TOKEN_EXPIRED"}
    refused = {"data": {"me": None}, "errors": [{"message": "Old.", "extensions": expired}]}
    before = await visit.page.evaluate(held)
    await visit.page.route("**/graphql", lambda route: route.fulfill(json=refused), times=1)
    await visit.page.reload()
    await expect(visit.button("Set up an app for codes")).to_be_visible()
    after = await visit.page.evaluate(held)
    assert after["refreshToken"] != before["refreshToken"]
    with demo.client() as client:
        headers = {"Authorization": f"Bearer {after['token']}"}
        client.post("/graphql", json={"query": "mutation { logout { status } }"}, headers=headers)
    await visit.press("Set up an app for codes")
    await visit.arrived("Sign in")
    await expect(visit.alert()).to_have_text(re.compile(r"\w"))


async def test_session_ends_before_a_home_of_another_origin_is_gone_to(visit: Visit) -> None:
    home = "https://app.example.com/start"

    async def page(route: Route) -> None:
        answer = await route.fetch()
        text = (await answer.text()).replace('content="../graphql"', f'content="{home}"')
        await route.fulfill(response=answer, body=text)

    await visit.page.route("**/account/security", page)
    await visit.page.route(home, lambda route: route.fulfill(body="home"))
    await opened(visit)
    await visit.page.get_by_role("link", name="Go on").click()
    await expect(visit.page).to_have_url(home)
    assert visit.sent()[-1]["query"] == "mutation Leave { logout { status } }"
    await visit.open("security", None)
    await visit.heading("Sign in")


async def test_whoever_is_not_answered_tries_again(visit: Visit) -> None:
    await opened(visit)
    await visit.play("graphql", None)
    await visit.page.reload()
    await visit.heading("We could not look at your account")
    await visit.page.unroute("**/graphql")
    await visit.press("Try again")
    await visit.heading(FACTORS)
