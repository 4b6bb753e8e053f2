"""Traces: what a request did and how long each part took, sent to a collector by OTLP.

It is imported only where traces are on. OpenTelemetry's own OTEL_ variables decide the rest.
"""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from opentelemetry.exporter.otlp.proto.http import trace_exporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind

from gql_app import __version__
from gql_app.lib.database import Database
from gql_app.lib.outbox import Letter, Mailer
from gql_app.lib.telemetry.statement_spans import fail, trace_statements

LAST_CALL: Final = 3
"""Seconds that a collector has to take what is left when the server stops."""
SELDOM: Final = 60
"""Seconds for which one fault of a collector is told once."""
_OURS: Final = {"service.name": "gql_app", "service.version": __version__}


class Tracing:
    """What makes spans, and sends them while it is open."""

    def __init__(self) -> None:
        named = Resource.create().merge(Resource(_OURS)).merge(OTELResourceDetector().detect())
        self._provider: Final = TracerProvider(resource=named, shutdown_on_exit=False)
        self.tracer: Final = self._provider.get_tracer("gql_app", __version__)

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """Send spans as long as the block lasts; who doesn't take them holds up nothing."""
        log = logging.getLogger(trace_exporter.__name__)
        log.addFilter(seldom := _Seldom())
        self._provider.add_span_processor(BatchSpanProcessor(trace_exporter.OTLPSpanExporter()))
        try:
            yield
        finally:
            ending = threading.Thread(target=self._provider.shutdown, daemon=True)
            ending.start()
            await asyncio.to_thread(ending.join, LAST_CALL)
            if ending.is_alive():
                log.warning("Some spans are lost: the collector did not take them in time")
            log.removeFilter(seldom)

    def follow(self, database: Database) -> None:
        """Make a span of each statement of a request."""
        trace_statements(database, self.tracer)

    def mailer(self, mailer: Mailer) -> Mailer:
        """Return a mailer that makes a span of each letter that it sends."""
        return _TracedMailer(mailer, self)


class _TracedMailer:
    """A mailer that makes a span of each letter, with nothing in it of what it says."""

    def __init__(self, mailer: Mailer, tracing: Tracing) -> None:
        self._mailer = mailer
        self._tracing = tracing

    @property
    def open(self) -> bool:
        """Whether letters get anywhere this way."""
        return self._mailer.open

    async def send(self, letter: Letter) -> None:
        """Send a letter. Raises Undeliverable; anything else is worth another try."""
        attributes = {"gql_app.letter.id": letter.id}
        span = self._tracing.tracer.start_span(
            "send letter", kind=SpanKind.CLIENT, attributes=attributes
        )
        try:
            await self._mailer.send(letter)
        except BaseException as why:
            fail(span, why)
            raise
        finally:
            span.end()


class _Seldom(logging.Filter):
    """Lets a line through once in a while, for a collector may be away for days."""

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether this line is to be written."""
        now = time.monotonic()
        if now - self._told.get(record.msg, -SELDOM) < SELDOM:
            return False
        self._told[record.msg] = now
        return True
