"""Requests as spans, in the trace of the client, whose response names it (W3C Trace Context)."""

from collections.abc import Mapping
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, use_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gql_app.lib.telemetry.logs import bind_log_context
from gql_app.lib.telemetry.metrics import NO_ANSWER, NO_OPERATION

METHODS: Final = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"}
)
_SERVER_ERROR: Final = 500
_PROPAGATOR: Final = TraceContextTextMapPropagator()


class TracingMiddleware:
    """Makes each request a span, which every line of its log names."""

    def __init__(self, app: ASGIApp, *, tracer: Tracer) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Trace one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        span = self._start(scope)
        ids = span.get_span_context()
        if not ids.is_valid:  # OpenTelemetry's own variables have it off
            await self._app(scope, receive, send)
            return
        trace_id, span_id = f"{ids.trace_id:032x}", f"{ids.span_id:016x}"
        response = f"00-{trace_id}-{span_id}-{ids.trace_flags:02x}".encode()

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"traceresponse", response),
                ]
            await send(message)

        bind_log_context(trace_id=trace_id, span_id=span_id)
        try:
            with use_span(span, record_exception=False, set_status_on_exception=False):
                await self._app(scope, receive, send_named)
        finally:
            _describe(span, scope["state"])
            span.end()

    def _start(self, scope: Scope) -> Span:
        """Return a new span, below the client's if there is one."""
        known = scope["method"] in METHODS
        method = scope["method"] if known else "_OTHER"
        return self._tracer.start_span(
            method if known else "HTTP",
            context=_client_context(scope),
            kind=SpanKind.SERVER,
            attributes={
                "http.request.method": method,
                "url.path": scope["path"],
                "url.scheme": scope["scheme"],
                "network.protocol.version": scope["http_version"],
            },
        )


def _client_context(scope: Scope) -> Context:
    """Return the client's context; of several parents none counts."""
    headers = scope["headers"]
    parents = [value for name, value in headers if name == b"traceparent"]
    states = [value for name, value in headers if name == b"tracestate"]
    carrier = {"tracestate": b",".join(states).decode("latin-1")} if states else {}
    if len(parents) == 1:
        carrier["traceparent"] = parents[0].decode("latin-1")
    return _PROPAGATOR.extract(carrier, Context())


def _describe(span: Span, state: Mapping[str, Any]) -> None:
    """Set how it came out, as OpenTelemetry's conventions for HTTP and GraphQL have it."""
    status, kind, facts = state["status"], state.get("kind", NO_OPERATION), state.get("facts", {})
    if kind != NO_OPERATION:
        span.update_name(kind)
        span.set_attribute("graphql.operation.type", kind)
        if facts.get("operation"):
            span.set_attribute("graphql.operation.name", facts["operation"])
    if "outcome" in facts:
        span.set_attribute("gql_app.outcome", facts["outcome"])
    span.set_attribute("gql_app.request_id", state["request_id"])
    if status:
        span.set_attribute("http.response.status_code", status)
    if not status or status >= _SERVER_ERROR:
        span.set_attribute("error.type", str(status) if status else NO_ANSWER)
        span.set_status(StatusCode.ERROR)
