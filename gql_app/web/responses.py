"""Error responses in GraphQL's form, to requests that do not reach GraphQL."""

import hashlib
from collections.abc import Mapping
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gql_app.errors import Refusal, Rejected, TokenReason, TooManyAttempts, Unauthenticated
from gql_app.lib.faults import Unavailable, sentence

_CODES: Final = {
    413: "BAD_USER_INPUT",
    414: "BAD_USER_INPUT",
    431: "BAD_USER_INPUT",
    500: "INTERNAL_SERVER_ERROR",
    503: "SERVICE_UNAVAILABLE",
}


class JsonResponse(JSONResponse):
    """JSON whose media type has a charset, for clients that would guess it."""

    media_type = "application/json; charset=utf-8"


def refusal(
    status: int,
    message: str,
    *,
    headers: Mapping[str, str] | None = None,
    **extensions: object,
) -> JsonResponse:
    """Return a response of one error (GraphQL section 7.1.2), the form of all refusals."""
    code = _CODES.get(status, "BAD_REQUEST")
    error = {"message": message, "extensions": {"code": code, **extensions}}
    return JsonResponse({"errors": [error]}, status_code=status, headers=headers)


def bearer_challenge(*, missing: bool) -> str:
    """Return the WWW-Authenticate header (RFC 6750 section 3): no error without a token."""
    return "Bearer" if missing else 'Bearer error="invalid_token"'


async def explain(_: Request, error: Exception) -> JsonResponse:
    """Return the response to an HTTPException, whether Starlette or this code raised it.

    That to a refusal by a feature's route is like the refusal of a field.
    """
    match error:
        case HTTPException():
            return refusal(error.status_code, sentence(error.detail), headers=error.headers)
        case Unauthenticated():
            challenge = bearer_challenge(missing=error.reason is TokenReason.TOKEN_MISSING)
            headers = {"WWW-Authenticate": challenge}
            return refusal(401, error.message, headers=headers, **error.extensions)
        case Refusal():
            return refusal(403, error.message, headers=None, **error.extensions)
        case Unavailable():
            headers = {"Retry-After": str(error.wait)}
            return refusal(503, error.message, headers=headers, **error.extensions)
        case TooManyAttempts():
            headers = {"Retry-After": str(error.retry_after)}
            return refusal(429, str(error), headers=headers, **error.extensions)
        case Rejected():
            return refusal(400, str(error), headers=None, **error.extensions)
        case _:
            raise error


REFUSALS: Final = (HTTPException, Refusal, Unavailable, Rejected)
"""Exceptions by which a route refuses a request; they are no server errors."""


def revalidated(
    request: Request, content: bytes, media_type: str, headers: Mapping[str, str]
) -> Response:
    """Return content with its ETag, or 304 if the client has it (RFC 9110 section 13.1.2)."""
    tag = f'"{hashlib.sha256(content).hexdigest()}"'
    headers = {**headers, "ETag": tag}
    tags = request.headers.getlist("if-none-match")
    if any(each.strip() == "*" or tag in each for each in tags):  # compared weakly
        return Response(None, 304, headers)
    return Response(content, 200, headers, media_type)
