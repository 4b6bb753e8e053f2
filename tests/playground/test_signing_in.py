"""Signing in and out at the playground, in a real browser."""

import json
import re
from typing import Final

import pytest
from playwright.async_api import BrowserContext, expect

from gql_app.cli.samples import SIGN_INS
from tests.playground.tab import Tab
from tests.processes import Server

pytestmark = pytest.mark.xdist_group("chromium")

ADMIN, CUSTOMER = SIGN_INS
OPERATION: Final = "operation.graphql"
HEADERS: Final = "request-headers.json"
ANSWER: Final = "response.json"
LOGIN: Final = (
    f'mutation {{ mine: login(email: "{CUSTOMER.email}", password: "{CUSTOMER.password}") '
    "{ t: token refreshToken } }"
)


async def test_whoever_signs_in_by_the_bar_lists_customers(tab: Tab) -> None:
    await tab.sign_in(CUSTOMER.email, CUSTOMER.password)
    await tab.signed_in(CUSTOMER.name)
    await expect(tab.bar.get_by_text("customer", exact=True)).to_be_visible()
    await expect(tab.page.get_by_role("timer")).to_contain_text("Token expires in 59:")
    first = json.loads(await tab.run("FirstPage"))["data"]["customers"]
    second = json.loads(await tab.run("NextPage"))["data"]["customers"]
    third = json.loads(await tab.run("NextPage"))["data"]["customers"]
    names = [tuple(node["name"] for node in page["nodes"]) for page in (first, second, third)]
    assert [len(page) for page in names] == [5, 5, 5]
    assert sorted(names) == names
    assert len(set(names)) == 3


async def test_wrong_password_is_told_and_nobody_is_signed_in(tab: Tab) -> None:
    await tab.sign_in(CUSTOMER.email, "not the password")
    await tab.notice("The e-mail address or the password is wrong")
    await expect(tab.field("Password")).to_be_focused()
    await expect(tab.field("Password")).to_have_accessible_description(re.compile("is wrong"))
    await tab.signed_out()
    assert await tab.held() == {}
    await tab.sign_in(CUSTOMER.email, CUSTOMER.password)
    await tab.signed_in(CUSTOMER.name)
    await tab.no_notice()


@pytest.mark.parametrize("person", SIGN_INS, ids=lambda person: person.role)
async def test_demo_signs_in_by_a_click(tab: Tab, person: object) -> None:
    chosen = ADMIN if person is ADMIN else CUSTOMER
    await tab.page.get_by_role("button", name=f"Sign in as {chosen.role}").click()
    await tab.signed_in(chosen.name)
    assert json.loads(await tab.run("Me"))["data"]["me"]["email"] == chosen.email


async def test_login_that_is_run_by_hand_signs_in_and_logout_out(tab: Tab) -> None:
    await tab.write(OPERATION, LOGIN)
    token = json.loads(await tab.run())["data"]["mine"]["t"]
    await tab.signed_in(CUSTOMER.name)
    assert (await tab.held())["token"] == token
    await tab.write(OPERATION, "{ me { email } }")
    assert CUSTOMER.email in await tab.run()
    await tab.write(OPERATION, "mutation { bye: logout { status } }")
    assert "SUCCESS" in await tab.run()
    await tab.signed_out()


async def test_refresh_that_is_run_by_hand_is_taken_over(tab: Tab) -> None:
    await tab.sign_in(CUSTOMER.email, CUSTOMER.password)
    await tab.signed_in(CUSTOMER.name)
    before = await tab.held()
    spent = before["refreshToken"]
    await tab.write(
        OPERATION, f'mutation {{ refresh(refreshToken: "{spent}") {{ token refreshToken }} }}'
    )
    answered = json.loads(await tab.run())["data"]["refresh"]
    held = await tab.held()
    assert {name: held[name] for name in answered} == answered
    assert answered["refreshToken"] != spent


async def test_signing_out_in_one_tab_signs_out_its_duplicates_and_takes_the_answers(
    tab: Tab,
) -> None:
    await tab.write(OPERATION, LOGIN)
    token = json.loads(await tab.run())["data"]["mine"]["t"]
    await tab.signed_in(CUSTOMER.name)
    await tab.button("New tab").click()
    other = await tab.twin()
    await other.signed_in(CUSTOMER.name)
    assert CUSTOMER.email in await other.run_text("{ me { email } }")
    await tab.button("Sign out").click()
    await tab.signed_out()
    await expect(tab.field("E-mail")).to_be_focused()
    await other.signed_out()
    await other.notice("The session was ended in another tab.")
    assert await other.read(ANSWER) == ""
    tabs = tab.page.get_by_role("list", name="Select active operation")
    await tabs.get_by_role("button").first.click()
    assert "login" in await tab.read(OPERATION)
    assert await tab.read(ANSWER) == ""
    assert token not in json.dumps([await tab.stored(), await other.stored()])


