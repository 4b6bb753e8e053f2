"""Tabs that hold one session: duplicates of the page for second factors, and the playground."""

import json
from typing import Any, Final

import jwt
import pytest
from playwright.async_api import BrowserContext, Route, expect

from tests.account_pages.test_security import FACTORS, opened, sign_in
from tests.account_pages.visit import Answer, Visit
from tests.playground.tab import Tab
from tests.processes import Server

pytestmark = pytest.mark.xdist_group("chromium")

HELD: Final = "() => sessionStorage.getItem('gql_app:session')"
IS_HELD: Final = "(held) => sessionStorage.getItem('gql_app:session') === held"
EXPIRED: Final = {"code": "UNAUTHENTICATED", "reason": "TOKEN_EXPIRED"}
OLD: Final = {"data": None, "errors": [{"message": "Old.", "extensions": EXPIRED}]}
REVOKED: Final = {"code": "UNAUTHENTICATED", "reason": "TOKEN_REVOKED"}
OVER: Final = {"data": None, "errors": [{"message": "Over.", "extensions": REVOKED}]}
GONE: Final = "You are not signed in any more."
REFRESH: Final = """mutation ($refreshToken: String!) {
  refresh(refreshToken: $refreshToken) { token refreshToken }
}"""
LOCK: Final = """() => new Promise((locked) =>
  navigator.locks.request("gql_app:refresh", () => {
    locked();
    return new Promise((release) => (globalThis.release = release));
  }))"""
IS_WAITED_FOR: Final = """async () =>
  (await navigator.locks.query()).pending.some(({ name }) => name === "gql_app:refresh")"""
TELL: Final = "(message) => new BroadcastChannel('gql_app').postMessage(message)"


@pytest.fixture
async def visit(context: BrowserContext, demo: Server) -> Visit:
    """Sign in on the page."""
    visit = Visit(await context.new_page(), demo.url)
    await opened(visit)
    return visit


async def twin(visit: Visit) -> Visit:
    """Duplicate a tab, its session storage with it, as a browser's menu does."""
    async with visit.page.expect_popup() as popup:
        await visit.page.evaluate("void window.open(location.href)")
    twin = Visit(await popup.value, visit.url)
    await twin.heading(FACTORS)
    return twin


async def held(visit: Visit) -> dict[str, Any]:
    """Return the session that a tab holds."""
    session: dict[str, Any] = json.loads(await visit.page.evaluate(HELD))
    return session


async def expire(visit: Visit) -> None:
    """Have the token refused once as expired, by a press."""
    await visit.page.route("**/graphql", lambda route: route.fulfill(json=OLD), times=1)
    await visit.press("Set up an app for codes")
    await visit.arrived("Set up an app for codes")
    await visit.press("Cancel")
    await visit.arrived(FACTORS)


def refreshes(visit: Visit) -> list[Answer]:
    """Return the variables of the refreshes that a tab sent."""
    return [each["variables"] for each in visit.sent() if "mutation Refresh" in each["query"]]


async def test_duplicates_share_one_session_through_its_refreshes(visit: Visit) -> None:
    other = await twin(visit)
    for refreshing, following in ((visit, other), (visit, other), (other, visit)):
        before = await held(refreshing)
        await expire(refreshing)
        after = await held(refreshing)
        assert after["refreshToken"] != before["refreshToken"]
        await following.page.wait_for_function(
            IS_HELD, arg=json.dumps(after, separators=(",", ":"))
        )
    assert len(refreshes(visit) + refreshes(other)) == 3
    await other.press("Sign out")
    await other.arrived("Sign in")
    await visit.arrived("Sign in")
    await expect(visit.alert()).to_have_text("The session was ended in another tab.")
    assert (await visit.stored())["session"] == {}


async def test_refresh_of_another_tab_is_waited_for(visit: Visit, demo: Server) -> None:
    other = await twin(visit)
    before = await held(visit)
    await other.page.evaluate(LOCK)
    await visit.page.route("**/graphql", lambda route: route.fulfill(json=OLD), times=1)
    await visit.press("Set up an app for codes")
    await other.page.wait_for_function(IS_WAITED_FOR)
    variables = {"refreshToken": before["refreshToken"]}
    with demo.client() as client:
        sent = {"query": REFRESH, "variables": variables}
        answer = client.post("/graphql", json=sent).json()
    after = {**before, **answer["data"]["refresh"]}
    await other.page.evaluate(TELL, {"token": before["token"], "held": after})
    await visit.page.wait_for_function(IS_HELD, arg=json.dumps(after, separators=(",", ":")))
    await other.page.evaluate("release()")
    await visit.arrived("Set up an app for codes")
    assert refreshes(visit) == []


