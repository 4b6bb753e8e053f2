"""Health checks (liveness and readiness), metrics and public keys (JWKS) of a process."""

import asyncio
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
from gql_app.web.responses import JsonResponse, explain, revalidated

MAX_AGE: Final = 300
"""Seconds that others may cache the keys; a new key should be as old before it is promoted."""


class ManagementMiddleware:
    """Answers requests of the management port, so that the public port serves no metrics."""

    def __init__(self, app: ASGIApp, *, port: int) -> None:
        self._app = app
        self._port = port
        self._management = Starlette(
            routes=MANAGEMENT_ROUTES, exception_handlers={HTTPException: explain}
        )
        self._management.router.redirect_slashes = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by the port of the connection itself, which no header can forge."""
        to = self._management if (scope.get("server") or ())[1:] == (self._port,) else self._app
        await to(scope, receive, send)


async def livez(_: Request) -> Response:
    """Answer that the process is alive, whatever the state of its dependencies."""
    return JsonResponse({"status": "alive"})


async def public_readyz(request: Request) -> Response:
    """Answer 200 if the database is migrated and takes changes, 503 if not, and nothing else."""
    resources: Resources = request.state.resources
    return _readiness(await resources.condition.get(), {})


async def readyz(request: Request) -> Response:
    """Answer as public_readyz() does, and the state of each part.

    No part but the database takes a process out of service: if keys can't be read, the previous
    ones are in use, and a flood of sign-ins would take out one process after the other.
    """
    resources: Resources = request.state.resources
    condition = await resources.condition.get()
    resources.keys.get()  # which checks whether they can still be read
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
    """Answer the metrics of all processes, written in a thread, as that is slow."""
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
    """Answer the keys that verify tokens now (RFC 7517), or 304 if the client has them."""
    resources: Resources = request.state.resources
    body = json.dumps({"keys": resources.keys.get().published()}, separators=(",", ":")).encode()
    headers = {"Cache-Control": f"public, max-age={MAX_AGE}"}
    return revalidated(request, body, "application/jwk-set+json", headers)


MANAGEMENT_ROUTES: Final = (
    Route("/livez", livez),
    Route("/readyz", readyz),
    Route("/metrics", metrics),
)
"""All routes for monitoring."""
PUBLIC_ROUTES: Final = (Route("/livez", livez), Route("/readyz", public_readyz))
"""Those of the public port, for load balancers, if there is a management port."""
