"""What is left on the page for second factors of what was typed, shown and said: nothing."""

import re
from typing import Final

import pytest
from playwright.async_api import Route, expect

from tests.account_pages.test_security import FACTORS, opened, sign_in, visit
from tests.account_pages.visit import Answer, Visit, fault, payload
from tests.apps import App

__all__ = ["visit"]

pytestmark = pytest.mark.xdist_group("chromium")

WAIT: Final = "There were too many attempts. Try again in 15 minutes."
LIMIT: Final = fault("TOO_MANY_ATTEMPTS", WAIT)
STALE: Final = {"code": "FORBIDDEN", "reason": "REAUTHENTICATION_REQUIRED", "methods": ["PASSWORD"]}
REFUSED: Final = {"body": {"data": None, "errors": [{"message": "Prove it.", "extensions": STALE}]}}
LEFT_OPEN: Final = (
    "You are signed out here. The server did not confirm it: the session may still be open."
)
_LATE: Final = {"code": "SERVICE_UNAVAILABLE", "retryAfter": 1}
UNAVAILABLE: Final[Answer] = {
    "status": 503,
    "body": {"data": None, "errors": [{"message": "Try again.", "extensions": _LATE}]},
}
MAY_BE_DONE: Final[Answer] = {
    "status": 503,
    "body": {
        "data": None,
        "errors": [{"message": "Look first.", "extensions": {**_LATE, "mayBeDone": True}}],
    },
}
STATE: Final = """() => [...document.querySelectorAll("[data-view]")].map((view) => ({
  view: view.dataset.view,
  text: view.textContent.replace(/\\s+/g, " "),
  inputs: [...view.querySelectorAll("input")].map(({ id, type, value, inputMode, ariaInvalid }) =>
    ({ id, type, value, inputMode, ariaInvalid })),
  links: [...view.querySelectorAll("a")].map((link) => link.getAttribute("href")),
}))"""
TOLD: Final = (
    "() => [...document.querySelectorAll('[role=alert], [data-wrong]')].map(e => e.innerText)"
)
TYPED: Final = "() => [...document.querySelectorAll('input')].map((input) => input.value)"


async def state(visit: Visit) -> object:
    """Return all text, fields and links of the page, hidden ones as well."""
    found: object = await visit.page.evaluate(STATE)
    return found


async def refuse(visit: Visit, answer: Answer | None) -> None:
    """Have the server's answer to all requests replaced, None for none."""
    await visit.play("graphql", answer)


async def answer(visit: Visit) -> None:
    """Have the server answer again."""
    await visit.page.unroute("**/graphql")
    visit.answers.clear()


async def test_nothing_is_left_of_whoever_signed_out_for_the_next(visit: Visit) -> None:
    await visit.open("security", None)
    await visit.heading("Sign in")
    first = await state(visit)
    wrong = fault("INVALID_CREDENTIALS", "Wrong.", "email")
    await refuse(visit, payload("login", "Wrong.", wrong))
    await sign_in(visit)
    await expect(visit.field("E-mail address")).to_have_accessible_description("Wrong.")
    await answer(visit)
    await sign_in(visit)
    await visit.arrived(FACTORS)
    await visit.field("Name of a new passkey").fill("Laptop")
    await visit.press("Add a passkey")
    await visit.arrived("Your recovery codes")
    await visit.press("Copy the codes")
    await visit.press("I have kept them")
    await visit.arrived(FACTORS)
    await visit.field("Name of a new passkey").fill("A second device")
    await visit.press("Add a passkey")
    await expect(visit.page.get_by_role("alert").get_by_text("already")).to_be_visible()
    await visit.field("Name").fill("Half a na")
    await visit.press("Set up an app for codes")
    await visit.arrived("Set up an app for codes")
    await visit.press("Cancel")
    await visit.arrived(FACTORS)
    await expect(visit.field("Name")).to_have_value("Laptop")
    assert [each for each in await visit.page.evaluate(TYPED) if each] == ["Laptop"]
    assert not any(await visit.page.evaluate(TOLD))
    await visit.field("Name of a new passkey").fill("A second device")
    await visit.field("Name").fill("")
    await visit.press("Rename Laptop")
    await expect(visit.field("Name")).to_have_accessible_description(re.compile(r"\w"))
    await visit.press("Sign out")
    await visit.arrived("Sign in")
    assert await state(visit) == first