async def test_playground_shares_its_session_with_the_page(visit: Visit) -> None:
    await visit.page.get_by_role("link", name="Go on").click()
    playground = Tab(visit.page, visit.url)
    await playground.signed_in(visit.person.name)
    async with visit.page.expect_popup() as popup:
        await visit.page.evaluate("void window.open('account/security')")
    page = Visit(await popup.value, visit.url)
    await page.heading(FACTORS)
    before = await held(page)
    await playground.button("Refresh").click()
    await page.page.wait_for_function(
        "(token) => JSON.parse(sessionStorage.getItem('gql_app:session')).token !== token",
        arg=before["token"],
    )
    await expire(page)
    after = await held(page)
    await visit.page.wait_for_function(IS_HELD, arg=json.dumps(after, separators=(",", ":")))
    await playground.signed_in(visit.person.name)
    await page.press("Sign out")
    await page.arrived("Sign in")
    await playground.signed_out()
    await expect(visit.page.get_by_text("The session was ended in another tab.")).to_be_visible()


async def test_end_of_another_session_ends_nothing_here(visit: Visit) -> None:
    other = await twin(visit)
    await other.page.evaluate(TELL, {"token": "of somebody else", "held": None})
    after = await held(visit)
    await other.page.evaluate(TELL, {"token": after["token"], "held": {**after, "name": "Ada"}})
    await visit.page.wait_for_function(
        "() => JSON.parse(sessionStorage.getItem('gql_app:session'))?.name === 'Ada'"
    )
    await visit.heading(FACTORS)


async def test_tab_that_has_refreshed_side_by_side_hears_of_the_end(visit: Visit) -> None:
    other = await twin(visit)
    claims = jwt.decode((await held(visit))["token"], options={"verify_signature": False})
    token = jwt.encode({**claims, "jti": "another"}, 32 * "k")
    await other.page.evaluate(TELL, {"token": token, "held": None})
    await visit.heading("Sign in")
    await expect(visit.alert()).to_have_text("The session was ended in another tab.")


async def test_late_refusal_does_not_end_the_next_session(visit: Visit) -> None:
    late: list[Route] = []

    def leave_open(route: Route) -> None:
        late.append(route)

    other = await twin(visit)
    token = (await held(visit))["token"]
    await visit.page.route("**/graphql", leave_open, times=1)
    async with visit.page.expect_request("**/graphql"):
        await visit.page.reload()
    await other.page.evaluate(TELL, {"token": token, "held": None})
    await visit.heading("Sign in")
    await sign_in(visit)
    await visit.heading(FACTORS)
    after = await held(visit)
    (route,) = late
    async with visit.page.expect_request_finished():
        await route.fulfill(json=OVER)
    await visit.page.evaluate("new Promise((done) => setTimeout(done))")
    await visit.heading(FACTORS)
    assert await held(visit) == after


async def test_answer_after_the_end_of_the_session_shows_nothing_of_the_account(
    visit: Visit,
) -> None:
    answering: list[Route] = []

    def leave_open(route: Route) -> None:
        answering.append(route)

    other = await twin(visit)
    token = (await held(visit))["token"]
    await visit.page.route("**/graphql", leave_open)
    async with visit.page.expect_request("**/graphql"):
        await visit.page.reload()
    await other.page.evaluate(TELL, {"token": token, "held": None})
    await visit.heading("Sign in")
    (route,) = answering
    async with visit.page.expect_request_finished():
        await route.continue_()
    await visit.page.evaluate("new Promise((done) => setTimeout(done))")
    await visit.heading("Sign in")
    await expect(visit.page.get_by_text(visit.person.email)).to_have_count(0)


async def test_press_after_the_end_of_the_session_is_refused_in_words_for_people(
    visit: Visit,
) -> None:
    sent = len(visit.sent())
    await visit.page.evaluate("sessionStorage.clear()")
    await visit.press("Set up an app for codes")
    await visit.arrived("Sign in")
    await expect(visit.alert()).to_have_text(GONE)
    assert len(visit.sent()) == sent


async def test_session_that_ends_during_its_refresh_sends_nothing_more(visit: Visit) -> None:
    refreshing: list[Route] = []

    async def expire(route: Route) -> None:
        if "mutation Refresh" in (route.request.post_data or ""):
            refreshing.append(route)
        else:
            await route.fulfill(json=OLD)

    other = await twin(visit)
    await visit.page.route("**/graphql", expire)
    async with visit.page.expect_request(lambda each: "mutation Refresh" in (each.post_data or "")):
        await visit.press("Set up an app for codes")
    sent = len(visit.sent())
    await other.press("Sign out")
    await visit.arrived("Sign in")
    (route,) = refreshing
    await route.continue_()
    await expect(visit.alert()).to_have_text(GONE)
    assert len(visit.sent()) == sent
