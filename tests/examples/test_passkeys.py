"""The example of passkeys in a real browser, with an authenticator that has no hardware."""

import subprocess
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
from playwright.async_api import Page

from tests.examples.driving import EXAMPLES, NODE, expired, signed_in
from tests.examples.test_second_factors import age, register
from tests.people import PASSWORD
from tests.playground.chromium import chromium
from tests.processes import ROOT, Server

pytestmark = pytest.mark.xdist_group("examples")

SOURCES: Final = EXAMPLES / "typescript/src"
BUNDLER: Final = ROOT / "playground/node_modules/.bin/rolldown"
ENTRY: Final = f"""
export * as passkeys from "{SOURCES}/passkeys.ts";
export {{ RenewRecoveryCodesDocument, SecondFactorsDocument }} from "{SOURCES}/generated.ts";
export {{ Session }} from "{SOURCES}/session.ts";
"""
OPEN: Final = """
(() => {
  window.held = null;
  const keep = {load: () => held, save: (tokens) => (window.held = tokens), onSignedOut: () => {}};
  window.session = new example.Session("/graphql", keep);
})()
"""
CAUGHT: Final = """
error => ({
  name: error.name,
  codes: error.errors?.map(({code}) => code) ?? null,
  methods: error.methods ?? error.secondFactor?.methods ?? null,
})
"""
AUTHENTICATOR: Final = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
RENEW: Final = "session.run(example.RenewRecoveryCodesDocument, {})"
EMAIL: Final = "ada@passkeys.example.com"


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Bundle the example as a page would, by what the playground is built with."""
    assert BUNDLER.exists(), "make test installs what the playground is built with"
    folder = tmp_path_factory.mktemp("bundle")
    entry, out = folder / "entry.ts", folder / "example.js"
    entry.write_text(ENTRY, encoding="utf-8")
    command = [
        str(NODE),
        str(BUNDLER),
        str(entry),
        "--format",
        "iife",
        "--name",
        "example",
        "--file",
        str(out),
    ]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 — ours
    return out.read_text(encoding="utf-8")


@pytest.fixture
async def page(server: Server, bundle: str) -> AsyncIterator[Page]:
    """Open a page of the server, with the example and an authenticator."""
    async with chromium() as browser:
        page = await browser.new_page()
        devtools = await page.context.new_cdp_session(page)
        await devtools.send("WebAuthn.enable")
        options = {"options": AUTHENTICATOR}
        await devtools.send("WebAuthn.addVirtualAuthenticator", options)
        await page.goto(f"{server.url}/account/reset")
        await page.evaluate(f"{bundle}; window.example = example")
        await page.evaluate(OPEN)
        yield page


async def do(page: Page, call: str) -> Any:  # noqa: ANN401 — whatever it returns
    """Return what a call of the example returns, None if it returns nothing."""
    return await page.evaluate(f"async () => (await {call}) ?? null")


async def failure(page: Page, call: str) -> dict[str, Any]:
    """Return what a call of the example throws."""
    thrown: dict[str, Any] = await page.evaluate(f"() => {call}.then(() => null, {CAUGHT})")
    return thrown


async def test_example_goes_through_every_flow_of_a_passkey(page: Page, server: Server) -> None:
    register(server, EMAIL)
    by_password = f'session.signIn("{EMAIL}", "{PASSWORD}")'
    assert await do(page, "example.passkeys.arePossible()") is True
    await do(page, by_password)
    assert len(await do(page, 'example.passkeys.register(session, "Laptop")')) == 10
    await do(page, "session.signOut()")

    await do(page, "example.passkeys.signIn(session)")
    await do(page, RENEW)
    age(server, EMAIL)
    refused = await failure(page, RENEW)
    assert (refused["name"], refused["methods"]) == ("ProofRequired", ["RECOVERY_CODE", "PASSKEY"])
    await do(page, "example.passkeys.prove(session)")
    assert len((await do(page, RENEW))["renewRecoveryCodes"]["codes"]) == 10
    await do(page, "session.signOut()")

    waits = await failure(page, by_password)
    assert waits == {
        "name": "Refused",
        "codes": ["SECOND_FACTOR_REQUIRED"],
        "methods": ["RECOVERY_CODE", "PASSKEY"],
    }
    verify = "error => example.passkeys.verify(session, error.secondFactor)"
    await do(page, f"{by_password}.catch({verify})")
    await do(page, RENEW)


async def test_session_of_the_example_refreshes_what_has_expired(
    page: Page, server: Server
) -> None:
    held = expired(signed_in(server))
    await page.evaluate("tokens => (window.held = tokens)", held)
    data = await do(page, "session.run(example.SecondFactorsDocument, {})")
    assert data == {"me": {"secondFactors": [], "recoveryCodesLeft": 0}}
    assert await do(page, "held.token") != held["token"]


async def test_session_of_the_example_says_what_else_is_wrong(page: Page) -> None:
    run = "session.run(example.SecondFactorsDocument, {})"
    assert (await failure(page, run))["name"] == "SignedOut"
    await page.evaluate("window.held = {token: 'no.good.token', refreshToken: '', expiresAt: null}")
    assert (await failure(page, run))["name"] == "Error"


async def test_example_says_that_a_page_by_an_address_has_no_passkeys(
    page: Page, server: Server, bundle: str
) -> None:
    await page.goto(f"http://127.0.0.1:{server.port}/account/reset")
    await page.evaluate(f"{bundle}; window.example = example")
    assert await do(page, "example.passkeys.arePossible()") is False
