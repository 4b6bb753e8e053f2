"""A browser tab with the playground, and a user's actions there."""

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
"""Finds the model of a pane's text in the editor, which GraphiQL exposes by a global name."""
WATCH: Final = """
globalThis.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  violations.push(`${event.violatedDirective} ${event.blockedURI}`));
"""


@dataclass
class Tab:
    """One tab, with its requests and console errors."""

    page: Page
    url: str
    requests: list[Request] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @property
    def bar(self) -> Locator:
        """Return the locator of the bar."""
        return self.page.get_by_role("banner", name="Signing in")

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, context: BrowserContext, url: str, page: Page | None = None
    ) -> AsyncIterator[Self]:
        """Open the playground in a new tab or a given one, and close new tabs at the end."""
        before = context.pages
        tab = cls(page or await context.new_page(), f"{url}/graphql")
        tab.watch()
        try:
            await tab.page.goto(tab.url)
            await tab.ready()
            yield tab
        finally:
            for each in context.pages:
                if each not in before:
                    await each.close()

    @classmethod
    @asynccontextmanager
    async def reopened(cls, page: Page, url: str) -> AsyncIterator[Self]:
        """Open the playground in a tab whose process is warm, and undo all at the end."""
        size = page.viewport_size
        assert size is not None
        try:
            async with cls.opened(page.context, url, page) as tab:
                yield tab
        finally:
            await page.unroute_all()
            await page.emulate_media(color_scheme="light", forced_colors="none")
            await page.set_viewport_size(size)
            await page.goto(f"{url}/livez")  # where nothing stores anything more
            await page.evaluate("sessionStorage.clear()")

    def watch(self) -> None:
        """Record requests and console errors from now on."""
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
        """Return the locator of a field in the bar."""
        return self.bar.get_by_label(label, exact=True)

    def button(self, name: str) -> Locator:
        """Return the locator of a button, by its name without the keyboard shortcut."""
        return self.page.get_by_role("button", name=re.compile(rf"^{re.escape(name)}( \(.*)?$"))

    async def sign_in(self, email: str, password: str) -> None:
        """Fill in the bar's sign-in form, and press the button."""
        await self.field("E-mail").fill(email)
        await self.field("Password").fill(password)
        await self.button("Sign in").click()

    async def signed_in(self, name: str) -> None:
        """Wait until the bar shows the signed-in user."""
        await expect(self.page.get_by_text(f"Signed in: {name}")).to_be_visible()

    async def signed_out(self) -> None:
        """Wait until the bar shows the sign-in form."""
        await expect(self.field("E-mail")).to_be_visible()

    async def notice(self, words: str) -> None:
        """Wait until the bar shows an error message."""
        await expect(self.bar.get_by_role("alert")).to_contain_text(words)

    async def no_notice(self) -> None:
        """Wait until the bar shows no error message."""
        await expect(self.bar.get_by_role("alert")).to_be_empty()

    async def write(self, pane: str, text: str) -> None:
        """Replace the text of a pane: operation.graphql, variables.json or request-headers.json."""
        await self.page.wait_for_function(f"() => {{ {MODEL} return model('{pane}') }}")
        await self.page.evaluate(f"(text) => {{ {MODEL} model('{pane}').setValue(text) }}", text)

    async def read(self, pane: str) -> str:
        """Return the text of a pane."""
        text: str = await self.page.evaluate(
            f"() => {{ {MODEL} return model('{pane}').getValue() }}"
        )
        return text

    async def run(self, operation: str | None = None) -> str:
        """Run the editor's document, or one operation of it, and return the answer."""
        execute = self.page.get_by_role("button", name="Execute query")
        if operation is None:  # the button is a menu until the editor has parsed the document
            await expect(execute).not_to_have_attribute("aria-haspopup", "menu")
        async with self.page.expect_response(lambda response: response.request.method == "POST"):
            await execute.click()
            if operation is not None:
                await self.page.get_by_role("menuitem", name=operation, exact=True).click()
        return await self.answer()

    async def run_text(self, text: str) -> str:
        """Run a document with one operation, and return the answer."""
        await self.write("operation.graphql", text)
        return await self.run()

    async def answer(self) -> str:
        """Wait for the answer, and return it."""
        answered = f"() => {{ {MODEL} return model('response.json')?.getValue() }}"
        text: str = await (await self.page.wait_for_function(answered)).json_value()
        return text

    def sent(self) -> list[dict[str, Any]]:
        """Return the bodies that were posted so far."""
        posted = [request for request in self.requests if request.method == "POST"]
        return [json.loads(request.post_data or "{}") for request in posted]

    async def stored(self) -> dict[str, dict[str, str]]:
        """Return the contents of localStorage and sessionStorage."""
        found: dict[str, dict[str, str]] = await self.page.evaluate(
            "() => ({ local: { ...localStorage }, session: { ...sessionStorage } })"
        )
        return found

    async def held(self) -> dict[str, Any]:
        """Return the tokens in the tab's session storage."""
        held: dict[str, Any] = await self.page.evaluate(
            "() => JSON.parse(sessionStorage.getItem('gql_app:session') ?? '{}')"
        )
        return held

    def _note(self, request: Request) -> None:
        self.requests.append(request)


def origins(requests: Iterable[Request]) -> set[str]:
    """Return the origins of requests."""
    return {"/".join(request.url.split("/")[:3]) for request in requests}
