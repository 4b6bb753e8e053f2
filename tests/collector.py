"""A collector of traces, which receives spans by OTLP over HTTP."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass(frozen=True, slots=True)
class Arrived:
    """A received span."""

    span: Span
    service: str

    @property
    def trace(self) -> str:
        """The id of its trace."""
        return self.span.trace_id.hex()

    @property
    def id(self) -> str:
        """Its id."""
        return self.span.span_id.hex()

    @property
    def parent(self) -> str:
        """The id of its parent span."""
        return self.span.parent_span_id.hex()

    @property
    def told(self) -> dict[str, str | int]:
        """Its attributes."""
        return {
            each.key: each.value.string_value or each.value.int_value
            for each in self.span.attributes
        }


@dataclass(slots=True)
class Collector:
    """The received requests, as bytes and as spans."""

    url: str
    bodies: list[bytes] = field(default_factory=list)

    @property
    def spans(self) -> list[Arrived]:
        """All spans, ordered by start time."""
        requests = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        found = [
            Arrived(span, named.value.string_value)
            for request in requests
            for resource in request.resource_spans
            for named in resource.resource.attributes
            if named.key == "service.name"
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        return sorted(found, key=lambda each: each.span.start_time_unix_nano)

    def of(self, trace: str) -> list[Arrived]:
        """Return the spans of one trace."""
        return [span for span in self.spans if span.trace == trace]


@contextmanager
def collecting() -> Iterator[Collector]:
    """Run a collector until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            collector.bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *_: object) -> None:  # noqa: A002 — as its base has it
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector = Collector(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield collector
        server.shutdown()
        thread.join()
