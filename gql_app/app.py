"""The composition root: settings in, ASGI application out."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from http import HTTPMethod
from typing import Final, Self

from starlette.applications import Starlette
from starlette.middleware import Middleware, errors
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from gql_app import __version__, background
from gql_app.accounts.sessions import MAX_SESSIONS
from gql_app.extending.context import Context as FeatureContext
from gql_app.extending.feature import Feature
from gql_app.extending.loading import load_application, postponed
from gql_app.extending.merging import Merged, merge, settings_of
from gql_app.extending.nested import limit_of
from gql_app.extending.settings import load
from gql_app.lib import telemetry
from gql_app.lib.cors import CORSMiddleware, CORSPolicy
from gql_app.lib.engine import Engine, Limits, ListSizes
from gql_app.lib.environment import variable
from gql_app.lib.faults import CannotStart
from gql_app.lib.graphql_http import (
    AutomaticDocuments,
    DocumentSource,
    TrustedDocuments,
    leading_to,
    read_manifest,
)
from gql_app.lib.hosts import TrustedHostMiddleware
from gql_app.lib.network import Networks
from gql_app.lib.pagination import DEFAULT_SIZE, MAX_SIZE
from gql_app.lib.server import tuned_gc
from gql_app.resources import Extensions, Resources
from gql_app.schema.context import Context
from gql_app.schema.errors import map_errors
from gql_app.schema.root import NOTHING, Additions, build_schema
from gql_app.settings import APP, Settings, metrics_dir
from gql_app.web.graphql import PATH, GraphQLView
from gql_app.web.introspection import introspect
from gql_app.web.management import MANAGEMENT_ROUTES, PUBLIC_ROUTES, ManagementMiddleware, jwks
from gql_app.web.middleware import RequestLogMiddleware, ServerErrorMiddleware
from gql_app.web.pages import account
from gql_app.web.pages.playground import Playground
from gql_app.web.responses import REFUSALS, explain, refusal


class Application(Starlette):
    """The API with its features, as an ASGI application. Nothing is open before it starts."""

    def __init__(
        self, merged: Merged, settings: Settings | None, sign_ins: Sequence[Mapping[str, str]]
    ) -> None:
        """Take the settings; if they are None, complete() reads them from the environment."""
        super().__init__(
            exception_handlers=dict.fromkeys(REFUSALS, explain),
            lifespan=lambda _: self._lifespan(),
        )
        # /graphql/ is another path: a redirect would repeat the Host header, which a client sets.
        self.router.redirect_slashes = False
        self.merged: Final = merged
        self.sign_ins = sign_ins
        self._given: Final = settings
        self._extensions: Extensions | None = None

    @property
    def features(self) -> Sequence[Feature]:
        """The features of the application."""
        return self.merged.features

    def load(self, *, serving: bool) -> Settings:
        """Return the settings: those that it was given, or the environment's. Raises CannotStart.

        Those of features are validated as well.
        """
        return load(self.merged.settings, self._given, serving=serving)

    def complete(self) -> Self:
        """Read the settings and build what depends on them, once. Raises CannotStart.

        Built-in routes precede those added earlier; middleware added earlier stays outermost.
        """
        if self._extensions is None:
            chosen = self.load(serving=True)
            self._extensions = self.merged.load_extensions()
            telemetry.configure_logging(chosen.log_level)
            self._tracing = telemetry.Tracing(__version__) if chosen.traces else None
            self._settings, self._cors = chosen, _cors(chosen, self.merged.routes)
            playground = Playground(sign_ins=self.sign_ins) if chosen.playground else None
            self.router.routes[:0] = _routes(chosen, playground, self.merged)
            layers = _middleware(chosen, self._tracing, self._cors, self.merged, playground)
            self.user_middleware += layers
        return self

    def build_middleware_stack(self) -> ASGIApp:
        """Return the middleware stack, built when the first message comes.

        Starlette's outermost layer, for errors, is left out unless it debugs or has a handler:
        otherwise it does what every server does.
        """
        self.complete()
        stack = super().build_middleware_stack()
        is_needed = self.debug or not self.exception_handlers.keys().isdisjoint({500, Exception})
        assert isinstance(stack, errors.ServerErrorMiddleware)  # noqa: S101 — for mypy
        return stack if is_needed else stack.app

    @asynccontextmanager
    async def _lifespan(self) -> AsyncIterator[dict[str, object]]:
        """Open the resources of the process, and run the background tasks."""
        tracing = self._tracing
        async with (
            tracing.sending() if tracing else nullcontext(),
            Resources.open(self._settings, metrics_dir(), tracing, self._extensions) as resources,
            background.running(resources),
        ):
            listed = self._settings.trusted_proxies
            trusted = None if listed is None else Networks(listed)
            with tuned_gc():
                yield {"resources": resources, "cors": self._cors, "trusted": trusted}


def create_app(
    settings: Settings | None = None,
    *,
    features: Sequence[Feature] = (),
    sign_ins: Sequence[Mapping[str, str]] = (),
) -> Application:
    """Return the application with these features; without settings, it reads the environment.

    The playground offers the sign-ins of the demo, each a role, name, email and password.
    Nothing is opened before the application starts. Raises CannotStart, which names every fault
    of the features and the settings.
    """
    faults: list[str] = []
    try:
        merged = merge(features)
    except CannotStart as why:
        faults, merged = [*why.faults], replace(merge(()), settings=settings_of(features))
    app = Application(merged, settings, sign_ins)
    try:
        if not postponed.get():
            app.complete()
        elif faults:
            app.load(serving=False)
    except CannotStart as why:
        faults += why.faults
    if faults:
        raise CannotStart(faults)
    return app


def served(sign_ins: Sequence[Mapping[str, str]] = ()) -> Application:
    """Return the application to serve: that of GQL_APP_APP, or the one without features.

    Raises CannotStart.
    """
    place = variable(APP)
    if place is None:
        return create_app(sign_ins=sign_ins)
    app = load_application(place, Application)
    app.sign_ins = sign_ins
    return app.complete()


def build_engine(settings: Settings, additions: Additions = NOTHING) -> Engine[Context]:
    """Return the GraphQL engine, with the settings' limits and the features' schema."""
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
        build_schema(additions),
        limits,
        ListSizes(
            default_page=DEFAULT_SIZE, max_page=MAX_SIZE, unpaged=MAX_SESSIONS, limit_of=limit_of
        ),
        map_errors,
        introspection=settings.introspection,
        timeout=settings.operation_timeout,
        compiled=settings.compiled,
    )


def _routes(settings: Settings, playground: Playground | None, merged: Merged) -> list[BaseRoute]:
    """Return all routes but GraphQL's: built-in ones, then those of features, then that of /."""
    health = MANAGEMENT_ROUTES if settings.management_port is None else PUBLIC_ROUTES
    routes: list[BaseRoute] = [
        *health,
        Route("/.well-known/jwks.json", jwks),
        Route("/introspect", introspect, methods=["POST"]),
        *account.routes(settings),
    ]
    if playground:
        routes.append(Route(PATH, playground.page))
        routes.append(Route("/playground/{name}", playground.file))
    root = Route("/", leading_to(PATH, has_page=playground is not None))
    root.methods = None  # every method, also those that HTTPMethod lacks, such as PROPFIND
    return [*routes, *merged.routes, root]


