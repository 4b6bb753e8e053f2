"""Responses in GraphQL's form to what never became a GraphQL request."""

from collections.abc import Mapping
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

_CODES: Final = {
    413: "BAD_USER_INPUT",
    431: "BAD_USER_INPUT",
    500: "INTERNAL_SERVER_ERROR",
    503: "SERVICE_UNAVAILABLE",
}


class JsonResponse(JSONResponse):
    """JSON that says how its characters are encoded, for clients that would guess."""

    media_type = "application/json; charset=utf-8"


def refusal(
    status: int,
    message: str,
    *,
    headers: Mapping[str, str] | None = None,
    **extensions: str,
) -> JsonResponse:
    """Return a response of one error (GraphQL section 7.1.2), the form of every refusal here."""
    code = _CODES.get(status, "BAD_REQUEST")
    error = {"message": message, "extensions": {"code": code, **extensions}}
    return JsonResponse({"errors": [error]}, status_code=status, headers=headers)


async def explain(_: Request, error: Exception) -> JsonResponse:
    """Return the response to an HTTPException of Starlette's or of our own."""
    if not isinstance(error, HTTPException):
        raise error
    return refusal(error.status_code, f"{error.detail}.", headers=error.headers)
