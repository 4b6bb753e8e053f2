"""A page of another origin, in a real browser: what it may send, and what it is told otherwise."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Final

import pytest
from playwright.async_api import BrowserContext, ConsoleMessage, Error, Page

from tests.processes import Server

pytestmark = pytest.mark.xdist_group("chromium")

PAGE: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<title>App</title>"
)
ASK: Final = """
async ([url, headers]) => {
  const body = JSON.stringify({query: "{ __schema { types { name fields { name } } } }"});
  const answer = await fetch(url, {
    method: "POST", body, headers: {"Content-Type": "application/json", ...headers}
  });
  return [answer.headers.get("x-request-id"), (await answer.json()).data.__schema.types.length];
}
"""
SEND: Final = """
async ([url, size]) => {
  const headers = {"Content-Type": "application/json"};
  const answer = await fetch(url, {method: "POST", body: "a".repeat(size), headers});
  return [answer.status, answer.headers.get("x-request-id"), await answer.json()];
}
"""


@pytest.fixture
async def page(context: BrowserContext) -> AsyncIterator[Page]:
    """Open a page that a server of its own serves, as a tool for developers does."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(PAGE)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1") as server:
        page = await context.new_page()
        await page.goto(f"http://localhost:{server.sockets[0].getsockname()[1]}/")
        yield page
        await page.close()


async def ask(page: Page, server: Server, **headers: str) -> Any:  # noqa: ANN401 — as JavaScript has it
    """Ask the demo from the page."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await page.evaluate(ASK, [f"{server.url}/graphql", sent])


async def test_page_of_this_machine_may_ask_the_demo_as_clients_do(
    page: Page, demo: Server
) -> None:
    request_id, types = await ask(
        page,
        demo,
        authorization="Bearer none",
        apollographql_client_name="web",
        traceparent="00-80e1afed08e019fc1110464cfa66635c-7a085853722dc6d2-01",
        sentry_trace="80e1afed08e019fc1110464cfa66635c-7a085853722dc6d2-1",
    )
    assert request_id
    assert types > 20


async def test_page_reads_why_its_body_is_refused(page: Page, demo: Server) -> None:
    for size in (300_000, 10_000_000):  # the latter by the server, before the application
        status, request_id, answer = await page.evaluate(SEND, [f"{demo.url}/graphql", size])
        assert (status, answer["errors"][0]["extensions"]["code"]) == (413, "BAD_USER_INPUT")
        assert request_id


async def test_browser_names_the_header_that_is_not_allowed(page: Page, demo: Server) -> None:
    async with page.expect_console_message(lambda line: "CORS" in line.text) as told:
        with pytest.raises(Error, match="Failed to fetch"):
            await ask(page, demo, traceparent="00", x_tenant="one")
    line: ConsoleMessage = await told.value
    assert "Request header field x-tenant is not allowed" in line.text
