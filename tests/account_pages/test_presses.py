"""What a press of a button does, and what no press may do."""

import re
from typing import Final

import pytest
from playwright.async_api import Browser, Route, expect

from gql_app.web.pages.account import PAGES
from tests.account_pages.visit import TOKEN, Visit, fault, link, payload
from tests.processes import PATIENCE, Server

pytestmark = pytest.mark.xdist_group("chromium")

PASSWORD: Final = "four words in a row"
WAIT: Final = "Too many attempts. Try again in 90 seconds."


async def test_token_is_gone_from_address_and_history_and_sent_by_a_press_alone(
    visit: Visit,
) -> None:
    await visit.play("graphql", payload("undoEmailChange"))
    await visit.open("undo")
    address = f"{visit.url}/account/undo"
    assert await visit.page.evaluate("location.href") == address
    assert await visit.entries() == ["about:blank", address]
    assert await visit.stored() == {"local": {}, "session": {}}
    assert visit.sent() == []
    await visit.press("Undo the change")
    await visit.arrived("The change is undone")
    (sent,) = visit.sent()
    assert sent["variables"] == {"token": TOKEN}
    assert await visit.stored() == {"local": {}, "session": {}}
    for request in visit.requests:
        assert TOKEN not in request.url
        assert "referer" not in await request.all_headers()
    assert visit.complaints == []
    assert await visit.page.evaluate("violations") == []


async def test_link_of_another_letter_in_the_same_tab_takes_the_place_of_the_first(
    visit: Visit,
) -> None:
    await visit.play("graphql", payload("signInByLink"))
    await visit.open("sign-in", None)
    await visit.heading("Open the link in our letter")
    await visit.page.evaluate("location.hash = 'token=gap_another'")
    await visit.heading("Sign in")
    await visit.button("Sign in").wait_for()  # the heading is there before the script runs
    assert await visit.page.evaluate("location.href") == f"{visit.url}/account/sign-in"
    assert not [entry for entry in await visit.entries() if "token" in entry]
    await visit.press("Sign in")
    await visit.arrived("You are signed in")
    assert visit.sent()[0]["variables"] == {"token": "gap_another"}


async def test_link_of_a_new_second_factor_undoes_that_and_no_change_of_an_address(
    visit: Visit,
) -> None:
    await visit.play("graphql", payload("undoSecondFactor"))
    await visit.open("undo", "gaf_of-a-letter")
    await visit.heading("Remove the new second factor")
    await expect(visit.button("Undo the change")).to_be_hidden()
    await visit.press("Remove it")
    await visit.arrived("The second factor is removed")
    (sent,) = visit.sent()
    assert "undoSecondFactor(token: $token)" in sent["query"]
    assert sent["variables"] == {"token": "gaf_of-a-letter"}
    await visit.open("undo", "gau_of-a-letter")
    await visit.heading("Undo the change of your address")
    await expect(visit.button("Remove it")).to_be_hidden()


async def test_link_for_enrolment_signs_in(visit: Visit) -> None:
    await visit.play("graphql", payload("signInByLink"))
    await visit.open("sign-in", "gae_of-a-letter")
    await visit.press("Sign in")
    await visit.arrived("You are signed in")
    assert visit.sent()[0]["variables"] == {"token": "gae_of-a-letter"}


async def test_two_presses_are_one_request(visit: Visit) -> None:
    answering: list[Route] = []

    def leave_open(route: Route) -> None:
        answering.append(route)

    await visit.page.route("**/graphql", leave_open)
    await visit.open("accept")
    await visit.password().fill(PASSWORD)
    button = visit.button("Set the password and sign in")
    await button.dblclick()
    await visit.password().press("Enter")
    await expect(button).to_have_attribute("aria-disabled", "true")
    await expect(visit.page.get_by_role("status")).to_have_text("One moment …")
    (route,) = answering
    await route.fulfill(json=payload("acceptInvitation")["body"])
    await visit.arrived("Your account is ready")
    (sent,) = visit.sent()
    assert sent["variables"] == {"token": TOKEN, "password": PASSWORD}


