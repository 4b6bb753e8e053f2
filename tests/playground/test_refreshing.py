"""Tokens that expire while somebody is at the playground, in a real browser."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Final

import pytest
from playwright.async_api import Page, expect

from gql_app.cli.samples import SIGN_INS
from tests.playground.tab import Tab
from tests.processes import Server, serving

pytestmark = pytest.mark.xdist_group("chromium")

PERSON: Final = SIGN_INS[1]
LIFE: Final = 2
"""Seconds that a token lives here."""
RENEWED: Final = "(spent) => JSON.parse(sessionStorage['gql_app:session']).token !== spent"


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve a demo whose tokens live a few seconds."""
    folder = tmp_path_factory.mktemp("short")
    with serving("--demo", folder=folder, access_token_ttl=str(LIFE)) as server:
        yield server


@pytest.fixture
async def tab(page: Page, short: Server) -> AsyncIterator[Tab]:
    """Open its playground, and sign in."""
    async with Tab.reopened(page, short.url) as tab:
        await tab.sign_in(PERSON.email, PERSON.password)
        await tab.signed_in(PERSON.name)
        yield tab


async def renewed(tab: Tab) -> str:
    """Wait until a tab holds another token, and tell the refresh token that it held before."""
    held = await tab.held()
    await tab.page.wait_for_function(RENEWED, arg=held["token"])
    spent: str = held["refreshToken"]
    return spent


async def test_token_about_to_expire_is_refreshed_quietly(tab: Tab) -> None:
    spent = [await renewed(tab), await renewed(tab)]
    assert PERSON.email in await tab.run("Me")
    await tab.no_notice()
    await tab.signed_in(PERSON.name)
    refreshes = [each for each in tab.sent() if each["operationName"] == "Refresh"]
    sent = [each["variables"]["refreshToken"] for each in refreshes]
    assert sent[:2] == spent
    assert len(set(sent)) == len(sent)


async def test_duplicates_of_a_tab_refresh_side_by_side(tab: Tab) -> None:
    other = await tab.twin()
    for each in (tab, other):
        await renewed(each)
    for each in (tab, other):
        assert PERSON.email in await each.run("Me")
        await each.no_notice()
        await each.signed_in(PERSON.name)


async def test_token_that_expired_while_the_machine_slept_is_refreshed_when_it_is_refused(
    tab: Tab, short: Server
) -> None:
    held = await tab.held()
    arrived = (held["expiresAt"] - held["life"]) / 1000
    await tab.page.clock.set_fixed_time(datetime.fromtimestamp(arrived, UTC))
    await tab.page.reload()
    await tab.ready()
    token = (await tab.held())["token"]
    with short.client() as client:
        reason = None
        while reason != "TOKEN_EXPIRED":
            answer = client.post(
                "/graphql",
                json={"query": "{ token { reason } }"},
                headers={"Authorization": f"Bearer {token}"},
            )
            reason = answer.json()["data"]["token"]["reason"]
    before = len(tab.sent())
    assert PERSON.email in await tab.run("Me")
    await tab.no_notice()
    assert [each["operationName"] for each in tab.sent()[before:]] == ["Me", "Refresh", "Me"]


async def test_last_minute_is_warned_of(tab: Tab) -> None:
    await expect(tab.page.get_by_role("timer")).to_have_class("countdown last")
    await expect(tab.bar.get_by_role("status")).to_have_text("The token expires within a minute.")
