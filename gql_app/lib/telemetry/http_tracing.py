"""Requests as spans, in the trace of whoever asks, who is told of it (W3C Trace Context)."""

from collections.abc import Mapping
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, use_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gql_app.lib.telemetry import logs
from gql_app.lib.telemetry.labels import NO_ANSWER, OPERATIONS

NONE: Final = OPERATIONS[-1]
METHODS: Final = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"}
)
FAULT: Final = 500
_PROPAGATOR: Final = TraceContextTextMapPropagator()


class Traced:
    """Makes each request a span, which every line of its log names."""

    def __init__(self, app: ASGIApp, *, tracer: Tracer) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Trace one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        span = self._begin(scope)
        ids = span.get_span_context()
        if not ids.is_valid:  # OpenTelemetry's own variables have it off
            await self._app(scope, receive, send)
            return
        trace_id, span_id = f"{ids.trace_id:032x}", f"{ids.span_id:016x}"
        response = f"00-{trace_id}-{span_id}-{ids.trace_flags:02x}".encode()

        async def note(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"traceresponse", response),
                ]
            await send(message)

        logs.bind(trace_id=trace_id, span_id=span_id)
        try:
            with use_span(span, record_exception=False, set_status_on_exception=False):
                await self._app(scope, receive, note)
        finally:
            _tell(span, scope["state"])
            span.end()

    def _begin(self, scope: Scope) -> Span:
        """Begin the span, below the caller's if there is one."""
        known = scope["method"] in METHODS
        method = scope["method"] if known else "_OTHER"
        return self._tracer.start_span(
            method if known else "HTTP",
            context=_caller(scope),
            kind=SpanKind.SERVER,
            attributes={
                "http.request.method": method,
                "url.path": scope["path"],
                "url.scheme": scope["scheme"],
                "network.protocol.version": scope["http_version"],
            },
        )


def _caller(scope: Scope) -> Context:
    """Read the caller's context; of several nobody knows which is meant."""
    headers = scope["headers"]
    parents = [value for name, value in headers if name == b"traceparent"]
    states = [value for name, value in headers if name == b"tracestate"]
    carrier = {"tracestate": b",".join(states).decode("latin-1")} if states else {}
    if len(parents) == 1:
        carrier["traceparent"] = parents[0].decode("latin-1")
    return _PROPAGATOR.extract(carrier, Context())


def _tell(span: Span, state: Mapping[str, Any]) -> None:
    """Tell how it came out, as OpenTelemetry's conventions for HTTP and GraphQL have it."""
    status, kind, facts = state["status"], state.get("kind", NONE), state.get("facts", {})
    if kind != NONE:
        span.update_name(kind)
        span.set_attribute("graphql.operation.type", kind)
        if facts.get("operation"):
            span.set_attribute("graphql.operation.name", facts["operation"])
    if "outcome" in facts:
        span.set_attribute("gql_app.outcome", facts["outcome"])
    span.set_attribute("gql_app.request_id", state["request_id"])
    if status:
        span.set_attribute("http.response.status_code", status)
    if not status or status >= FAULT:
        span.set_attribute("error.type", str(status) if status else NO_ANSWER)
        span.set_status(StatusCode.ERROR)
