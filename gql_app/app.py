"""The composition root: settings in, ASGI application out."""

import gc
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Final, TypedDict

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route

from gql_app import background
from gql_app.accounts.sessions import MAX_SESSIONS
from gql_app.lib.engine import Engine, Limits, ListSizes
from gql_app.lib.network import Networks
from gql_app.lib.pagination import DEFAULT_SIZE, MAX_SIZE
from gql_app.lib.server import ProxyHeadersMiddleware
from gql_app.lib.telemetry import logs
from gql_app.lib.telemetry.metrics import Metrics
from gql_app.resources import Resources
from gql_app.schema.context import Context
from gql_app.schema.root import build_schema, map_errors
from gql_app.settings import Settings, load, shared_numbers
from gql_app.web import wellknown
from gql_app.web.cors import CrossOrigin
from gql_app.web.graphql import Door
from gql_app.web.management import Management, shown, watched
from gql_app.web.middleware import (
    Apology,
    KnownHosts,
    Reception,
    Shortcut,
)
from gql_app.web.playground import Playground
from gql_app.web.responses import explain

if TYPE_CHECKING:
    from gql_app.lib.telemetry.tracing import Tracing

YOUNG: Final = 5_000
"""Objects that are made, beyond those that are gone, before the collector looks at them."""


class State(TypedDict):
    """What the lifespan hands to every request."""

    resources: Resources
    metrics: Metrics


def create_app(
    settings: Settings | None = None, *, sign_ins: Sequence[Mapping[str, str]] = ()
) -> Starlette:
    """Return the application, by the environment if no settings are given.

    The playground offers the sign-ins, each a role, name, email and password: the demo's.
    Nothing is opened before the application starts. Raises CannotStart.
    """
    chosen = settings or load(serving=True)
    logs.configure(chosen.log_level)
    metrics = Metrics(shared_numbers())
    tracing = _tracing() if chosen.traces else None
    playground = Playground(sign_ins=sign_ins) if chosen.playground else None
    door = Door(build_engine(chosen), playground, max_body_bytes=chosen.max_body_bytes)
    files = [Route("/playground/{name}", playground.file)] if playground else []

    app = Starlette(
        routes=[
            Route("/graphql", door, methods=["GET", "POST"]),
            *(watched() if chosen.management_port is None else shown()),
            Route("/.well-known/jwks.json", wellknown.jwks),
            *files,
        ],
        middleware=[*_proxied(chosen), *_traced(tracing), *_middleware(chosen, door)],
        exception_handlers={HTTPException: explain},
        lifespan=lambda _: _running(chosen, metrics, tracing),
    )
    # /graphql/ is another path: a redirect would repeat the Host header, which anybody can set.
    app.router.redirect_slashes = False
    return app


def build_engine(chosen: Settings) -> Engine[Context]:
    """Build what executes documents, by the settings."""
    limits = Limits(
        length=chosen.max_document_length,
        tokens=chosen.max_tokens,
        operations=chosen.max_operations,
        depth=chosen.max_depth,
        aliases=chosen.max_aliases,
        root_fields=chosen.max_root_fields,
        directives=chosen.max_directives,
        spreads=chosen.max_spreads,
        cost=chosen.max_cost,
        comparisons=chosen.max_comparisons,
    )
    return Engine(
        build_schema(),
        limits,
        ListSizes(default_page=DEFAULT_SIZE, max_page=MAX_SIZE, unpaged=MAX_SESSIONS),
        map_errors,
        introspection=chosen.introspection,
        timeout=chosen.operation_timeout,
        compiled=chosen.compiled,
    )


@asynccontextmanager
async def _running(
    chosen: Settings, metrics: Metrics, tracing: "Tracing | None"
) -> AsyncIterator[State]:
    """Have all that lives as long as the process, and the chores beside it."""
    async with (
        tracing.sending() if tracing else nullcontext(),
        Resources.open(chosen, metrics, tracing) as resources,
        background.running(resources),
    ):
        with quiet_collector():
            yield {"resources": resources, "metrics": metrics}


def _proxied(chosen: Settings) -> list[Middleware]:
    if chosen.trusted_proxies is None:
        return []
    return [Middleware(ProxyHeadersMiddleware, trusted=Networks.of(chosen.trusted_proxies))]


def _tracing() -> "Tracing":
    from gql_app.lib.telemetry.tracing import Tracing  # noqa: PLC0415 — most servers do without

    return Tracing()


def _traced(tracing: "Tracing | None") -> list[Middleware]:
    if tracing is None:
        return []
    from gql_app.lib.telemetry.http_tracing import Traced  # noqa: PLC0415 — as above

    return [Middleware(Traced, tracer=tracing.tracer)]


def _middleware(chosen: Settings, door: Door) -> list[Middleware]:
    """Tell what every request passes, from the outside in."""
    return [
        Middleware(Reception),
        *([Middleware(CrossOrigin, origins=chosen.origins)] if chosen.origins else []),
        Middleware(Apology),
        *([Middleware(Management, port=port)] if (port := chosen.management_port) else []),
        *([Middleware(KnownHosts, hosts=chosen.hosts)] if chosen.hosts else []),
        Middleware(Shortcut, method="POST", path="/graphql", to=door),
    ]


@contextmanager
def quiet_collector() -> Iterator[None]:
    """Have the garbage collector look at what requests leave, and seldom.

    What is there at the start lives as long as the process, yet to look through it takes 65 ms,
    in which nobody is answered. A page of customers outgrows the usual 700 several times over,
    and is no garbage. Together it was 11 % of a list's CPU time, and is 5 %.
    """
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(YOUNG, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()
