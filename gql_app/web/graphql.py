"""The door: GraphQL over HTTP, and the bearer token of who knocks.

It follows the GraphQL-over-HTTP draft: POST of application/json, and the status by the
media type that the client accepts. GET serves the playground and nothing else.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import orjson
from graphql import GraphQLError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from strawberry.schema.exceptions import CannotGetOperationTypeError
from strawberry.types import ExecutionResult

from gql_app.accounts.audit import Origin
from gql_app.errors import (
    TokenMalformed,
    TokenMissing,
    Unauthenticated,
)
from gql_app.resources import Resources
from gql_app.schema.context import Context
from gql_app.schema.faults import DEADLINE_EXCEEDED, late
from gql_app.schema.root import Schema
from gql_app.security.tokens import MAX_TOKEN_BYTES, Claims, decode_token
from gql_app.web.playground import Playground, wants_page

JSON: Final = "application/json"
GRAPHQL: Final = "application/graphql-response+json"
UNAUTHORIZED: Final = 401


@dataclass(frozen=True, slots=True)
class Asked:
    """What a well-formed request asks for."""

    query: str
    operation_name: str | None
    variables: dict[str, object] | None


class Door:
    """Lets requests in, and answers out."""

    def __init__(self, schema: Schema, playground: Playground | None, *, timeout: float) -> None:
        self._schema = schema
        self._playground = playground
        self._timeout = timeout

    async def knock(self, request: Request) -> Response:
        """Answer one request. Raises HTTPException for one that is no GraphQL request."""
        if request.method != "POST":
            if self._playground and wants_page(request):
                return self._playground.page(request)
            raise HTTPException(405, "Send GraphQL requests by POST", {"Allow": "POST"})
        media_type = negotiate(request.headers.getlist("accept"))
        try:
            asked = await _read(request)
        except HTTPException as why:
            why.headers = {"Content-Type": f"{media_type}; charset=utf-8"}
            raise
        context = _context(request)
        result = await self._execute(asked, context)
        status = 200 if media_type == JSON else _status(result)
        headers = _challenge(context.presented) if status == UNAUTHORIZED else None
        return Response(_write(result), status, headers, f"{media_type}; charset=utf-8")

    async def _execute(self, asked: Asked, context: Context) -> ExecutionResult:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._schema.execute(
                    asked.query,
                    variable_values=asked.variables,
                    operation_name=asked.operation_name,
                    context_value=context,
                )
        except TimeoutError:
            return late(self._timeout)
        except CannotGetOperationTypeError:
            error = GraphQLError(
                "The document has no operation of this name.",
                extensions={"code": "OPERATION_RESOLUTION_FAILURE"},
            )
            return ExecutionResult(data=None, errors=[error])


def present(
    headers: Iterable[tuple[bytes, bytes]], resources: Resources
) -> Claims | Unauthenticated:
    """Read the bearer token (RFC 6750 section 2.1): what it says, or why it is no good.

    Nothing is refused here, so a stale token never gets in the way of a public field.
    """
    given = [value.strip(b" \t") for name, value in headers if name == b"authorization"]
    if len(given) > 1:
        return TokenMalformed()
    if not given or not given[0]:
        return TokenMissing()
    scheme, *tokens = given[0].replace(b"\t", b" ").split(b" ")
    tokens = [token for token in tokens if token]
    if scheme.lower() != b"bearer" or len(tokens) != 1 or len(tokens[0]) > MAX_TOKEN_BYTES:
        return TokenMalformed()
    try:
        return decode_token(resources.keys, resources.issuer, tokens[0].decode("latin-1"))
    except Unauthenticated as why:
        return why


def negotiate(accept: list[str]) -> str:
    """Choose the media type of the answer (RFC 9110 section 12.5.1).

    JSON is for clients that take anything. Raises HTTPException.
    """
    ranges = dict(_quality(part) for value in accept for part in value.split(",") if part.strip())
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


def _context(request: Request) -> Context:
    resources: Resources = request.state.resources
    return Context(
        resources,
        presented=present(request.scope["headers"], resources),
        origin=Origin.of(
            request.client.host if request.client else None, request.headers.get("user-agent")
        ),
        request_id=request.state.request_id,
    )


async def _read(request: Request) -> Asked:
    encodings, types = (
        request.headers.getlist(name) for name in ("content-encoding", "content-type")
    )
    if any(encoding.lower() != "identity" for encoding in encodings):
        raise HTTPException(415, "Send the body as it is, without a content encoding")
    if len(types) != 1 or not _is_json(types[0]):
        raise HTTPException(415, f"Send {JSON} in UTF-8")
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        raise HTTPException(400, "The body is not JSON in UTF-8") from None
    except ClientDisconnect:
        raise HTTPException(400, "The body ended too soon") from None
    return _asked(body)


def _is_json(content_type: str) -> bool:
    name, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charsets = [p.partition("=")[2].strip('"') for p in parameters if p.startswith("charset=")]
    return name == JSON and all(charset in {"utf-8", "utf8"} for charset in charsets)


def _asked(body: object) -> Asked:
    if not isinstance(body, dict):
        raise HTTPException(400, "The body is not a JSON object; one request at a time")
    query, name = body.get("query"), body.get("operationName")
    variables, extensions = body.get("variables"), body.get("extensions")
    if not isinstance(query, str) or not query.strip():
        raise HTTPException(400, "query is missing, or is no string")
    if not isinstance(name, str | None):
        raise HTTPException(400, "operationName is no string")
    if not isinstance(variables, dict | None):
        raise HTTPException(400, "variables is no object")
    if not isinstance(extensions, dict | None):
        raise HTTPException(400, "extensions is no object")
    return Asked(query, name or None, variables)


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


def _challenge(presented: Claims | Unauthenticated) -> dict[str, str]:
    """Challenge as RFC 6750 section 3 has it: no error code where no token came."""
    missing = isinstance(presented, TokenMissing)
    return {"WWW-Authenticate": "Bearer" if missing else 'Bearer error="invalid_token"'}


def _write(result: ExecutionResult) -> bytes:
    answer: dict[str, object] = {}
    if result.errors:
        answer["errors"] = [error.formatted for error in result.errors]
    if result.data is not None or any(error.path for error in result.errors or []):
        answer["data"] = result.data
    return orjson.dumps(answer)
