"""Statements as spans: whose there are, and what is said of one that fails."""

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from sqlalchemy import Text, bindparam, column, select, table

from gql_app.db.faults import DRIVERS
from gql_app.lib.database import Database, Query
from gql_app.lib.ids import new_id
from gql_app.lib.telemetry.statement_spans import trace_statements
from tests.accounts.rows import customer, store
from tests.db.test_deeds import write

GOOD = Query(select(bindparam("name", type_=Text())), tuple)
NOWHERE = table("nowhere", column("name"))
NAMED = NOWHERE.c.name == bindparam("name", type_=Text())
BAD = Query(select(NOWHERE.c.name).where(NAMED), tuple)


async def test_question_that_fails_is_told_by_its_kind_alone(database: Database) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("tests")
    trace_statements(database, tracer)
    await database.fetch_all(GOOD, name="nobody's request")
    with tracer.start_as_current_span("request"):
        await database.fetch_all(GOOD, name="Ada")
        with pytest.raises(Exception, match="nowhere") as caught:
            await database.fetch_all(BAD, name="Ada")
    good, bad, request = exporter.get_finished_spans()
    assert request.context is not None
    for span in (good, bad):
        assert span.parent is not None
        assert span.parent.span_id == request.context.span_id
        assert "Ada" not in span.to_json()
    assert good.status.status_code is StatusCode.UNSET
    assert (bad.status.status_code, bad.status.description) == (StatusCode.ERROR, None)
    assert bad.attributes is not None
    assert bad.attributes["error.type"] == caught.type.__qualname__
    assert "nowhere" in str(bad.attributes["db.query.text"])


async def test_deed_is_one_span_that_tells_all_its_statements(database: Database) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("tests")
    trace_statements(database, tracer)
    letter_id = new_id()
    [row] = await store(database, [customer("Ada")])
    with tracer.start_as_current_span("request"):
        assert await write(database, row, letter_id=letter_id)
        with pytest.raises(DRIVERS):
            await write(database, row, letter_id=letter_id)
    good, bad, _ = exporter.get_finished_spans()
    for span in (good, bad):
        assert span.attributes is not None
        told = str(span.attributes["db.query.text"])
        assert told.count("INSERT INTO letters") == told.count("UPDATE customers") == 1
        assert "Ada" not in span.to_json()
    assert good.status.status_code is StatusCode.UNSET
    assert (bad.status.status_code, bad.status.description) == (StatusCode.ERROR, None)
