"""What the playground adds to the editor: how a request went, curl, and what is kept."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Final, Literal

import pytest
from graphql import build_schema, introspection_from_schema
from playwright.async_api import Browser, BrowserContext, Locator, Route, expect

from gql_app.cli.samples import SIGN_INS
from tests.playground.axe import violations
from tests.playground.reach import DRAWN
from tests.playground.tab import WATCH, Tab
from tests.processes import PATIENCE

pytestmark = pytest.mark.xdist_group("chromium")

PERSON: Final = SIGN_INS[1]
OPERATION: Final = "operation.graphql"
VARIABLES: Final = "variables.json"
TITLES: Final = """(active) => {
  const { tabs, activeTabIndex } = JSON.parse(sessionStorage["graphiql:tabState"] ?? "{}");
  return activeTabIndex === active && tabs.map(({ title }) => title);
}"""
"""The tabs that are kept, once this one is the active one of them."""
DESCRIBED: Final = '''
type Query {
  """Who is signed in. Signed in only."""
  me: String
  """What happened. Needs audit:read."""
  auditEvents: Int
  """Explains the token. Open to everyone."""
  token: String
  """Changes what has a long name. Needs customers:write. Needs a recent proof of identity."""
  renewEverybodysRecoveryCodes: String
}
'''
"""Fields whose descriptions end in who may ask for them."""
WHOLE: Final = "names => names.every(({ scrollWidth, clientWidth }) => scrollWidth <= clientWidth)"
"""Whether all of some names are shown."""
TYPED: Final = "typed-by-hand-once"


@pytest.fixture(scope="module")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """Open a window whose clipboard may be read."""
    context = await browser.new_context(
        viewport={"width": 1440, "height": 900}, permissions=["clipboard-read", "clipboard-write"]
    )
    context.set_default_timeout(PATIENCE * 1000)
    await context.add_init_script(WATCH)
    yield context
    await context.close()


def line(tab: Tab) -> Locator:
    """Return where the line under the answer is."""
    return tab.page.locator(".exchange")


async def test_line_under_the_answer_tells_how_the_request_went(tab: Tab) -> None:
    await expect(tab.page.get_by_text("Answers appear here.")).to_be_visible()
    async with tab.page.expect_response(lambda response: response.status == 401) as refused:
        await tab.run("Me")
    request_id = await (await refused.value).header_value("x-request-id")
    size = len(await (await refused.value).body())
    await expect(line(tab)).to_have_text(
        re.compile(rf"^401 Unauthorized\d+ m?s{size} bytesRequest {request_id}$")
    )
    await tab.button("New tab").click()
    await expect(line(tab)).to_be_empty()
    await tab.run()
    await expect(line(tab).get_by_role("status")).to_contain_text("200 OK")
    await tab.page.context.set_offline(True)
    await tab.button("Execute query").click()
    await expect(line(tab)).to_have_text(re.compile(r"^No answer\d+ m?s$"))
    answer = json.loads(await tab.answer())
    assert answer["errors"][0]["message"].startswith("The server can't be reached.")
    await tab.notice("The server can't be reached.")
    await tab.page.context.set_offline(False)
    assert "TOKEN_MISSING" in await tab.run()
    await tab.no_notice()
    await tab.page.route("**/graphql", lambda _: asyncio.sleep(0), times=1)  # never answered
    await tab.button("Execute query").click()
    await expect(line(tab)).to_be_empty()
    await tab.button("Stop query").click()
    await expect(line(tab)).to_be_empty()
    assert "TOKEN_MISSING" in await tab.run()
    await expect(line(tab)).to_contain_text("200 OK")
    for pane, text, told in (
        ("request-headers.json", '{"no header": ""}', "Not sent."),
        (VARIABLES, "{", "Request not sent. Variables"),
    ):
        await tab.button("Headers").click()
        await tab.write(pane, text)
        await tab.button("Execute query").click()
        await expect(line(tab)).not_to_contain_text("200 OK")
        (error,) = json.loads(await tab.read("response.json"))["errors"]
        assert error["message"].startswith(told)


async def test_answer_that_another_tab_is_opened_before_is_shown_in_neither(tab: Tab) -> None:
    came = asyncio.Event()

    async def hold(route: Route) -> None:
        await came.wait()
        await route.continue_()

    page = "{ auditEvents { nodes { action } } customers(first: 1) { pageInfo { endCursor } } }"
    await tab.button("Sign in as customer").click()
    await tab.signed_in(PERSON.name)
    await tab.write(VARIABLES, '{"after": "mine"}')
    await tab.button("New tab").click()
    await expect(tab.page.get_by_text("valid reason message")).to_be_visible()
    await tab.write(OPERATION, page)
    execute = tab.button("Execute query")
    await expect(execute).not_to_have_attribute("aria-haspopup", "menu")
    await tab.page.route("**/graphql", hold, times=1)
    await execute.click()
    tabs = tab.page.locator(".graphiql-tab-button")
    await tabs.first.click()
    await expect(execute).to_have_attribute("aria-haspopup", "menu")
    came.set()
    await tab.notice("This is for admins")
    await tab.page.evaluate(DRAWN)
    for each in (tabs.first, tabs.last):
        await each.click()
        assert await tab.read("response.json") == ""
        await expect(line(tab)).to_be_empty()
    await tabs.first.click()
    assert json.loads(await tab.read(VARIABLES)) == {"after": "mine"}


async def test_command_that_is_copied_does_what_the_button_does(tab: Tab) -> None:
    await tab.sign_in(PERSON.email, PERSON.password)
    await tab.signed_in(PERSON.name)
    answer = json.loads(await tab.run("Me"))
    await tab.button("Copy as cURL").click()
    await expect(line(tab)).to_contain_text("Copied, with the token.")
    command: str = await tab.page.evaluate("navigator.clipboard.readText()")
    assert PERSON.password not in command
    quiet = command.replace("curl", "curl --silent", 1)
    shell = await asyncio.create_subprocess_shell(quiet, stdout=asyncio.subprocess.PIPE)
    printed, _ = await shell.communicate()
    assert json.loads(printed) == answer
    await tab.write(VARIABLES, "{")
    await tab.button("Copy as cURL").click()
    await expect(line(tab)).to_contain_text("Not copied:")


async def test_reload_brings_back_the_tabs_and_no_password_that_was_typed(tab: Tab) -> None:
    opened = await tab.read(OPERATION)
    await tab.write(OPERATION, f"{opened}# more\n")
    await tab.button("New tab").click()
    assert await tab.page.wait_for_function(TITLES, arg=1)
    assert (await tab.read(OPERATION)).startswith("query Token {")
    await tab.run()
    login = f'mutation Typed {{ login(email: "a@example.com", password: "{TYPED}") {{ status }} }}'
    assert "ERROR" in await tab.run_text(login)
    await tab.button("Show History").click()
    history = tab.page.get_by_role("region", name="History")
    await expect(history.get_by_role("button", name="Token").first).to_be_visible()
    await expect(history).not_to_contain_text("Typed")
    await tab.page.wait_for_function("() => sessionStorage['graphiql:tabState'].includes('Typed')")
    assert TYPED not in json.dumps(await tab.stored())
    await tab.page.reload()
    await tab.ready()
    assert await tab.read(OPERATION) == login.replace(TYPED, "")
    await tab.button("SignIn").click()
    assert await tab.read(OPERATION) == f"{opened}# more\n"
    assert json.loads(await tab.read(VARIABLES)) == {"after": None}
    titles = await tab.page.wait_for_function(TITLES, arg=0)
    assert await titles.json_value() == ["SignIn", "Typed"]


async def test_completion_says_who_may_ask(tab: Tab) -> None:
    async def describe(route: Route) -> None:
        await route.fulfill(json={"data": introspection_from_schema(build_schema(DESCRIBED))})

    await tab.page.route("**/graphql", describe)
    await tab.button("Re-fetch GraphQL schema").click()
    await tab.ready()
    await tab.write(OPERATION, "{ }")
    await tab.page.get_by_role("group", name="Frame of the operations").focus()
    for key in ("Enter", "Control+Home", "ArrowRight", "Control+Space"):
        await tab.page.keyboard.press(key)
    rows = tab.page.locator(".suggest-widget .monaco-list-row")
    for name, detail in (
        ("me", "Signed in only · String"),
        ("auditEvents", "Needs audit:read · Int"),
        ("token", "String"),
        (
            "renewEverybodysRecoveryCodes",
            "Needs customers:write. Needs a recent proof of identity · String",
        ),
    ):
        row = rows.filter(has=tab.page.get_by_text(name, exact=True))
        await expect(row.locator(".details-label")).to_have_text(detail)
    assert await rows.locator(".left").evaluate_all(WHOLE)
    schemes: dict[Literal["light", "dark"], str] = {"light": "vs", "dark": "vs-dark"}
    for scheme, theme in schemes.items():
        await tab.page.emulate_media(color_scheme=scheme)
        await expect(tab.page.locator(f".monaco-editor.{theme}").first).to_be_visible()
        found = await violations(tab.page)
        # Names and references within the list are Monaco's, its colours are ours.
        assert [each for each in found if each.startswith("color-contrast")] == []
