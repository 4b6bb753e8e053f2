"""Token introspection (RFC 7662): whether the session of an access token is active."""

import asyncio
from typing import Final
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gql_app.accounts import callers
from gql_app.accounts.audit import Action
from gql_app.errors import TokenInvalid, Unauthenticated
from gql_app.lib.database import Unavailable
from gql_app.lib.graphql_http import headers_of, media_type_of, read_body
from gql_app.resources import Resources
from gql_app.security.tokens import MAX_TOKEN_BYTES, read_token
from gql_app.web.responses import JsonResponse, refusal

FORM: Final = "application/x-www-form-urlencoded"
MAX_FORM_BYTES: Final = MAX_TOKEN_BYTES + 1024
TIMEOUT: Final = 5
"""Seconds to wait for the database."""


async def introspect(request: Request) -> Response:
    """Answer whether a token is genuine, of one of the API's audiences, and its session active.

    A session that may only set up a second factor counts as inactive. The token itself is the
    only credential needed: beyond its claims, the answer only tells that. Raises HTTPException
    unless the body is a form with one token.
    """
    token, resources = await _token_of_form(request), request.state.resources
    try:
        async with asyncio.timeout(TIMEOUT):
            answer = await _introspection(resources, token)
    except (TimeoutError, Unavailable):
        wait = {"Retry-After": str(Unavailable.wait)}
        return refusal(503, Unavailable.advice, headers=wait)
    except Unauthenticated as why:
        if isinstance(why, TokenInvalid):
            resources.guesses.note(Action.TOKEN_REFUSED, request.state.origin)
        answer = {"active": False}
    return JsonResponse(answer, headers={"Cache-Control": "no-store"})


async def _introspection(resources: Resources, token: str) -> dict[str, object]:
    """Return the answer of RFC 7662 section 2.2. Raises Unauthenticated, Unavailable."""
    issuer, audiences = resources.issuer, resources.audiences
    claims, payload = read_token(resources.keys.get(), issuer, token, audiences)
    me = await callers.find(resources.database, claims)
    if me is None or resources.proofs.must_enrol(me.customer):
        return {"active": False}
    names = ("iss", "aud", "sub", "sid", "iat", "exp", "jti")
    return {"active": True, "token_type": "Bearer", **{name: payload[name] for name in names}}


async def _token_of_form(request: Request) -> str:
    """Return the token of a form. Raises HTTPException."""
    headers = headers_of(request.scope)
    if media_type_of(headers) != FORM:
        raise HTTPException(415, "Send a form (x-www-form-urlencoded) with the token as token")
    body = await read_body(headers, request.receive, MAX_FORM_BYTES)
    try:
        tokens = parse_qs(body.decode("ascii"), max_num_fields=10).get("token", [])
    except ValueError:
        tokens = []
    if len(tokens) != 1:
        raise HTTPException(400, "Send one token as token")
    return tokens[0]
