"""A browser's tab with the playground in it, and what somebody does there."""

import json
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Self

from playwright.async_api import BrowserContext, Locator, Page, Request, expect

MODEL: Final = """
const model = (name) => globalThis.__MONACO?.editor.getModels()
  .find((each) => each.uri.path.endsWith(name));
"""
"""GraphiQL leaves the editor at hand under this name; each pane's text is a model of it."""
WATCH: Final = """
globalThis.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  violations.push(`${event.violatedDirective} ${event.blockedURI}`));
"""


@dataclass
class Tab:
    """One tab, which remembers what it asked for and complained of."""

    page: Page
    url: str
    requests: list[Request] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @property
    def bar(self) -> Locator:
        """Return where the bar is."""
        return self.page.get_by_role("banner", name="Signing in")

    @classmethod
    @asynccontextmanager
    async def opened(cls, context: BrowserContext, url: str) -> AsyncIterator[Self]:
        """Open the playground in a new tab, and close all tabs when the block ends."""
        tab = cls(await context.new_page(), f"{url}/graphql")
        tab.watch()
        await tab.page.goto(tab.url)
        await tab.ready()
        try:
            yield tab
        finally:
            for page in context.pages:
                await page.close()

    def watch(self) -> None:
        """Take down requests and complaints from now on."""
        self.page.on("request", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "console",
            lambda line: (
                self.complaints.append(line.text) if line.type in {"error", "warning"} else None
            ),
        )

    async def ready(self) -> None:
        """Wait until the editor is there, and has read the schema."""
        await expect(
            self.page.get_by_label("Operation Editor").locator(".view-line").first
        ).to_be_visible()
        await expect(
            self.page.get_by_role("button", name="Re-fetch GraphQL schema")
        ).to_be_enabled()

    async def twin(self) -> "Tab":
        """Duplicate the tab, its session storage with it, as a browser's menu does."""
        async with self.page.expect_popup() as opened:
            await self.page.evaluate("void window.open(location.href)")
        twin = Tab(await opened.value, self.url)
        twin.watch()
        await twin.ready()
        return twin

    def field(self, label: str) -> Locator:
        """Return where a field of the bar is."""
        return self.bar.get_by_label(label, exact=True)

    def button(self, name: str) -> Locator:
        """Return where a button is, by its name up to the key that stands for it."""
        return self.page.get_by_role("button", name=re.compile(rf"^{re.escape(name)}( \(.*)?$"))

    async def sign_in(self, email: str, password: str) -> None:
        """Sign in by the bar, as far as the button."""
        await self.field("E-mail").fill(email)
        await self.field("Password").fill(password)
        await self.button("Sign in").click()

    async def signed_in(self, name: str) -> None:
        """Wait until the bar says who is signed in."""
        await expect(self.page.get_by_text(f"Signed in: {name}")).to_be_visible()

    async def signed_out(self) -> None:
        """Wait until the bar says that nobody is signed in."""
        await expect(self.field("E-mail")).to_be_visible()

    async def notice(self, words: str) -> None:
        """Wait until the bar says something about a refusal."""
        await expect(self.bar.get_by_role("alert")).to_contain_text(words)

    async def no_notice(self) -> None:
        """Wait until the bar says nothing about refusals."""
        await expect(self.bar.get_by_role("alert")).to_be_empty()

    async def write(self, pane: str, text: str) -> None:
        """Replace what a pane holds: operation.graphql, variables.json or request-headers.json."""
        await self.page.wait_for_function(f"() => {{ {MODEL} return model('{pane}') }}")
        await self.page.evaluate(f"(text) => {{ {MODEL} model('{pane}').setValue(text) }}", text)

    async def read(self, pane: str) -> str:
        """Read what a pane holds."""
        text: str = await self.page.evaluate(
            f"() => {{ {MODEL} return model('{pane}').getValue() }}"
        )
        return text

    async def run(self, operation: str | None = None) -> str:
        """Run what the editor holds, or one operation of it, and return what is answered."""
        execute = self.page.get_by_role("button", name="Execute query")
        if operation is None:  # the button is a menu until the editor has read what was written
            await expect(execute).not_to_have_attribute("aria-haspopup", "menu")
        async with self.page.expect_response(lambda response: response.request.method == "POST"):
            await execute.click()
            if operation is not None:
                await self.page.get_by_role("menuitem", name=operation, exact=True).click()
        return await self.answer()

    async def run_text(self, text: str) -> str:
        """Run a text, of one operation, and return what is answered."""
        await self.write("operation.graphql", text)
        return await self.run()

    async def answer(self) -> str:
        """Wait for what is answered."""
        answered = f"() => {{ {MODEL} return model('response.json')?.getValue() }}"
        text: str = await (await self.page.wait_for_function(answered)).json_value()
        return text

    def sent(self) -> list[dict[str, Any]]:
        """Return what was posted so far."""
        posted = [request for request in self.requests if request.method == "POST"]
        return [json.loads(request.post_data or "{}") for request in posted]

    async def stored(self) -> dict[str, dict[str, str]]:
        """Read both storages of the browser."""
        found: dict[str, dict[str, str]] = await self.page.evaluate(
            "() => ({ local: { ...localStorage }, session: { ...sessionStorage } })"
        )
        return found

    async def held(self) -> dict[str, Any]:
        """Read the tokens out of the tab's session storage."""
        held: dict[str, Any] = await self.page.evaluate(
            "() => JSON.parse(sessionStorage.getItem('gql_app:session') ?? '{}')"
        )
        return held

    def _note(self, request: Request) -> None:
        self.requests.append(request)


def origins(requests: Iterable[Request]) -> set[str]:
    """Name whom requests went to."""
    return {"/".join(request.url.split("/")[:3]) for request in requests}
