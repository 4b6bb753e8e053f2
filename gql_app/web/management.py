"""A port of their own for those who watch, so that nobody else is shown what they see."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gql_app.web import health, metrics
from gql_app.web.responses import explain


class Management:
    """Takes what comes by one port past all that is for the others."""

    def __init__(self, app: ASGIApp, *, port: int) -> None:
        self._app = app
        self._port = port
        self._watching = Starlette(routes=watched(), exception_handlers={HTTPException: explain})
        self._watching.router.redirect_slashes = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Go by the connection's own end, which no header can say anything about."""
        to = self._watching if (scope.get("server") or ())[1:] == (self._port,) else self._app
        await to(scope, receive, send)


def watched() -> list[Route]:
    """List all that there is to watch."""
    return [
        Route("/livez", health.livez),
        Route("/readyz", health.readyz),
        Route("/metrics", metrics.tell),
    ]


def shown() -> list[Route]:
    """List what is left for the other port, where somebody balances the load."""
    return [Route("/livez", health.livez), Route("/readyz", health.ready)]
