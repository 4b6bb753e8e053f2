"""The door: GraphQL over HTTP, and the bearer token of who knocks.

It follows the GraphQL-over-HTTP draft: POST of application/json, and the status by the
media type that the client accepts. GET serves the playground and nothing else.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from types import NoneType
from typing import Final
from uuid import UUID

import orjson
from graphql import ExecutionResult
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from gql_app.accounts.audit import Action, Origin
from gql_app.errors import (
    TokenInvalid,
    TokenMalformed,
    TokenMissing,
    Unauthenticated,
)
from gql_app.lib.engine import DEADLINE_EXCEEDED, Engine, GraphQLRequest, outcome, retry_after
from gql_app.lib.server import Disconnect
from gql_app.resources import Resources
from gql_app.schema.context import Context
from gql_app.security.tokens import MAX_TOKEN_BYTES, Claims
from gql_app.web.bodies import Bodies
from gql_app.web.playground import Playground, wants_page

JSON: Final = "application/json"
GRAPHQL: Final = "application/graphql-response+json"
UNAUTHORIZED: Final = 401
SCHEME_AND_TOKEN: Final = 2
_STRING, _OBJECT = (str, NoneType), (dict, NoneType)
"""What may be left out or null; to write `str | None` where it is asked makes it each time."""
_Headers = dict[bytes, list[bytes]]


class Door:
    """Lets requests in, and answers out."""

    def __init__(
        self, engine: Engine[Context], playground: Playground | None, *, max_body_bytes: int
    ) -> None:
        self._engine = engine
        self._playground = playground
        self._bodies = Bodies(max_body_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Raises HTTPException for one that is no GraphQL request."""
        if scope["method"] != "POST":
            await self._show(scope, receive, send)
            return
        headers, state = _headers(scope), scope["state"]
        media_type = negotiate(*headers[b"accept"])
        try:
            asked = _asked(headers, await self._bodies.read(headers, receive))
        except HTTPException as why:
            why.headers = {"Content-Type": f"{media_type}; charset=utf-8"}
            raise
        context = _context(scope, headers)
        state["context"] = context
        if isinstance(context.presented, TokenInvalid | TokenMalformed):
            context.guessed(Action.TOKEN_REFUSED)
        result = await self._engine.execute(asked, context)
        state["kind"] = context.kind
        state["facts"] = context.facts(outcome(result.errors, context.refusals))
        wait = retry_after(result.errors)
        status = 503 if wait else 200 if media_type == JSON else _status(result)
        body = _write(result)
        answered = [
            (b"content-type", f"{media_type}; charset=utf-8".encode()),
            (b"content-length", str(len(body)).encode()),
        ]
        if status == UNAUTHORIZED:
            answered.append((b"www-authenticate", _challenge(context.presented)))
        if wait:
            answered.append((b"retry-after", str(wait).encode()))
        await send({"type": "http.response.start", "status": status, "headers": answered})
        await send({"type": "http.response.body", "body": body})

    async def _show(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Show the playground to a browser."""
        request = Request(scope, receive)
        if not self._playground or not wants_page(request):
            raise HTTPException(405, "Send GraphQL requests by POST", {"Allow": "POST"})
        await self._playground.page(request)(scope, receive, send)


def present(given: Sequence[bytes], resources: Resources) -> Claims | Unauthenticated:
    """Read the bearer token (RFC 6750 section 2.1): what it says, or why it is no good.

    Nothing is refused here, so a stale token never gets in the way of a public field.
    """
    if len(given) > 1:
        return TokenMalformed()
    parts = list(filter(None, given[0].replace(b"\t", b" ").split(b" "))) if given else []
    if not parts:
        return TokenMissing()
    scheme, token = parts[0].lower(), parts[-1]
    if scheme != b"bearer" or len(parts) != SCHEME_AND_TOKEN or len(token) > MAX_TOKEN_BYTES:
        return TokenMalformed()
    try:
        return resources.tokens.read(resources.keys.get(), token.decode("latin-1"))
    except Unauthenticated as why:
        return why


@lru_cache(64)
def negotiate(*accept: bytes) -> str:
    """Choose the media type of the answer (RFC 9110 section 12.5.1).

    JSON is for clients that take anything. Raises HTTPException.
    """
    parts = [part for value in accept for part in value.decode("latin-1").split(",")]
    ranges = dict(_quality(part) for part in parts if part.strip())
    if not ranges:
        return JSON
    chosen, weight = JSON, 0.0
    for media_type in (JSON, GRAPHQL):
        named = media_type in ranges
        quality = ranges.get(media_type, ranges.get("application/*", ranges.get("*/*", 0.0)))
        if quality > weight or (named and quality == weight > 0):
            chosen, weight = media_type, quality
    if not weight:
        raise HTTPException(406, f"Accept {JSON} or {GRAPHQL}")
    return chosen


def _quality(media_range: str) -> tuple[str, float]:
    name, *parameters = (part.strip() for part in media_range.lower().split(";"))
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                return name, min(max(float(value), 0.0), 1.0)
            except ValueError:
                return name, 0.0
    return name, 1.0


def _headers(scope: Scope) -> _Headers:
    """Gather each header's values; what was not sent has none."""
    headers: _Headers = defaultdict(list)
    for name, value in scope["headers"]:
        headers[name].append(value)
    return headers


def _context(scope: Scope, headers: _Headers) -> Context:
    resources: Resources = scope["state"]["resources"]
    agents = headers[b"user-agent"]
    return Context(
        resources,
        presented=present(headers[b"authorization"], resources),
        origin=Origin.of(
            scope["client"][0] if scope["client"] else None,
            agents[0].decode("latin-1") if agents else None,
        ),
        request_id=scope["state"]["request_id"],
        shield=Disconnect.of(scope).shield,
    )


@lru_cache(64)
def _is_json(content_type: bytes) -> bool:
    name, *parameters = (part.strip().lower() for part in content_type.decode("latin-1").split(";"))
    charsets = [p.partition("=")[2].strip('"') for p in parameters if p.startswith("charset=")]
    return name == JSON and all(charset in {"utf-8", "utf8"} for charset in charsets)


def _asked(headers: _Headers, body: bytes) -> GraphQLRequest:
    """Read what is asked for. Raises HTTPException."""
    if any(encoding.lower() != b"identity" for encoding in headers[b"content-encoding"]):
        raise HTTPException(415, "Send the body as it is, without a content encoding")
    types = headers[b"content-type"]
    if len(types) != 1 or not _is_json(types[0]):
        raise HTTPException(415, f"Send {JSON} in UTF-8")
    try:
        return _taken_apart(orjson.loads(body))
    except orjson.JSONDecodeError:
        raise HTTPException(400, "The body is not JSON in UTF-8") from None


def _taken_apart(body: object) -> GraphQLRequest:
    if not isinstance(body, dict):
        raise HTTPException(400, "The body is not a JSON object; one request at a time")
    query, name = body.get("query"), body.get("operationName")
    variables, extensions = body.get("variables"), body.get("extensions")
    if not isinstance(query, str) or not query.strip():
        raise HTTPException(400, "query is missing, or is no string")
    if not isinstance(name, _STRING):
        raise HTTPException(400, "operationName is no string")
    if not isinstance(variables, _OBJECT):
        raise HTTPException(400, "variables is no object")
    if not isinstance(extensions, _OBJECT):
        raise HTTPException(400, "extensions is no object")
    return GraphQLRequest(query, name or None, variables or {})


def _status(result: ExecutionResult) -> int:
    """Choose the status of a graphql-response+json answer.

    400 if nothing was executed; 401 or 403 if every field was refused with it; 504 if it took
    too long, for then there is no data and the draft asks for a status of failure.
    """
    errors = result.errors or []
    if any((error.extensions or {}).get("code") == DEADLINE_EXCEEDED for error in errors):
        return 504
    if result.data is None and not any(error.path for error in errors):
        return 400
    codes = {(error.extensions or {}).get("code") for error in errors}
    refused = {error.path[0] for error in errors if error.path and len(error.path) == 1}
    if refused and refused == set(result.data or {}):
        if codes == {"UNAUTHENTICATED"}:
            return UNAUTHORIZED
        if codes == {"FORBIDDEN"}:
            return 403
    return 200


def _challenge(presented: Claims | Unauthenticated) -> bytes:
    """Challenge as RFC 6750 section 3 has it: no error code where no token came."""
    return b"Bearer" if isinstance(presented, TokenMissing) else b'Bearer error="invalid_token"'


def _write(result: ExecutionResult) -> bytes:
    answer: dict[str, object] = {}
    if result.errors:
        answer["errors"] = [error.formatted for error in result.errors]
    if result.data is not None or any(error.path for error in result.errors or []):
        answer["data"] = result.data
    return orjson.dumps(answer, _plain, orjson.OPT_UTC_Z)


def _plain(value: object) -> str:
    """Write what the database's driver has a type of its own for."""
    if isinstance(value, UUID):
        return str(value)
    raise TypeError
