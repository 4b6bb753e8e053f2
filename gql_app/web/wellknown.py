"""What other services look up: the public halves of our keys (RFC 8615, RFC 7517)."""

import hashlib
import json
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gql_app.resources import Resources

MAX_AGE: Final = 300
"""Seconds that others may keep the set; a new key should be as old before it is promoted."""


async def jwks(request: Request) -> Response:
    """Answer the set of the keys that verify our tokens now, or 304 if the client has it."""
    resources: Resources = request.state.resources
    body = json.dumps({"keys": resources.keys.get().published()}, separators=(",", ":")).encode()
    tag = f'"{hashlib.sha256(body).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": f"public, max-age={MAX_AGE}"}
    if _matches(request.headers.getlist("if-none-match"), tag):
        return Response(None, 304, headers)
    return Response(body, 200, headers, "application/jwk-set+json")


def _matches(tags: list[str], tag: str) -> bool:
    """Return whether an entity tag is among others, compared weakly (RFC 9110 section 13.1.2)."""
    return any(value.strip() == "*" or tag in value for value in tags)
