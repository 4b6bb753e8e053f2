"""Spans of requests: nothing of a fault or a query in a URL, and none where they are off."""

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.types import Receive, Scope, Send

from gql_app.lib.telemetry import Tracing
from gql_app.web.middleware import RequestLogMiddleware

PASSWORD = "correct horse of the tests"


async def test_request_that_a_fault_ends_says_nothing_of_it() -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise LookupError(PASSWORD)

    transport = httpx.ASGITransport(RequestLogMiddleware(app, tracing=Tracing("1", provider)))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        with pytest.raises(LookupError):
            await client.get("/graphql", params={"query": PASSWORD})
    (span,) = exporter.get_finished_spans()
    assert (span.name, span.events, span.status.description) == ("GET", (), None)
    assert span.attributes
    assert span.attributes["url.path"] == "/graphql"
    assert PASSWORD not in str(span.attributes)


async def test_what_is_off_by_its_own_variable_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    transport = httpx.ASGITransport(RequestLogMiddleware(app, tracing=Tracing("1")))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert "traceresponse" not in (await client.get("/")).headers
