"""GraphQL over HTTP, and the bearer token of its requests.

It follows the GraphQL-over-HTTP draft: POST of application/json, and the status by the
media type that the client accepts.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, TypeVar
from uuid import UUID

import orjson
from graphql import ExecutionResult, GraphQLError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from gql_app.accounts.audit import Action
from gql_app.accounts.authenticators import identify
from gql_app.errors import TokenInvalid, TokenMalformed, Unauthenticated
from gql_app.lib.engine import Engine, GraphQLRequest
from gql_app.lib.server import Disconnect
from gql_app.resources import Resources
from gql_app.schema.context import Context
from gql_app.schema.errors import DEADLINE_EXCEEDED
from gql_app.security.tokens import MAX_TOKEN_BYTES, Claims, Identity
from gql_app.web.responses import refusal

JSON: Final = "application/json"
GRAPHQL: Final = "application/graphql-response+json"
UNAUTHORIZED: Final = 401
_LENGTH_DIGITS: Final = 19
"""Digits of Content-Length that are read: more of them are too large, whatever they say."""
C = TypeVar("C", bound=Context)
Headers = dict[bytes, list[bytes]]


class GraphQLView:
    """Answers POST /graphql, and leaves every other request to the router behind it.

    Through Starlette's router `me` takes 1.09 times as long.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        engine: Engine[Context],
        max_body_bytes: int,
        context_type: type[Context] = Context,
    ) -> None:
        """Take the router, and the type of the requests' contexts."""
        self._app = app
        self._engine = engine
        self._context_type = context_type
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope.get("method") != "POST" or scope["path"] != "/graphql":
            await self._app(scope, receive, send)
            return
        headers, state, media_type = headers_of(scope), scope["state"], JSON
        try:
            media_type = negotiate(*headers[b"accept"])
            body = await read_body(headers, receive, self._max_body_bytes)
            request = parse_request(headers, body)
        except HTTPException as error:
            content_type = {"Content-Type": f"{media_type}; charset=utf-8"}
            response = refusal(error.status_code, f"{error.detail}.", headers=content_type)
            await response(scope, receive, send)
            return
        context = state["context"] = await open_context(
            scope, headers[b"authorization"], self._context_type
        )
        result = await self._engine.execute(request, context)
        state["kind"] = context.kind
        state["facts"] = context.facts(outcome(result.errors, context.refusals))
        wait = retry_after(result.errors)
        status = 503 if wait else 200 if media_type == JSON else _status(result)
        answer = serialize_response(result)
        response_headers = [
            (b"content-type", f"{media_type}; charset=utf-8".encode()),
            (b"content-length", str(len(answer)).encode()),
        ]
        if status == UNAUTHORIZED:
            # RFC 6750 section 3: where no token came there is no error
            why = b"" if context.presented is None else b' error="invalid_token"'
            response_headers.append((b"www-authenticate", b"Bearer" + why))
        if wait:
            response_headers.append((b"retry-after", str(wait).encode()))
        await send({"type": "http.response.start", "status": status, "headers": response_headers})
        await send({"type": "http.response.body", "body": answer})


async def read_body(headers: Headers, receive: Receive, most: int) -> bytes:
    """Return a body. Raises HTTPException if it is, or says that it is, larger than allowed."""
    length = headers[b"content-length"][:1]
    size = int(length[0][:_LENGTH_DIGITS]) if length and length[0].isdigit() else 0
    body, more = bytearray(), True
    while more and max(size, len(body)) <= most:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise HTTPException(400, "The body ended too soon")
        body += message.get("body", b"")
        more = message.get("more_body", False)
    if max(size, len(body)) > most:
        raise HTTPException(413, f"The body is larger than {most} bytes")
    return bytes(body)


async def open_context(scope: Scope, authorization: Sequence[bytes], kind: type[C]) -> C:
    """Return the context of a request, by what its Authorization header presents."""
    resources: Resources = scope["state"]["resources"]
    presented: Identity | Exception | None = authenticate_header(authorization, resources)
    others = resources.extensions.authenticators
    if others and isinstance(presented, TokenInvalid | TokenMalformed):
        presented = await identify(others, resources.database, authorization, presented)
    context = kind(
        resources,
        presented=presented,
        origin=scope["state"]["origin"],
        request_id=scope["state"]["request_id"],
        shield=Disconnect.of(scope).shield,
    )
    if isinstance(presented, TokenInvalid | TokenMalformed):
        context.guessed(Action.TOKEN_REFUSED)
    return context


def authenticate_header(
    authorization: Sequence[bytes], resources: Resources
) -> Claims | Unauthenticated | None:
    """Return what the bearer token says (RFC 6750 section 2.1), or why there is none to go by.

    None is no token at all. Nothing is refused here, so a stale token never gets in the way of a
    public field.
    """
    if len(authorization) > 1:
        return TokenMalformed()
    value = authorization[0] if authorization else b""
    match [part for part in value.replace(b"\t", b" ").split(b" ") if part]:
        case []:
            return None
        case [scheme, token] if scheme.lower() == b"bearer" and len(token) <= MAX_TOKEN_BYTES:
            try:
                return resources.tokens.read(resources.keys.get(), token.decode("latin-1"))
            except Unauthenticated as error:
                return error
        case _:
            return TokenMalformed()