def _cors(settings: Settings, routes: Iterable[BaseRoute]) -> CORSPolicy | None:
    """Return the CORS policy: origins whose pages may read answers; None if there are none."""
    if not settings.origins:
        return None
    return CORSPolicy(
        settings.origins,
        headers=settings.allowed_headers,
        methods={each for of in routes for each in getattr(of, "methods", None) or HTTPMethod},
        exposed=("Retry-After", "WWW-Authenticate", "X-Request-Id", "traceresponse"),
        refused=refusal(400, "Pages of this origin may not use this API."),
    )


def _middleware(
    settings: Settings,
    tracing: "telemetry.Tracing | None",
    cors: CORSPolicy | None,
    merged: Merged,
    playground: Playground | None,
) -> list[Middleware]:
    """Return the middleware that every request passes, the outermost first."""
    layers = [Middleware(RequestLogMiddleware, tracing=tracing)]
    if cors:
        layers.append(Middleware(CORSMiddleware, cors))
    layers.append(Middleware(ServerErrorMiddleware))
    if settings.management_port is not None:
        layers.append(Middleware(ManagementMiddleware, port=settings.management_port))
    if settings.allowed_hosts:
        layers.append(
            Middleware(
                TrustedHostMiddleware,
                hosts=settings.allowed_hosts,
                refused=refusal(400, "This server does not answer for the host that was asked."),
                exempt=[route.path for route in MANAGEMENT_ROUTES],  # probes send an address
            )
        )
    engine = build_engine(settings, merged.additions)
    documents: DocumentSource = AutomaticDocuments()
    if file := settings.trusted_documents:
        pages = [*account.documents(), *(playground.documents if playground else ())]
        allowed, parse = settings.trusted_documents_allow, engine.validator.limits.parse
        documents = TrustedDocuments(read_manifest(file), pages, allowed, parse)
    view = Middleware(
        GraphQLView,
        engine=engine,
        documents=documents,
        has_page=playground is not None,
        compresses=settings.compression,
        max_body_bytes=settings.max_body_bytes,
        context_type=FeatureContext,
    )
    return [*layers, view]
