"""A browser tab that opens the links of letters."""

import json
from dataclasses import dataclass, field
from typing import Any, Final

from playwright.async_api import Locator, Page, Request, Route, expect

from gql_app.cli.samples import SIGN_INS, SignIn

TOKEN: Final = "gap_of-a-letter"
Answer = dict[str, Any]


@dataclass
class Visit:
    """One tab, with its requests and console errors."""

    page: Page
    url: str
    person: SignIn = SIGN_INS[1]
    """Who signs in on the page."""
    requests: list[Request] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    answers: dict[str, Answer | None] = field(default_factory=dict)
    """Answers instead of the server's, by the last part of a path; None for a failed request."""

    def __post_init__(self) -> None:
        """Record requests and console errors."""
        self.page.on("request", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda line: self.complaints.append(line.text))

    async def open(self, name: str, token: str | None = TOKEN) -> None:
        """Open a page by a letter's link, or without a token."""
        fragment = "" if token is None else f"#token={token}"
        await self.follow(f"{self.url}/account/{name}{fragment}")

    async def follow(self, link: str) -> None:
        """Open a link as a mail program does, in a new page."""
        await self.page.goto("about:blank")
        await self.page.goto(link)
        await expect(self.page.locator("[data-view]:not([hidden])")).to_have_count(1)
        await expect(self.page.get_by_text("One moment")).to_be_hidden()

    async def play(self, name: str, answer: Answer | None) -> None:
        """Set the answer to a path, by its last part, instead of the server's."""
        if name not in self.answers:
            await self.page.route(f"**/{name}", self._answer)
        self.answers[name] = answer

    async def press(self, name: str) -> None:
        """Click a button."""
        await self.button(name).click()

    async def heading(self, words: str) -> None:
        """Wait for a view that is loaded, whose heading must be the page's title, too."""
        await expect(self.page.locator("[data-view=loading]")).to_be_hidden()
        heading = self.page.get_by_role("heading", level=1)
        await expect(heading).to_have_text(words)
        await expect(self.page).to_have_title(words)
        await expect(self.page.get_by_role("heading")).to_have_count(1)

    async def arrived(self, words: str) -> None:
        """Wait for the heading after a press, which must be announced to screen readers."""
        await self.heading(words)
        await expect(self.page.get_by_role("heading")).to_be_focused()

    def button(self, name: str) -> Locator:
        """Return the locator of a button."""
        return self.page.get_by_role("button", name=name, exact=True)

    def password(self) -> Locator:
        """Return the locator of the password field."""
        return self.page.locator("input:visible")

    def field(self, label: str) -> Locator:
        """Return the locator of a field of the visible view."""
        return self.page.locator("[data-view]:visible").get_by_label(label, exact=True)

    def alert(self) -> Locator:
        """Return the locator of the error message."""
        return self.page.get_by_role("alert")

    def sent(self) -> list[Answer]:
        """Return the bodies that were posted so far."""
        posted = [request for request in self.requests if request.method == "POST"]
        return [json.loads(request.post_data or "{}") for request in posted]

    async def entries(self) -> list[str]:
        """Return the URLs in the tab's history."""
        session = await self.page.context.new_cdp_session(self.page)
        history = await session.send("Page.getNavigationHistory")
        return [entry["url"] for entry in history["entries"]]

    async def stored(self) -> dict[str, dict[str, str]]:
        """Return the contents of localStorage and sessionStorage."""
        found: dict[str, dict[str, str]] = await self.page.evaluate(
            "() => ({ local: { ...localStorage }, session: { ...sessionStorage } })"
        )
        return found

    def _note(self, request: Request) -> None:
        self.requests.append(request)

    async def _answer(self, route: Route) -> None:
        answer = self.answers[route.request.url.rpartition("/")[2]]
        if answer is None:
            await route.abort()
        else:
            await route.fulfill(status=answer.get("status", 200), json=answer["body"])


def payload(name: str, message: str = "It is done.", *faults: Answer, **more: object) -> Answer:
    """Return a mocked answer to a mutation: a success if there are no faults."""
    status = "ERROR" if faults else "SUCCESS"
    told = {"status": status, "message": message, "errors": faults, "retryAfter": None, **more}
    return {"body": {"data": {name: told}}}


def fault(code: str, message: str, field: str | None = None) -> Answer:
    """Return one error of a payload."""
    return {"code": code, "field": field, "message": message}


def link(kind: str) -> Answer:
    """Return the answer that describes a link."""
    return {"body": {"kind": kind, "madeAt": "2026-11-30T12:00:00Z"}}