async def test_refusal_in_place_of_the_documents_is_not_kept(visit: Visit) -> None:
    await visit.play("graphql", payload("undoEmailChange"))
    refused = {"errors": [{"message": "There are too many connections; try again."}]}
    await visit.play("operations.json", {"status": 503, "body": refused})
    await visit.open("undo")
    await visit.press("Undo the change")
    await expect(visit.alert()).to_contain_text("try again")
    assert visit.sent() == []
    await visit.page.unroute("**/operations.json")
    await visit.press("Undo the change")
    await visit.arrived("The change is undone")


async def test_other_button_that_is_pressed_meanwhile_changes_nothing(visit: Visit) -> None:
    answering: list[Route] = []

    def leave_open(route: Route) -> None:
        answering.append(route)

    await visit.play("link", link("account"))
    await visit.page.route("**/graphql", leave_open)
    await visit.open("verify")
    await visit.press("Yes, it was me")
    await expect(visit.page.get_by_role("status")).to_have_text("One moment …")
    await visit.button("No, it wasn’t me").click(force=True)  # it is not enabled
    (route,) = answering
    await route.fulfill(json=payload("verifyEmail")["body"])
    await visit.arrived("Your address is confirmed")


async def test_field_says_what_is_wrong_with_it_and_has_the_focus(visit: Visit) -> None:
    weak = fault("WEAK_PASSWORD", "Choose a longer one.", "newPassword")
    await visit.play("graphql", payload("resetPassword", "Choose a longer one.", weak))
    await visit.open("reset")
    field = visit.page.get_by_label("New password", exact=True)
    await expect(field).to_have_attribute("autocomplete", "new-password")
    await expect(field).to_have_accessible_description(re.compile("At least 10 characters"))
    await visit.page.keyboard.press("Tab")
    await visit.page.keyboard.type("short")
    await visit.page.keyboard.press("Tab")
    await expect(visit.button("Show the password")).to_be_focused()
    await visit.page.keyboard.press("Space")
    await expect(field).to_have_attribute("type", "text")
    await visit.page.keyboard.press("Tab")
    await visit.page.keyboard.press("Enter")
    await expect(field).to_be_focused()
    await expect(field).to_have_attribute("aria-invalid", "true")
    await expect(field).to_have_accessible_description(re.compile("^Choose a longer one"))
    await expect(field).to_have_attribute("type", "password")
    await expect(field).to_have_value("short")
    await expect(visit.alert()).to_be_empty()
    await visit.play("graphql", payload("resetPassword"))
    await field.press("Enter")
    await visit.arrived("Your new password is set")


async def test_too_many_attempts_wait_as_long_as_the_server_says(visit: Visit) -> None:
    await visit.page.clock.install()
    limit = fault("TOO_MANY_ATTEMPTS", WAIT)
    await visit.play("graphql", payload("undoEmailChange", WAIT, limit, retryAfter=90))
    await visit.open("undo")
    button = visit.button("Undo the change")
    await button.click()
    await expect(visit.alert()).to_have_text(WAIT)
    await expect(button).to_have_attribute("aria-disabled", "true")
    await visit.page.clock.fast_forward(60_000)
    await button.press("Enter")
    await expect(visit.alert()).to_contain_text("30 seconds")
    assert len(visit.sent()) == 1
    await visit.page.clock.fast_forward(31_000)
    await expect(visit.page.get_by_role("status")).to_have_text("You can try again now.")
    await expect(button).to_have_attribute("aria-disabled", "false")
    await visit.play("graphql", payload("undoEmailChange"))
    await button.click()
    await visit.arrived("The change is undone")