@pytest.mark.parametrize(
    "answered", [None, UNAVAILABLE, MAY_BE_DONE], ids=["none", "503", "may be"]
)
@pytest.mark.parametrize("view", ["factors", "unreachable"])
async def test_sign_out_that_the_server_does_not_confirm_ends_the_session_here(
    visit: Visit, view: str, answered: Answer | None
) -> None:
    await opened(visit)
    assert (await visit.stored())["session"]
    await refuse(visit, answered)
    if view == "unreachable":
        await visit.page.reload()
        await visit.heading("We could not look at your account")
    await visit.press("Sign out")
    await visit.arrived("Sign in")
    await expect(visit.alert()).to_have_text(LEFT_OPEN)
    assert await visit.stored() == {"local": {}, "session": {}}


async def test_password_for_a_proof_goes_with_its_view(visit: Visit) -> None:
    await opened(visit)
    await visit.page.reload()
    await visit.button("Set up an app for codes").wait_for()
    arrived = await state(visit)
    await refuse(visit, REFUSED)
    await visit.press("Set up an app for codes")
    await visit.arrived("Prove that it is you")
    await visit.field("Password").fill("not this one")
    wrong = fault("WRONG_PASSWORD", "The password is wrong.", "password")
    await refuse(visit, payload("reauthenticate", "Wrong.", wrong))
    await visit.press("Prove it")
    await expect(visit.field("Password")).to_have_accessible_description(re.compile("^The pass"))
    await visit.press("Show the password")
    await answer(visit)
    await visit.press("Cancel")
    await visit.arrived(FACTORS)
    assert await state(visit) == arrived
    await refuse(visit, REFUSED)
    await visit.press("Set up an app for codes")
    await visit.arrived("Prove that it is you")
    await expect(visit.field("Password")).to_have_value("")


async def test_second_step_begins_anew_with_each_sign_in(visit: Visit) -> None:
    await visit.open("security", None)
    await visit.heading("Sign in")
    first = await state(visit)
    almost = fault("SECOND_FACTOR_REQUIRED", "Almost there.")
    step = {"challenge": "gac_1", "methods": ["CODE", "RECOVERY_CODE"], "passkeyOptions": None}
    await refuse(visit, payload("login", "Almost there.", almost, secondFactor=step))
    await sign_in(visit)
    await visit.press("Use a recovery code")
    old = fault("TOKEN_EXPIRED", "This sign-in took too long.", "challenge")
    await refuse(visit, payload("verifySecondFactor", old["message"], old))
    await visit.field("Recovery code").fill("abcd")
    await visit.page.keyboard.press("Enter")
    await visit.arrived("Sign in")
    await expect(visit.alert()).to_have_text(old["message"])
    await visit.page.evaluate(
        "document.querySelector('[data-view=sign-in] [role=alert]').innerText = ''"
    )
    assert await state(visit) == first


async def test_name_of_a_passkey_is_kept_over_the_proof_that_it_needs(visit: Visit) -> None:
    await opened(visit)
    await visit.field("Name of a new passkey").fill("Laptop")
    await refuse(visit, REFUSED)
    await visit.press("Add a passkey")
    await visit.arrived("Prove that it is you")
    await answer(visit)
    await visit.field("Password").fill(visit.person.password)
    await visit.press("Prove it")
    await visit.arrived("Your recovery codes")
    await visit.press("I have kept them")
    await expect(visit.field("Name")).to_have_value("Laptop")


async def test_other_address_than_that_of_too_many_attempts_is_tried_at_once(visit: Visit) -> None:
    await visit.open("security", None)
    await visit.heading("Sign in")
    button = visit.button("Sign in")
    await refuse(visit, payload("login", WAIT, LIMIT, retryAfter=900))
    await visit.field("E-mail address").fill("mistyped@example.com")
    await visit.page.keyboard.press("Enter")
    await expect(visit.alert()).to_have_text(WAIT)
    await expect(button).to_have_attribute("aria-disabled", "true")
    await visit.field("E-mail address").fill(visit.person.email)
    await expect(button).to_have_attribute("aria-disabled", "false")
    await visit.field("E-mail address").fill("mistyped@example.com")
    await expect(button).to_have_attribute("aria-disabled", "true")
    await visit.page.keyboard.press("Enter")
    await expect(visit.alert()).to_have_text("Too many attempts. Try again in 15 minutes.")
    assert len(visit.sent()) == 1
    await answer(visit)
    await sign_in(visit)
    await visit.arrived(FACTORS)


