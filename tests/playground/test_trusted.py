"""The playground of a server that runs a list of documents: the bar and the schema go on."""

import json
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext

from gql_app.cli.samples import SIGN_INS
from gql_app.web.pages.playground import BUILT
from tests.playground.tab import Tab
from tests.processes import serving

pytestmark = pytest.mark.xdist_group("chromium")

ADMIN, _ = SIGN_INS
OWN = json.loads((BUILT / "operations.json").read_text())


async def test_page_sends_by_itself_what_is_trusted_and_nothing_else(
    context: BrowserContext, tmp_path: Path
) -> None:
    file = tmp_path / "documents.json"
    file.write_text('{"1": "{ __typename }"}')
    with serving("--demo", folder=tmp_path, trusted_documents=str(file)) as server:
        async with Tab.opened(context, server.url) as tab:
            await tab.sign_in(ADMIN.email, ADMIN.password)
            await tab.signed_in(ADMIN.name)
            await tab.bar.get_by_role("button", name="Refresh").click()
            await tab.bar.get_by_role("button", name="Sign out").click()
            await tab.signed_out()
            sent = {each["query"] for each in tab.sent()}
            assert sent <= set(OWN.values())
            assert {OWN["INTROSPECTION"], OWN["SIGN_IN"], OWN["SIGN_OUT"]} <= sent
            assert tab.complaints == []
            (refused,) = json.loads(await tab.run("FirstPage"))["errors"]
            assert refused["extensions"]["code"] == "PERSISTED_QUERY_NOT_IN_LIST"
            posted = [request for request in tab.requests if request.method == "POST"]
            names = {request.headers.get("graphql-client-name") for request in posted}
            assert names == {"playground"}
