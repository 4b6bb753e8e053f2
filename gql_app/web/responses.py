"""Answers in GraphQL's shape to what never became a GraphQL request."""

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse


def refusal(
    status: int,
    message: str,
    *,
    code: str = "BAD_REQUEST",
    headers: Mapping[str, str] | None = None,
    **extensions: str,
) -> JSONResponse:
    """Answer one error (GraphQL section 7.1.2), as every refusal of this API looks."""
    error = {"message": message, "extensions": {"code": code, **extensions}}
    return JSONResponse({"errors": [error]}, status_code=status, headers=headers)


async def explain(_: Request, error: Exception) -> JSONResponse:
    """Answer an HTTPException of Starlette's or of our own."""
    if not isinstance(error, HTTPException):
        raise error
    return refusal(error.status_code, f"{error.detail}.", headers=error.headers)