async def test_refused_passkey_closes_no_form_for_passwords(visit: Visit) -> None:
    await visit.open("security", None)
    begun = payload("beginPasskeySignIn", WAIT, LIMIT, retryAfter=900)
    begun["body"]["data"]["signInWithPasskey"] = begun["body"]["data"]["beginPasskeySignIn"]
    begun["body"]["data"]["beginPasskeySignIn"] = {"options": {"challenge": "AAAA"}}
    await opened(visit)
    await visit.press("Add a passkey")
    await visit.arrived("Your recovery codes")
    await visit.press("I have kept them")
    await visit.press("Sign out")
    await visit.arrived("Sign in")
    await refuse(visit, begun)
    await visit.press("Use a passkey")
    await expect(visit.alert()).to_have_text(WAIT)
    await expect(visit.button("Sign in")).to_have_attribute("aria-disabled", "false")


async def test_proof_of_too_many_attempts_is_asked_for_anew(visit: Visit) -> None:
    await opened(visit)
    await refuse(visit, REFUSED)
    await visit.press("Set up an app for codes")
    await visit.arrived("Prove that it is you")
    await refuse(visit, payload("reauthenticate", WAIT, LIMIT, retryAfter=900))
    await visit.press("Prove it")
    await expect(visit.alert()).to_have_text(WAIT)
    await expect(visit.button("Prove it")).to_have_attribute("aria-disabled", "true")
    await refuse(visit, REFUSED)
    await visit.press("Cancel")
    await visit.press("Try again")
    await answer(visit)
    await visit.press("Try again")
    await visit.arrived(FACTORS)
    await refuse(visit, REFUSED)
    await visit.press("Set up an app for codes")
    await visit.arrived("Prove that it is you")
    await expect(visit.button("Prove it")).not_to_have_attribute("aria-disabled", "true")


async def test_after_a_lost_answer_the_page_shows_what_the_account_has(visit: Visit) -> None:
    async def lose(route: Route) -> None:
        if "confirmCodes" in (route.request.post_data or ""):
            await route.fetch()
            await route.abort()
        else:
            await route.fallback()

    await opened(visit)
    await visit.page.route("**/graphql", lose)
    await visit.press("Set up an app for codes")
    await visit.arrived("Set up an app for codes")
    secret = await visit.page.locator("[data-secret]").inner_text()
    await visit.field("Code of your app").fill(App(secret.replace(" ", "")).code())
    await visit.press("Confirm")
    await visit.arrived(FACTORS)
    told = visit.page.get_by_text("we don’t know whether your request arrived")
    await expect(told).to_be_visible()
    await expect(visit.page.get_by_role("listitem")).to_have_count(1)
    await visit.press("Make new recovery codes")
    await visit.arrived("Your recovery codes")


async def test_lost_answer_and_nothing_to_be_looked_at_is_said_so(visit: Visit) -> None:
    await opened(visit)
    await refuse(visit, None)
    await visit.press("Set up an app for codes")
    await visit.arrived("We could not look at your account")
    told = visit.page.get_by_text("we don’t know whether your request arrived")
    await expect(told).to_be_visible()
    await answer(visit)
    await visit.press("Try again")
    await visit.arrived(FACTORS)


async def test_change_that_may_be_done_is_looked_at(visit: Visit) -> None:
    await opened(visit)
    words = "That took too long."
    told = {"message": words, "extensions": {"code": "DEADLINE_EXCEEDED", "mayBeDone": True}}
    late = {"data": {"renewRecoveryCodes": None}, "errors": [told]}

    async def delay(route: Route) -> None:
        if "beginCodes" in (route.request.post_data or ""):
            await route.fulfill(json=late)
        else:
            await route.fallback()

    await visit.page.route("**/graphql", delay)
    before = len(visit.sent())
    await visit.press("Set up an app for codes")
    await expect(visit.page.get_by_text(words)).to_be_visible()
    await visit.arrived(FACTORS)
    assert ["query Factors" in sent["query"] for sent in visit.sent()[before:]] == [False, True]
