"""The composition root: settings in, ASGI application out."""

import gc
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from functools import partial
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route

from gql_app import __version__, background
from gql_app.accounts.sessions import MAX_SESSIONS
from gql_app.lib import telemetry
from gql_app.lib.engine import Engine, Limits, ListSizes
from gql_app.lib.network import Networks
from gql_app.lib.pagination import DEFAULT_SIZE, MAX_SIZE
from gql_app.metrics import new_metrics
from gql_app.resources import Resources
from gql_app.schema.context import Context
from gql_app.schema.errors import map_errors
from gql_app.schema.root import build_schema
from gql_app.settings import Settings, load, shared_numbers
from gql_app.web.graphql import GraphQLView
from gql_app.web.management import MANAGEMENT_ROUTES, PUBLIC_ROUTES, ManagementMiddleware, jwks
from gql_app.web.middleware import (
    CrossOriginMiddleware,
    RequestLogMiddleware,
    ServerErrorMiddleware,
    TrustedHostMiddleware,
)
from gql_app.web.playground import Playground, page
from gql_app.web.responses import explain

COLLECTOR_THRESHOLD: Final = 5_000
"""Objects that are made, beyond those that are gone, before the collector looks at them."""


def create_app(
    settings: Settings | None = None, *, sign_ins: Sequence[Mapping[str, str]] = ()
) -> Starlette:
    """Return the application, by the environment if no settings are given.

    The playground offers the sign-ins, each a role, name, email and password: the demo's.
    Nothing is opened before the application starts. Raises CannotStart.
    """
    chosen = settings or load(serving=True)
    telemetry.configure_logging(chosen.log_level)
    tracing = telemetry.Tracing(__version__) if chosen.traces else None
    app = Starlette(
        routes=_routes(chosen, sign_ins),
        middleware=_middleware(chosen, tracing),
        exception_handlers={HTTPException: explain},
        lifespan=lambda _: _lifespan(chosen, tracing),
    )
    # /graphql/ is another path: a redirect would repeat the Host header, which anybody can set.
    app.router.redirect_slashes = False
    return app


def build_engine(settings: Settings) -> Engine[Context]:
    """Return what executes documents, by the settings."""
    limits = Limits(
        length=settings.max_document_length,
        tokens=settings.max_tokens,
        operations=settings.max_operations,
        depth=settings.max_depth,
        aliases=settings.max_aliases,
        root_fields=settings.max_root_fields,
        directives=settings.max_directives,
        spreads=settings.max_spreads,
        cost=settings.max_cost,
        comparisons=settings.max_comparisons,
    )
    return Engine(
        build_schema(),
        limits,
        ListSizes(default_page=DEFAULT_SIZE, max_page=MAX_SIZE, unpaged=MAX_SESSIONS),
        map_errors,
        introspection=settings.introspection,
        timeout=settings.operation_timeout,
        compiled=settings.compiled,
    )


def _routes(settings: Settings, sign_ins: Sequence[Mapping[str, str]]) -> list[Route]:
    """Return what is served by path, beside POST /graphql."""
    playground = Playground(sign_ins=sign_ins) if settings.playground else None
    watched = MANAGEMENT_ROUTES if settings.management_port is None else PUBLIC_ROUTES
    routes = [
        Route("/graphql", partial(page, playground), methods=["GET", "POST"]),
        *watched,
        Route("/.well-known/jwks.json", jwks),
    ]
    if playground:
        routes.append(Route("/playground/{name}", playground.file))
    return routes


def _middleware(settings: Settings, tracing: "telemetry.Tracing | None") -> list[Middleware]:
    """Return what every request passes, from the outside in."""
    listed = settings.trusted_proxies
    trusted = None if listed is None else Networks(listed)
    layers = [Middleware(RequestLogMiddleware, trusted=trusted, tracing=tracing)]
    if settings.origins:
        layers.append(Middleware(CrossOriginMiddleware, origins=settings.origins))
    layers.append(Middleware(ServerErrorMiddleware))
    if settings.management_port is not None:
        layers.append(Middleware(ManagementMiddleware, port=settings.management_port))
    if settings.hosts:
        layers.append(Middleware(TrustedHostMiddleware, hosts=settings.hosts))
    engine = build_engine(settings)
    view = Middleware(GraphQLView, engine=engine, max_body_bytes=settings.max_body_bytes)
    return [*layers, view]


@asynccontextmanager
async def _lifespan(
    settings: Settings, tracing: "telemetry.Tracing | None"
) -> AsyncIterator[dict[str, Resources]]:
    """Open all that lives as long as the process, and run the tasks beside it."""
    metrics = new_metrics(shared_numbers())
    async with (
        tracing.sending() if tracing else nullcontext(),
        Resources.open(settings, metrics, tracing) as resources,
        background.running(resources),
    ):
        with quiet_collector():
            yield {"resources": resources}


@contextmanager
def quiet_collector() -> Iterator[None]:
    """Let the garbage collector look at what requests leave, and seldom.

    What is there at the start lives as long as the process, yet to look through it takes 65 ms,
    in which nobody is answered. A page of customers outgrows the usual 700 several times over,
    and is no garbage. Together it was 11 % of a list's CPU time, and is 5 %.
    """
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(COLLECTOR_THRESHOLD, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()
