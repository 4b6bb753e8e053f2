"""Responses: the status and the JSON of what was executed."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Final
from uuid import UUID

import orjson
from graphql import ExecutionResult, GraphQLError

from gql_app.lib.graphql_http.negotiation import JSON

TIMED_OUT: Final = "DEADLINE_EXCEEDED"
"""The code of an error of an operation that took too long."""
REFUSALS: Final = {
    "UNAUTHENTICATED": HTTPStatus.UNAUTHORIZED.value,
    "FORBIDDEN": HTTPStatus.FORBIDDEN.value,
}
"""Statuses of codes, where every field is refused with that."""
Written = tuple[int, list[tuple[bytes, bytes]], bytes]


def write(result: ExecutionResult, media_type: str | None) -> Written:
    """Return the status, headers and body of a result, as JSON if no media type is given.

    Proxies and clients act upon Retry-After, so it goes for both media types.
    """
    media_type = media_type or JSON
    body, wait = serialize(result), retry_after(result.errors)
    status = 503 if wait else 200 if media_type == JSON else status_of(result)
    headers = [
        (b"content-type", f"{media_type}; charset=utf-8".encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    if wait:
        headers.append((b"retry-after", str(wait).encode()))
    return status, headers, body


def outcome(errors: Iterable[GraphQLError] | None, refusals: Iterable[str]) -> str:
    """Return for the log how it came out: each code of errors and payloads once, or OK."""
    codes = {
        str(extensions.get("reason") or extensions["code"])
        for extensions in ((error.extensions or {}) for error in errors or ())
    }
    return " ".join(sorted(codes.union(refusals))) or "OK"


def retry_after(errors: Iterable[GraphQLError] | None) -> int | None:
    """Return the seconds after which to try again, if any error has them as `retryAfter`."""
    waits = [(error.extensions or {}).get("retryAfter") for error in errors or ()]
    return max(filter(None, waits), default=None)


def status_of(result: ExecutionResult) -> int:
    """Return the status of a graphql-response+json response.

    400 if nothing was executed; 401 or 403 if every field was refused with it; 504 if it took
    too long, for then there is no data and the draft asks for a status of failure.
    """
    errors = result.errors or []
    codes = {(error.extensions or {}).get("code") for error in errors}
    if TIMED_OUT in codes:
        return 504
    if result.data is None and not any(error.path for error in errors):
        return 400
    refused = {error.path[0] for error in errors if error.path and len(error.path) == 1}
    if refused and refused == set(result.data or {}) and len(codes) == 1:
        return REFUSALS.get(str(*codes), 200)
    return 200


def serialize(result: ExecutionResult) -> bytes:
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