@pytest.mark.parametrize(
    "answer",
    [None, {"status": 502, "body": "<h1>Bad Gateway</h1>"}],
    ids=["no answer", "a proxy's answer"],
)
async def test_whoever_is_not_answered_is_told_what_is_known_and_tries_again(
    visit: Visit, answer: dict[str, object] | None
) -> None:
    await visit.play("graphql", answer)
    await visit.play("link", answer)
    await visit.open("verify")
    await visit.heading("We could not look at your link")
    await expect(visit.page.get_by_text("Nothing is lost")).to_be_visible()
    await visit.play("link", link("change"))
    await visit.press("Try again")
    await expect(visit.page.locator("[data-kind]:visible")).to_have_text(
        "Did you ask to use this address for the account made on 30 November 2026?"
    )
    await visit.heading("Confirm your address")
    await visit.press("No, it wasn’t me")
    await expect(visit.alert()).to_contain_text("we don’t know whether your request arrived")
    await visit.play("graphql", payload("declineEmail"))
    await visit.press("No, it wasn’t me")
    await visit.arrived("Thank you for telling us")
    assert [sent.get("variables", sent) for sent in visit.sent()] == [{"token": TOKEN}] * 4


async def test_refusal_of_the_whole_request_is_told_in_the_servers_words(visit: Visit) -> None:
    words = "The database can't be reached."
    told = {"message": words, "extensions": {"code": "SERVICE_UNAVAILABLE"}}
    await visit.play("graphql", {"status": 503, "body": {"errors": [told]}})
    await visit.play("link", {"status": 503, "body": {"errors": [told]}})
    await visit.open("verify")
    await visit.heading("We could not look at your link")
    await expect(visit.page.get_by_text(words)).to_be_visible()
    await visit.play("link", link("registration"))
    await visit.press("Try again")
    await visit.press("Yes, it was me")
    await expect(visit.alert()).to_have_text(words)


async def test_without_javascript_a_sentence_says_what_to_do(
    browser: Browser, demo: Server
) -> None:
    context = await browser.new_context(java_script_enabled=False)
    context.set_default_timeout(PATIENCE * 1000)
    page = await context.new_page()
    for name in PAGES:
        await page.goto(f"{demo.url}/account/{name}#token={TOKEN}")
        await expect(page.locator("noscript p")).to_be_visible()
        assert await page.locator("input:visible, button:visible").count() == 0
    await context.close()


READ: Final = """() => {
  globalThis.read = [];
  addEventListener("focusin", ({ target }) => read.push(target.getAttribute("aria-describedby")));
  const seen = new MutationObserver((changes) => {
    for (const { target } of changes)
      if (target.textContent && target.closest("[data-wrong]"))
        if (target.closest("[aria-live=assertive]")) read.push(target.id);
  });
  seen.observe(document.body, { subtree: true, childList: true });
}"""


async def test_error_at_a_field_is_read_aloud_once(visit: Visit) -> None:
    weak = fault("WEAK_PASSWORD", "Choose a longer one.", "newPassword")
    await visit.play("graphql", payload("resetPassword", "Choose a longer one.", weak))
    await visit.open("reset")
    await visit.password().focus()
    await visit.page.evaluate(READ)
    for _ in range(2):
        await visit.page.keyboard.press("Enter")
        await expect(visit.page.locator("#wrong")).to_have_text("Choose a longer one.")
        assert await visit.page.evaluate("read.splice(0)") == ["wrong"]  # the focus is there
        await visit.button("Set the password").focus()
        await visit.page.evaluate("read.splice(0)")
        await visit.page.keyboard.press("Enter")
        await expect(visit.password()).to_be_focused()
        assert await visit.page.evaluate("read.splice(0)") == ["wrong hint"]


async def test_errors_at_several_fields_are_all_read_and_the_first_has_the_focus(
    visit: Visit,
) -> None:
    missing = [fault("REQUIRED", "Give it.", field) for field in ("email", "password")]
    await visit.play("graphql", payload("login", "Give it.", *missing))
    await visit.open("security", None)
    await visit.page.evaluate(READ)
    await visit.press("Sign in")
    await expect(visit.field("E-mail address")).to_be_focused()
    assert await visit.page.evaluate("read") == [None, "wrong-email", "wrong-password"]
