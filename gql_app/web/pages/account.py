"""Pages that the links in letters lead to: static files, which a browser runs as they are."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gql_app.lib.clock import rfc3339
from gql_app.lib.faults import Unavailable
from gql_app.lib.graphql_http import headers_of, media_type_of, read_body, read_manifest
from gql_app.mail import email_verification
from gql_app.schema.context import Context
from gql_app.schema.mail.links import find_by_token
from gql_app.security.tokens import VERIFY
from gql_app.settings import Settings
from gql_app.web.graphql import PATH, open_context
from gql_app.web.introspection import TIMEOUT
from gql_app.web.responses import JsonResponse, revalidated

FOLDER: Final = Path(__file__).parents[1] / "account"
PAGES: Final = {
    "accept": "Welcome",
    "reset": "Choose a new password",
    "security": "Your second factors",
    "sign-in": "Sign in",
    "undo": "Undo the change of your address",
    "verify": "Confirm your address",
}
"""The titles of the pages, by their names."""
PARTS: Final = ("email", "missing", "second")
"""The parts that several pages share, a file each."""
JSON: Final = "application/json"
MAX_BODY_BYTES: Final = 1024
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""The Content-Security-Policy of a page: its own files only, and no HTML made by scripts."""
MEDIA_TYPES: Final = {
    "account.css": "text/css",
    "account.js": "text/javascript",
    "icon.svg": "image/svg+xml",
    "operations.json": "application/json",
    "page.js": "text/javascript",
    "proofs.js": "text/javascript",
    "security.js": "text/javascript",
}
PATHS: Final = tuple(f"/account/{name}" for name in ("link", *PAGES, *MEDIA_TYPES))
"""The paths that are served here; the rest of /account is free for features."""


def routes(settings: Settings) -> Sequence[Route]:
    """Return the routes of the pages and of their files, which are read now.

    The pages show the product's name, link to the home URL, empty if there is none, and offer only
    what this server has.
    """
    found = [Route("/account/link", describe, methods=["POST"])]
    playground = f"..{PATH}" if settings.playground else ""
    filled = {
        "{home}": settings.home_url or playground,
        "{offered}": _offered(settings),
        "{product}": settings.product_name,
    }
    headers = {"Content-Security-Policy": POLICY}
    for name, title in PAGES.items():
        page = _page(name)
        script = f"{name}.js" if f"{name}.js" in MEDIA_TYPES else "account.js"
        for place, text in {**filled, "{title}": title, "{script}": script}.items():
            page = page.replace(place, escape(text))
        found.append(Route(f"/account/{name}", _static(page.encode(), "text/html", headers)))
    for name, media_type in MEDIA_TYPES.items():
        content = (FOLDER / name).read_bytes()
        found.append(Route(f"/account/{name}", _static(content, media_type, {})))
    return found


def _offered(settings: Settings) -> str:
    """Return the names of what the pages may offer on this server."""
    has = {
        "passkeys": settings.passkey_domain,
        "passwordReset": settings.sends_mail,
        "verification": settings.sends_mail and settings.verification != "off",
        "signInLinks": settings.sign_in_links,
    }
    return " ".join(name for name, value in has.items() if value)


def _page(name: str) -> str:
    """Return a page: its views in the common frame, with each part in place of its comment."""
    page = (FOLDER / "parts/page.html").read_text(encoding="utf-8")
    page = page.replace("<!-- views -->", (FOLDER / f"{name}.html").read_text(encoding="utf-8"))
    for part in PARTS:
        text = (FOLDER / f"parts/{part}.html").read_text(encoding="utf-8")
        page = page.replace(f"<!-- {part} -->", text)
    return page


async def describe(request: Request) -> Response:
    """Answer the kind and time of a link that proves an address, without using it up.

    Guesses are counted. Raises Rejected if the link is not valid, Unavailable, and HTTPException
    unless the body is JSON with one token.
    """
    token, no_headers = await _token_of_json(request), headers_of({"headers": ()})
    context = await open_context(request.scope, no_headers, Context)
    try:
        async with asyncio.timeout(TIMEOUT):
            link = await find_by_token(context, VERIFY, token, email_verification.described)
    except TimeoutError:
        raise Unavailable from None
    return JsonResponse({"kind": link.kind, "madeAt": rfc3339(link.made_at)})


def documents() -> Collection[str]:
    """Return the documents that the pages send, which every server executes."""
    return read_manifest(FOLDER / "operations.json").values()


def _static(
    content: bytes, media_type: str, headers: Mapping[str, str]
) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint of static content."""
    # A file keeps its name when it changes, so that a browser has to revalidate it each time.
    headers = {**headers, "Cache-Control": "no-cache"}

    async def answer(request: Request) -> Response:
        return revalidated(request, content, media_type, headers)

    return answer


async def _token_of_json(request: Request) -> str:
    """Return the token of a request. Raises HTTPException."""
    headers = headers_of(request.scope)
    if media_type_of(headers) != JSON:
        raise HTTPException(415, "Send application/json with the token as token")
    body = await read_body(headers, request.receive, MAX_BODY_BYTES)
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError):
        sent = None
    token = sent.get("token") if isinstance(sent, dict) else None
    if not isinstance(token, str):
        raise HTTPException(400, "Send one token as token")
    return token
