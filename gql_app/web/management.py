"""What others ask of a process: whether it lives and can serve, its metrics, its public keys."""

import asyncio
import hashlib
import json
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gql_app.db.readiness import LOST_KEY, Condition
from gql_app.lib.compression import compress
from gql_app.resources import Resources
from gql_app.web.responses import JsonResponse, explain

MAX_AGE: Final = 300
"""Seconds that others may keep our keys; a new key should be as old before it is promoted."""


class ManagementMiddleware:
    """Answers the requests of a port of its own, so that the other one has no metrics."""

    def __init__(self, app: ASGIApp, *, port: int) -> None:
        self._app = app
        self._port = port
        self._management = Starlette(
            routes=MANAGEMENT_ROUTES, exception_handlers={HTTPException: explain}
        )
        self._management.router.redirect_slashes = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by the connection's own port, which no header can say anything about."""
        to = self._management if (scope.get("server") or ())[1:] == (self._port,) else self._app
        await to(scope, receive, send)


async def livez(_: Request) -> Response:
    """Answer that the process lives, whatever it depends on."""
    return JsonResponse({"status": "alive"})


async def public_readyz(request: Request) -> Response:
    """Answer 200 if the database is reachable and migrated, 503 if not, and nothing else."""
    resources: Resources = request.state.resources
    return _readiness(await resources.condition.get(), {})


async def readyz(request: Request) -> Response:
    """Answer the same, and the state of each part.

    No other part takes a process out of service: keys that can't be read are those of before,
    and a flood of sign-ins would take out one process after the other.
    """
    resources: Resources = request.state.resources
    condition = await resources.condition.get()
    resources.keys.get()  # which looks whether they can still be read
    parts = {
        "database": condition.database,
        "migrations": condition.migrations,
        "keys": "stale" if resources.keys.stale else "ok",
        "passwords": "queue full" if resources.passwords.full else "ok",
    }
    if resources.standby:
        parts["standby"] = resources.standby.state.name
    if condition.cause == LOST_KEY:
        parts["secondFactors"] = "key not set"
    if condition.distribution:
        parts["distribution"] = condition.distribution
    return _readiness(condition, parts)


async def metrics(request: Request) -> Response:
    """Answer the metrics of all processes; a thread writes them, for that takes a while."""
    resources: Resources = request.state.resources
    await resources.sample()
    accept = ",".join(request.headers.getlist("accept"))
    text, media_type = await asyncio.to_thread(resources.metrics.exposition, accept)
    accepted = [value for name, value in request.headers.raw if name == b"accept-encoding"]
    body, coded = compress(text, accepted)
    headers = {name.decode(): value.decode() for name, value in coded}
    return Response(body, headers=headers | {"content-type": media_type})


def _readiness(condition: Condition, parts: dict[str, str]) -> Response:
    status, code = ("ready", 200) if condition.ready else ("not ready", 503)
    return JsonResponse({"status": status, **parts}, status_code=code)


async def jwks(request: Request) -> Response:
    """Answer the keys that verify our tokens now (RFC 7517), or 304 if the client has them."""
    resources: Resources = request.state.resources
    body = json.dumps({"keys": resources.keys.get().published()}, separators=(",", ":")).encode()
    tag = f'"{hashlib.sha256(body).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": f"public, max-age={MAX_AGE}"}
    # compared weakly (RFC 9110 section 13.1.2)
    tags = request.headers.getlist("if-none-match")
    if any(each.strip() == "*" or tag in each for each in tags):
        return Response(None, 304, headers)
    return Response(body, 200, headers, "application/jwk-set+json")


MANAGEMENT_ROUTES: Final = (
    Route("/livez", livez),
    Route("/readyz", readyz),
    Route("/metrics", metrics),
)
"""All that there is to watch."""
PUBLIC_ROUTES: Final = (Route("/livez", livez), Route("/readyz", public_readyz))
"""What is left of them for the other port, where a balancer asks."""