@lru_cache(64)
def negotiate(*accept: bytes) -> str:
    """Return the media type of the response (RFC 9110 section 12.5.1).

    JSON is for clients that take anything. Raises HTTPException if neither is accepted.
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
    """Return a media range and its weight (RFC 9110 section 12.4.2); a weight that is none is 0."""
    name, *parameters = (part.strip() for part in media_range.lower().split(";"))
    pairs = (parameter.partition("=") for parameter in parameters)
    weight = next((value for key, _, value in pairs if key.strip() == "q"), "1")
    try:
        return name, min(max(float(weight), 0.0), 1.0)
    except ValueError:
        return name, 0.0


def headers_of(scope: Scope) -> Headers:
    """Return each header's values; of one that was not sent there are none."""
    headers: Headers = defaultdict(list)
    for name, value in scope["headers"]:
        headers[name].append(value)
    return headers


def parse_request(headers: Headers, body: bytes) -> GraphQLRequest:
    """Return the GraphQL request of a body. Raises HTTPException if there is none."""
    if any(encoding.lower() != b"identity" for encoding in headers[b"content-encoding"]):
        raise HTTPException(415, "Send the body as it is, without a content encoding")
    types = headers[b"content-type"]
    if len(types) != 1 or not _is_json(types[0]):
        raise HTTPException(415, f"Send {JSON} in UTF-8")
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise HTTPException(400, "The body is not JSON in UTF-8") from None
    if not isinstance(content, dict):
        raise HTTPException(400, "The body is not a JSON object; one request at a time")
    query, name = content.get("query"), content.get("operationName")
    variables, extensions = content.get("variables"), content.get("extensions")
    if not isinstance(query, str) or not query.strip():
        raise HTTPException(400, "query is missing, or is no string")
    if not isinstance(name, str | None):
        raise HTTPException(400, "operationName is no string")
    if not isinstance(variables, dict | None):
        raise HTTPException(400, "variables is no object")
    if not isinstance(extensions, dict | None):
        raise HTTPException(400, "extensions is no object")
    return GraphQLRequest(query, name or None, variables or {})


@lru_cache(64)
def _is_json(content_type: bytes) -> bool:
    name, *parameters = (part.strip().lower() for part in content_type.decode("latin-1").split(";"))
    charsets = [p.partition("=")[2].strip('"') for p in parameters if p.startswith("charset=")]
    return name == JSON and all(charset in {"utf-8", "utf8"} for charset in charsets)


def outcome(errors: Iterable[GraphQLError] | None, refusals: Iterable[str]) -> str:
    """Return for the log how it came out: each code of errors and payloads once, or OK."""
    codes = {
        str(extensions.get("reason") or extensions["code"])
        for extensions in ((error.extensions or {}) for error in errors or ())
    }
    return " ".join(sorted(codes.union(refusals))) or "OK"


def retry_after(errors: Iterable[GraphQLError] | None) -> int | None:
    """Return the seconds after which to try again, if any error has them as `retryAfter`.

    Proxies and clients act upon this, so it goes for both media types.
    """
    waits = [(error.extensions or {}).get("retryAfter") for error in errors or ()]
    return max(filter(None, waits), default=None)


def _status(result: ExecutionResult) -> int:
    """Return the status of a graphql-response+json response.

    400 if nothing was executed; 401 or 403 if every field was refused with it; 504 if it took
    too long, for then there is no data and the draft asks for a status of failure.
    """
    errors = result.errors or []
    codes = {(error.extensions or {}).get("code") for error in errors}
    if DEADLINE_EXCEEDED in codes:
        return 504
    if result.data is None and not any(error.path for error in errors):
        return 400
    refused = {error.path[0] for error in errors if error.path and len(error.path) == 1}
    if refused and refused == set(result.data or {}):
        if codes == {"UNAUTHENTICATED"}:
            return UNAUTHORIZED
        if codes == {"FORBIDDEN"}:
            return 403
    return 200


def serialize_response(result: ExecutionResult) -> bytes:
    """Return the JSON of a result; its data is left out if nothing was executed."""
    content: dict[str, object] = {}
    if result.errors:
        content["errors"] = [error.formatted for error in result.errors]
    if result.data is not None or any(error.path for error in result.errors or []):
        content["data"] = result.data
    return orjson.dumps(content, _plain, orjson.OPT_UTC_Z)


def _plain(value: object) -> str:
    """Return what JSON has for a type of the database driver's own."""
    if isinstance(value, UUID):
        return str(value)
    raise TypeError