async def test_session_that_was_ended_elsewhere_is_forgotten_and_the_address_kept(
    tab: Tab, demo: Server
) -> None:
    await tab.sign_in(CUSTOMER.email, CUSTOMER.password)
    await tab.signed_in(CUSTOMER.name)
    headers = {"Authorization": f"Bearer {(await tab.held())['token']}"}
    with demo.client() as client:
        client.post("/graphql", json={"query": "mutation { logout { status } }"}, headers=headers)
    assert "TOKEN_REVOKED" in await tab.run("Me")
    await tab.notice("The session has ended")
    await tab.signed_out()
    await expect(tab.page.get_by_role("timer")).to_be_hidden()
    assert await tab.held() == {}
    await tab.button("Go to the sign-in").click()
    await expect(tab.field("E-mail")).to_be_focused()
    await expect(tab.field("E-mail")).to_have_value(CUSTOMER.email)
    await tab.field("Password").fill(CUSTOMER.password)
    await tab.page.keyboard.press("Enter")
    await tab.signed_in(CUSTOMER.name)
    assert CUSTOMER.email in await tab.run("Me")
    await tab.no_notice()


async def test_whoever_reloads_stays_signed_in_and_a_new_tab_is_nobodys(
    tab: Tab, context: BrowserContext, demo: Server
) -> None:
    await tab.sign_in(CUSTOMER.email, CUSTOMER.password)
    await tab.signed_in(CUSTOMER.name)
    await tab.page.reload()
    await tab.ready()
    await tab.signed_in(CUSTOMER.name)
    async with Tab.opened(context, demo.url) as new:
        await new.signed_out()


async def test_without_a_token_the_bar_says_what_is_missing(tab: Tab) -> None:
    assert "TOKEN_MISSING" in await tab.run("Me")
    await tab.notice("Nobody is signed in")
    await expect(tab.button("Sign in")).to_have_count(1)
    await tab.button("Go to the sign-in").click()
    await expect(tab.field("E-mail")).to_be_focused()


async def test_what_is_for_admins_is_told_to_others(tab: Tab) -> None:
    await tab.sign_in(CUSTOMER.email, CUSTOMER.password)
    await tab.signed_in(CUSTOMER.name)
    await tab.write(OPERATION, "{ auditEvents { nodes { action } } }")
    assert "ADMIN_REQUIRED" in await tab.run()
    await tab.notice("This is for admins")
    assert "first" in await tab.run_text("{ customers(first: 999) { totalCount } }")
    await tab.no_notice()


async def test_the_tours_expired_token_is_explained_and_stays_in_the_headers(tab: Tab) -> None:
    await tab.sign_in(CUSTOMER.email, CUSTOMER.password)
    await tab.signed_in(CUSTOMER.name)
    opened = await tab.read(OPERATION)
    (header,) = [line.strip("# ") for line in opened.splitlines() if "Bearer" in line]
    await tab.page.get_by_role("button", name="Headers").click()
    await tab.write(HEADERS, header)
    answer = json.loads(await tab.run("ExpiredToken"))
    assert answer["data"]["token"]["reason"] == "TOKEN_EXPIRED"
    await tab.notice("It came from the Headers tab")
    await tab.write(HEADERS, "")
    assert json.loads(await tab.run("ExpiredToken"))["data"]["token"]["valid"]
    await tab.no_notice()


async def test_tokens_are_in_the_tabs_session_storage_and_nowhere_else(tab: Tab) -> None:
    await tab.sign_in(CUSTOMER.email, CUSTOMER.password)
    await tab.signed_in(CUSTOMER.name)
    await tab.page.get_by_role("button", name="Headers").click()
    await tab.write(HEADERS, '{"Authorization": "Bearer typed-by-hand"}')
    assert "TOKEN_MALFORMED" in await tab.run("Me")
    await tab.write(HEADERS, "")
    assert CUSTOMER.email in await tab.run("Me")
    await tab.page.get_by_role("button", name="New tab").click()
    await tab.page.wait_for_function(
        "() => JSON.parse(sessionStorage['graphiql:tabState']).tabs[1]"
    )
    stored, held = await tab.stored(), await tab.held()
    assert stored["local"] == {}
    kept = {name for name, text in stored["session"].items() if held["token"] in text}
    assert kept == {"gql_app:session"}
    assert not [text for text in stored["session"].values() if "typed-by-hand" in text]
    assert tab.page.url == tab.url
    assert await tab.page.evaluate("document.cookie") == ""
