"""Passkeys in a real browser, whose authenticator has no hardware: every flow, by the API."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import pytest
from playwright.async_api import BrowserContext, CDPSession, Page

from tests.people import PASSWORD
from tests.processes import Server, serving

pytestmark = pytest.mark.xdist_group("chromium")

EMAIL: Final = "ada@example.com"
AUTHENTICATOR: Final = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
ASK: Final = """
async ([query, variables, token]) => {
  const headers = {"Content-Type": "application/json"};
  if (token) headers.Authorization = `Bearer ${token}`;
  const body = JSON.stringify({query, variables});
  return await (await fetch("/graphql", {method: "POST", headers, body})).json();
}
"""
CREATE: Final = """
async (options) => {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
  return (await navigator.credentials.create({publicKey})).toJSON();
}
"""
GET: Final = """
async (options) => {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  return (await navigator.credentials.get({publicKey})).toJSON();
}
"""
SIGNED_IN: Final = """status message token secondFactor { challenge methods passkeyOptions }
  errors { code } customer { email secondFactors { method name } }"""
REGISTER: Final = f"""mutation Register($email: String!, $password: String!) {{
  register(input: {{name: "Ada", email: $email, password: $password}}) {{ {SIGNED_IN} }}
}}"""
LOGIN: Final = f"""mutation Login($email: String!, $password: String!) {{
  login(email: $email, password: $password) {{ {SIGNED_IN} }}
}}"""
BEGIN: Final = "mutation { beginPasskey { status errors { code } options } }"
CONFIRM: Final = """mutation Confirm($credential: JSON!) {
  confirmPasskey(credential: $credential, name: "Laptop") { status errors { code } codes }
}"""
BEGIN_SIGN_IN: Final = "mutation { beginPasskeySignIn { status options } }"
ALONE: Final = f"""mutation Alone($credential: JSON!) {{
  signInWithPasskey(credential: $credential) {{ {SIGNED_IN} }}
}}"""
VERIFY: Final = f"""mutation Verify($challenge: String!, $passkey: JSON!) {{
  verifySecondFactor(challenge: $challenge, passkey: $passkey) {{ {SIGNED_IN} }}
}}"""
AGAIN: Final = """mutation Again($passkey: JSON!) {
  reauthenticate(passkey: $passkey) { status errors { code } }
}"""
METHODS: Final = "{ me { sessions { isCurrent methods } } }"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve on this machine, as it is set without a setting."""
    with serving(folder=tmp_path_factory.mktemp("passkeys")) as server:
        yield server


class Visitor:
    """A page of the server, and the authenticator of its browser."""

    def __init__(self, page: Page, devtools: CDPSession, authenticator: str) -> None:
        self.page = page
        self._devtools = devtools
        self._authenticator = authenticator

    async def ask(
        self, query: str, token: str | None = None, **variables: object
    ) -> dict[str, Any]:
        """Ask the API, and return the one root field."""
        answer = await self.page.evaluate(ASK, [query, variables, token])
        assert "errors" not in answer, answer["errors"]
        [field] = answer["data"].values()
        assert isinstance(field, dict)
        return field

    async def found(self, options: object) -> Any:  # noqa: ANN401 — as the browser has it
        """Return the credential that the browser finds."""
        return await self.page.evaluate(GET, options)

    async def methods(self, token: str) -> list[str]:
        """Return how a session was proven."""
        sessions = (await self.ask(METHODS, token))["sessions"]
        [methods] = [each["methods"] for each in sessions if each["isCurrent"]]
        return list(methods)

    async def credentials(self) -> list[dict[str, Any]]:
        """Return what the authenticator has kept."""
        its = {"authenticatorId": self._authenticator}
        kept = await self._devtools.send("WebAuthn.getCredentials", its)
        return list(kept["credentials"])

    async def verify_nobody(self) -> None:
        """Have the authenticator know no longer who uses it."""
        its = {"authenticatorId": self._authenticator, "isUserVerified": False}
        await self._devtools.send("WebAuthn.setUserVerified", its)


