"""A browser's tab in which somebody presses the links of letters."""

import json
from dataclasses import dataclass, field
from typing import Any, Final

from playwright.async_api import Locator, Page, Request, Route, expect

TOKEN: Final = "gap_of-a-letter"
Answer = dict[str, Any]


@dataclass
class Visit:
    """One tab, which remembers what it asked for and complained of."""

    page: Page
    url: str
    requests: list[Request] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    answers: dict[str, Answer | None] = field(default_factory=dict)
    """What is answered instead of the server, by the last part of a path; None is nothing."""

    def __post_init__(self) -> None:
        """Take down requests and complaints."""
        self.page.on("request", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda line: self.complaints.append(line.text))

    async def open(self, name: str, token: str | None = TOKEN) -> None:
        """Press a letter's link to a page, or open the page without one."""
        fragment = "" if token is None else f"#token={token}"
        await self.follow(f"{self.url}/account/{name}{fragment}")

    async def follow(self, link: str) -> None:
        """Press a link in a program of letters, which opens it anew."""
        await self.page.goto("about:blank")
        await self.page.goto(link)
        await expect(self.page.locator("[data-view]:not([hidden])")).to_have_count(1)
        await expect(self.page.get_by_text("One moment")).to_be_hidden()

    async def play(self, name: str, answer: Answer | None) -> None:
        """Have the last part of a path answered by this from now on, instead of by the server."""
        if name not in self.answers:
            await self.page.route(f"**/{name}", self._answer)
        self.answers[name] = answer

    async def press(self, name: str) -> None:
        """Click a button."""
        await self.button(name).click()

    async def heading(self, words: str) -> None:
        """Wait until the page is about this, which the focus is on, and its title says."""
        heading = self.page.get_by_role("heading", level=1)
        await expect(heading).to_have_text(words)
        await expect(self.page).to_have_title(words)
        await expect(self.page.get_by_role("heading")).to_have_count(1)

    async def arrived(self, words: str) -> None:
        """Wait until the page is about this after a press: then a screen reader is told."""
        await self.heading(words)
        await expect(self.page.get_by_role("heading")).to_be_focused()

    def button(self, name: str) -> Locator:
        """Return where a button is."""
        return self.page.get_by_role("button", name=name, exact=True)

    def password(self) -> Locator:
        """Return where the field of the password is."""
        return self.page.locator("input:visible")

    def field(self, label: str) -> Locator:
        """Return where a field of the view is that is shown."""
        return self.page.locator("[data-view]:visible").get_by_label(label, exact=True)

    def alert(self) -> Locator:
        """Return where it is said what went wrong."""
        return self.page.get_by_role("alert")

    def sent(self) -> list[Answer]:
        """Return what was posted so far."""
        posted = [request for request in self.requests if request.method == "POST"]
        return [json.loads(request.post_data or "{}") for request in posted]

    async def entries(self) -> list[str]:
        """Return the addresses that the tab's history has."""
        session = await self.page.context.new_cdp_session(self.page)
        history = await session.send("Page.getNavigationHistory")
        return [entry["url"] for entry in history["entries"]]

    async def stored(self) -> dict[str, dict[str, str]]:
        """Read both storages of the browser."""
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
    """Return one thing that is wrong."""
    return {"code": code, "field": field, "message": message}


def link(kind: str) -> Answer:
    """Return what a link is about."""
    return {"body": {"kind": kind, "madeAt": "2026-11-30T12:00:00Z"}}
