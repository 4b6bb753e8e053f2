"""The floor: the cost of HTTP, the token and the database alone, without GraphQL.

A bare ASGI function answers the same bytes as GraphQL, each question on its own path: the
body is read and parsed, the token verified by PyJWT, the rows selected in one statement and
written by orjson. It looks up no session, and has no permissions. From Starlette it takes
only the names of types.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import jwt
import orjson
from jwt.exceptions import PyJWTError
from starlette.types import Receive, Scope, Send

from bench.peers import signing
from bench.peers.passwords import verify

if TYPE_CHECKING:
    from bench.peers.floor_postgresql import Postgresql
    from bench.peers.floor_sqlite import Sqlite

BEARER: Final = len("Bearer ")
REFUSED: Final = {
    "data": {"customers": None},
    "errors": [{"message": "Sign in.", "extensions": {"code": "UNAUTHENTICATED"}}],
}
"""The answer to a bad token, the same as a GraphQL server's."""


def _storage() -> "Sqlite | Postgresql":
    """Return the database, whose values orjson writes as GraphQL would."""
    url = os.environ["BENCH_DATABASE_URL"]
    if url.startswith("sqlite"):
        from bench.peers.floor_sqlite import Sqlite  # noqa: PLC0415 — one of the two is needed

        return Sqlite(url.removeprefix("sqlite:///"))
    from bench.peers.floor_postgresql import Postgresql  # noqa: PLC0415 — as above

    return Postgresql(url)


storage: Final = _storage()
decode: Final = jwt.PyJWT({"require": signing.REQUIRED}).decode


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
        return
    message = await receive()
    body = message["body"]
    while message["more_body"]:
        message = await receive()
        body += message["body"]
    answer = orjson.dumps(await _answer(scope, body), option=orjson.OPT_UTC_Z)
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": (
                (b"content-type", b"application/json; charset=utf-8"),
                (b"content-length", b"%d" % len(answer)),
            ),
        }
    )
    await send({"type": "http.response.body", "body": answer})


async def _answer(scope: Scope, body: bytes) -> Mapping[str, object]:
    path = scope["path"]
    if path == "/readyz":
        return {}
    variables = orjson.loads(body)["variables"]
    if path == "/login":
        return {"data": {"login": await _login(variables["email"], variables["password"])}}
    try:
        claims = _claims(scope)
    except PyJWTError:
        return REFUSED
    if path == "/me":
        return {"data": {"me": await storage.me(claims["sub"])}}
    return {"data": {"customers": await storage.page(variables["first"])}}


def _claims(scope: Scope) -> dict[str, str]:
    """Verify the token, and return its claims. Raises PyJWTError."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            claims: dict[str, str] = decode(
                value[BEARER:],
                signing.KEY,
                [signing.ALGORITHM],
                audience=signing.AUDIENCE,
                issuer=signing.ISSUER,
            )
            return claims
    raise PyJWTError


async def _login(email: str, password: str) -> Mapping[str, object]:
    customer_id, hashed = await storage.password_hash(email.lower())
    if not await verify(hashed, password):
        return {"status": "ERROR", "token": None}
    session_id = await storage.open_session(customer_id)
    return {"status": "SUCCESS", "token": signing.sign(customer_id, session_id)}


async def _live(receive: Receive, send: Send) -> None:
    await receive()
    await storage.open()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await storage.close()
    await send({"type": "lifespan.shutdown.complete"})
