"""Where a page leads once somebody is signed in, and who is given the session."""

import json
from base64 import urlsafe_b64encode
from typing import Final

import pytest
from playwright.async_api import Route, expect

from tests.account_pages.visit import Answer, Visit, fault, payload

pytestmark = pytest.mark.xdist_group("chromium")

OTHER: Final = "https://app.example.com/start"
CLAIMS: Final = {"iat": 1_000, "exp": 4_600, "jti": "?>?>?>"}
BEARER: Final = f"e30.{urlsafe_b64encode(json.dumps(CLAIMS).encode()).decode().rstrip('=')}.x"
ADA: Final = {"name": "Ada", "email": "ada@example.com", "isAdmin": False}
SIGNED_IN: Final = payload(
    "signInByLink", "Welcome, Ada.", token=BEARER, refreshToken="gar_1", customer=ADA
)


async def lead_to(visit: Visit, home: str, answer: Answer = SIGNED_IN) -> None:
    """Have the page lead somewhere else than its server has it, and press its button."""

    async def page(route: Route) -> None:
        served = await route.fetch()
        text = (await served.text()).replace('content="../graphql"', f'content="{home}"')
        await route.fulfill(response=served, body=text)

    async def homepage(route: Route) -> None:
        await route.fulfill(body="<title>home</title>", content_type="text/html")

    await visit.page.route("**/account/sign-in", page)
    await visit.page.route("**/start", homepage)
    await visit.play("graphql", answer)
    await visit.open("sign-in")
    await visit.press("Sign in")


async def test_home_of_the_same_origin_finds_the_session_in_the_tabs_storage(visit: Visit) -> None:
    home = f"{visit.url}/start"
    await lead_to(visit, home)
    await expect(visit.page).to_have_url(home)
    stored = await visit.stored()
    held = json.loads(stored["session"].pop("gql_app:session"))
    now = await visit.page.evaluate("Date.now()")
    assert 0 <= now - (held.pop("expiresAt") - 3_600_000) < 60_000
    assert held == {"token": BEARER, "refreshToken": "gar_1", "life": 3_600_000, **ADA}
    assert stored == {"local": {}, "session": {}}
    assert await visit.entries() == ["about:blank", home]


async def test_home_of_another_origin_gets_no_token_and_no_session_stays_open(
    visit: Visit,
) -> None:
    await lead_to(visit, OTHER)
    await expect(visit.page).to_have_url(OTHER)
    signing_in, looking, signing_out = visit.sent()
    assert signing_in["query"].startswith("mutation SignInByLink")
    assert looking["query"] == "query Held { nodes(ids: []) { id } }"
    assert signing_out["query"] == "mutation Leave { logout { status } }"
    bearers = [request.headers.get("authorization") for request in visit.requests]
    assert [bearer for bearer in bearers if bearer] == [f"Bearer {BEARER}"] * 2
    assert not [request for request in visit.requests if BEARER in request.url]
    await visit.follow(f"{visit.url}/account/sign-in")
    assert await visit.stored() == {"local": {}, "session": {}}


async def test_session_that_may_only_set_up_a_second_factor_is_led_to_where_that_is_done(
    visit: Visit,
) -> None:
    await lead_to(visit, OTHER)
    await expect(visit.page).to_have_url(OTHER)
    extensions = {"code": "FORBIDDEN", "reason": "SECOND_FACTOR_ENROLMENT_REQUIRED"}
    refused = {"message": "Set one up.", "extensions": extensions}
    held = {"data": SIGNED_IN["body"]["data"], "errors": [refused]}
    await visit.play("graphql", {"body": held})
    await visit.open("sign-in")
    await visit.press("Sign in")
    await expect(visit.page).to_have_url(f"{visit.url}/account/security")
    assert "gql_app:session" in (await visit.stored())["session"]


async def test_without_a_home_it_is_said_that_one_is_signed_in(visit: Visit) -> None:
    await lead_to(visit, "")
    await visit.arrived("You are signed in")
    await expect(visit.page.get_by_text("Welcome, Ada.")).to_be_visible()
    await expect(visit.page.get_by_text("You can close this page.")).to_be_visible()
    await expect(visit.page.get_by_role("link")).to_have_count(0)
    assert "gql_app:session" in (await visit.stored())["session"]


async def test_without_a_home_it_is_said_after_a_second_step_as_well(visit: Visit) -> None:
    almost = fault("SECOND_FACTOR_REQUIRED", "Almost there.")
    step = {"challenge": "gac_1", "methods": ["CODE"], "passkeyOptions": None}
    waiting = payload("signInByLink", "Almost there.", almost, secondFactor=step)
    await lead_to(visit, "", waiting)
    await visit.arrived("One more step")
    session = {"token": BEARER, "refreshToken": "gar_1", "customer": ADA}
    await visit.play("graphql", payload("verifySecondFactor", "Welcome, Ada.", **session))
    await visit.field("Code of your app").fill("123456")
    await visit.page.keyboard.press("Enter")
    await visit.arrived("You are signed in")
    await expect(visit.page.get_by_text("Welcome, Ada.")).to_be_visible()


async def test_behind_a_proxy_that_serves_it_below_a_path_a_page_finds_all_of_it(
    visit: Visit,
) -> None:
    async def proxy(route: Route) -> None:
        answer = await route.fetch(url=route.request.url.replace("/auth/", "/", 1))
        await route.fulfill(response=answer)

    await visit.page.route("**/auth/**", proxy)
    await visit.follow(f"{visit.url}/auth/account/reset#token=gap_x")
    await visit.password().fill("several words in a row")
    await visit.press("Set the password")
    await visit.arrived("This link no longer works")
    await visit.page.get_by_role("link", name="Go to the sign-in").click()
    await expect(visit.page).to_have_url(f"{visit.url}/auth/graphql")
    await visit.page.unroute_all(behavior="wait")  # of what the playground is loading still