@pytest.fixture
async def visitor(context: BrowserContext, server: Server) -> AsyncIterator[Visitor]:
    """Open a page of the server in a browser with an authenticator."""
    page = await context.new_page()
    devtools = await context.new_cdp_session(page)
    await devtools.send("WebAuthn.enable")
    added = await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    await page.goto(f"{server.url}/account/reset")
    yield Visitor(page, devtools, added["authenticatorId"])
    await page.close()


async def signed_up(visitor: Visitor, email: str) -> str:
    """Register somebody with a passkey, and return the token of the session that set it up."""
    token: str = (await visitor.ask(REGISTER, email=email, password=PASSWORD))["token"]
    begun = await visitor.ask(BEGIN, token)
    credential = await visitor.page.evaluate(CREATE, begun["options"])
    done = await visitor.ask(CONFIRM, token, credential=credential)
    assert (done["status"], done["errors"], len(done["codes"])) == ("SUCCESS", [], 10)
    return token


async def test_browser_goes_through_every_flow(visitor: Visitor) -> None:
    token = await signed_up(visitor, EMAIL)
    assert await visitor.methods(token) == ["pwd", "pop", "user", "mfa"]
    [kept] = await visitor.credentials()
    assert (kept["rpId"], kept["userName"], kept["isResidentCredential"]) == (
        "localhost",
        EMAIL,
        True,
    )

    begun = await visitor.ask(BEGIN_SIGN_IN)
    alone = await visitor.ask(ALONE, credential=await visitor.found(begun["options"]))
    assert alone["errors"] == []
    assert alone["customer"] == {
        "email": EMAIL,
        "secondFactors": [{"method": "PASSKEY", "name": "Laptop"}],
    }
    assert await visitor.methods(alone["token"]) == ["pop", "user"]

    waits = await visitor.ask(LOGIN, email=EMAIL, password=PASSWORD)
    assert waits["errors"] == [{"code": "SECOND_FACTOR_REQUIRED"}]
    factor = waits["secondFactor"]
    found = await visitor.found(factor["passkeyOptions"])
    done = await visitor.ask(VERIFY, challenge=factor["challenge"], passkey=found)
    assert (done["errors"], done["customer"]["email"]) == ([], EMAIL)
    assert await visitor.methods(done["token"]) == ["pwd", "pop", "user", "mfa"]

    begun = await visitor.ask(BEGIN_SIGN_IN)
    again = await visitor.ask(AGAIN, token, passkey=await visitor.found(begun["options"]))
    assert again == {"status": "SUCCESS", "errors": []}
    [kept] = await visitor.credentials()
    assert kept["signCount"] >= 3


async def test_browser_makes_no_second_passkey_of_a_device(visitor: Visitor) -> None:
    token = await signed_up(visitor, "bob@example.com")
    begun = await visitor.ask(BEGIN, token)
    refused = await visitor.page.evaluate(
        f"options => ({CREATE})(options).catch(error => error.name)", begun["options"]
    )
    assert refused == "InvalidStateError"


async def test_device_that_verifies_nobody_is_a_second_factor_alone(visitor: Visitor) -> None:
    await signed_up(visitor, "eve@example.com")
    await visitor.verify_nobody()
    waits = await visitor.ask(LOGIN, email="eve@example.com", password=PASSWORD)
    factor = waits["secondFactor"]
    options = {**factor["passkeyOptions"], "userVerification": "discouraged"}
    given = {"challenge": factor["challenge"], "passkey": await visitor.found(options)}
    done = await visitor.ask(VERIFY, **given)
    assert await visitor.methods(done["token"]) == ["pwd", "pop", "mfa"]
    begun = await visitor.ask(BEGIN_SIGN_IN)
    lax = {**begun["options"], "userVerification": "discouraged"}
    alone = await visitor.ask(ALONE, credential=await visitor.found(lax))
    assert (alone["token"], alone["errors"]) == (None, [{"code": "INVALID_PASSKEY"}])


async def test_page_by_an_address_can_have_no_passkey(
    visitor: Visitor, context: BrowserContext, server: Server
) -> None:
    begun = await visitor.ask(BEGIN_SIGN_IN)
    page = await context.new_page()
    await page.goto(f"http://127.0.0.1:{server.port}/account/reset")
    refused = await page.evaluate(
        f"options => ({GET})(options).catch(error => error.name)", begun["options"]
    )
    assert refused == "SecurityError"
    await page.close()
