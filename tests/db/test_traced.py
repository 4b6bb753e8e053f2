"""Statements as spans: whose there are, and what is said of one that fails."""

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from sqlalchemy import Text, bindparam, column, select, table, update

from gql_app.db.tables import CustomerRow
from gql_app.lib.database import Database, IntegrityViolation, Query, Transaction
from gql_app.lib.telemetry import Tracing
from tests.accounts.rows import customer, store

GOOD = Query(select(bindparam("name", type_=Text())), tuple)
NOWHERE = table("nowhere", column("name"))
NAMED = NOWHERE.c.name == bindparam("name", type_=Text())
BAD = Query(select(NOWHERE.c.name).where(NAMED), tuple)


async def test_question_that_fails_is_told_by_its_kind_alone(database: Database) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing = Tracing("1", provider)
    database.observer = tracing.statements(database.dialect)
    await database.fetch_all(GOOD, name="nobody's request")
    with tracing.tracer.start_as_current_span("request"):
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
    driver = "OperationalError" if database.dialect == "sqlite" else "UndefinedTableError"
    assert bad.attributes["error.type"] == driver
    assert str(caught.value).startswith(driver)
    assert "nowhere" in str(bad.attributes["db.query.text"])


async def test_each_statement_of_a_transaction_is_a_span(database: Database) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing = Tracing("1", provider)
    database.observer = tracing.statements(database.dialect)
    ada, bob = await store(database, [customer("Ada"), customer("Bob")])

    async def write(db: Transaction, email: str) -> None:
        await db.fetch_all(GOOD, name="Ada")
        changed = update(CustomerRow).where(CustomerRow.id == bob.id)
        await db.execute(changed.values(email_key=email))

    with tracing.tracer.start_as_current_span("request"):
        await database.transact(write, "bob@example.com")
        with pytest.raises(IntegrityViolation):
            await database.transact(write, ada.email_key)
    *spans, _ = exporter.get_finished_spans()
    assert [span.name for span in spans] == ["SELECT", "UPDATE"] * 2
    for span in spans:
        assert "example.com" not in span.to_json()
    assert {span.status.status_code for span in spans[:-1]} == {StatusCode.UNSET}
    assert (spans[-1].status.status_code, spans[-1].status.description) == (StatusCode.ERROR, None)
