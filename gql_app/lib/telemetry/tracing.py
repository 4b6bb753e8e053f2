"""Traces: what a request did and how long each part took, sent to a collector by OTLP.

It is imported only where traces are on. OpenTelemetry's own OTEL_ variables decide the rest.
"""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from http import HTTPMethod, HTTPStatus
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http import trace_exporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode, get_current_span, use_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.datastructures import Headers
from starlette.types import Scope

from gql_app.lib.database import StatementError, Unavailable
from gql_app.lib.telemetry.logs import bind_log_context
from gql_app.lib.telemetry.metrics import NO_ANSWER, NO_OPERATION

SHUTDOWN_TIMEOUT: Final = 3
"""Seconds that a collector has to take the last spans when the server stops."""
REPEAT_AFTER: Final = 60
"""Seconds after which the same error of a collector is logged again."""
_NAME: Final = "gql_app"
_PROPAGATOR: Final = TraceContextTextMapPropagator()


class Tracing:
    """Makes spans, and sends them to a collector within sending()."""

    def __init__(self, version: str, provider: TracerProvider | None = None) -> None:
        self._provider: Final = provider or _provider(version)
        self.tracer: Final = self._provider.get_tracer(_NAME, version)

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """Send spans during the block; a collector that is slow or away delays nothing."""
        log = logging.getLogger(trace_exporter.__name__)
        log.addFilter(rate := _once_per_minute())
        self._provider.add_span_processor(BatchSpanProcessor(trace_exporter.OTLPSpanExporter()))
        try:
            yield
        finally:
            ending = threading.Thread(target=self._provider.shutdown, daemon=True)
            ending.start()
            await asyncio.to_thread(ending.join, SHUTDOWN_TIMEOUT)
            if ending.is_alive():
                log.warning("Some spans are lost: the collector did not take them in time")
            log.removeFilter(rate)

    @contextmanager
    def request(self, scope: Scope) -> Iterator[Sequence[tuple[bytes, bytes]]]:
        """Make a span of the block, which answers a request; its log lines have the span's ids.

        Yield the response headers that give the client the trace's id (W3C Trace Context).
        """
        known = scope["method"] in HTTPMethod.__members__
        method = scope["method"] if known else "_OTHER"
        span = self.tracer.start_span(
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
        ids = span.get_span_context()
        if not ids.is_valid:  # an OTEL_ variable turns traces off
            yield ()
            return
        trace_id, span_id = f"{ids.trace_id:032x}", f"{ids.span_id:016x}"
        bind_log_context(trace_id=trace_id, span_id=span_id)
        try:
            with use_span(span, record_exception=False, set_status_on_exception=False):
                response = f"00-{trace_id}-{span_id}-{ids.trace_flags:02x}"
                yield ((b"traceresponse", response.encode()),)
        finally:
            _describe(span, scope["state"])
            span.end()

    def statements(self, dialect: str) -> Callable[[str], AbstractContextManager[None]]:
        """Return a function that makes a child span of each statement of a request.

        Its attributes are named by OpenTelemetry's conventions for databases; the SQL has
        placeholders instead of values. A statement outside a request has no span: no client waits
        for it.
        """

        def span_of(sql: str) -> AbstractContextManager[None]:
            if not get_current_span().is_recording():
                return nullcontext()
            operation = sql.split(maxsplit=1)[0].upper()
            attributes = {
                "db.system.name": dialect,
                "db.operation.name": operation,
                "db.query.text": sql,
            }
            return self._span(operation, attributes)

        return span_of

    def letter(self, letter_id: str) -> AbstractContextManager[None]:
        """Make a span of sending a letter, which has no more of the letter than its id."""
        return self._span("send letter", {"gql_app.letter.id": letter_id})

    @contextmanager
    def _span(self, name: str, attributes: Mapping[str, str]) -> Iterator[None]:
        """Make a span of the block; of an error it has the type alone: the text may hold values."""
        span = self.tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes)
        try:
            yield
        except BaseException as error:
            span.set_status(StatusCode.ERROR)
            span.set_attribute("error.type", _error_type(error))
            raise
        finally:
            span.end()


def _client_context(scope: Scope) -> Context:
    """Return the client's trace context, an empty one if it sent several traceparent headers."""
    headers = Headers(scope=scope)
    carrier = {name: headers.getlist(name) for name in _PROPAGATOR.fields}
    if len(carrier["traceparent"]) > 1:
        carrier = {}
    return _PROPAGATOR.extract(carrier, Context())


def _describe(span: Span, state: Mapping[str, Any]) -> None:
    """Set the result of a request, by OpenTelemetry's conventions for HTTP and GraphQL."""
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
    if not status or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        span.set_attribute("error.type", str(status) if status else NO_ANSWER)
        span.set_status(StatusCode.ERROR)


def _error_type(error: BaseException) -> str:
    """Return the name of an error's class: the driver's own, where the database raised it."""
    match error:
        case StatementError():
            return str(error).partition(":")[0]
        case Unavailable():
            return error.cause.partition(":")[0]
        case _:
            return type(error).__qualname__


def _provider(version: str) -> TracerProvider:
    """Return a tracer provider whose service OTEL_ variables may rename."""
    service = Resource({"service.name": _NAME, "service.version": version})
    named = Resource.create().merge(service).merge(OTELResourceDetector().detect())
    return TracerProvider(resource=named, shutdown_on_exit=False)


def _once_per_minute() -> Callable[[logging.LogRecord], bool]:
    """Return a log filter that passes each message once a minute: collectors may be away long."""
    logged: dict[str, float] = {}

    def passes(record: logging.LogRecord) -> bool:
        now = time.monotonic()
        if now - logged.get(record.msg, -REPEAT_AFTER) < REPEAT_AFTER:
            return False
        logged[record.msg] = now
        return True

    return passes
