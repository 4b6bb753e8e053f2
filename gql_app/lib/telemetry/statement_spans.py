"""Statements as spans of a trace: their text, in which no value stands, and never an answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, get_current_span
from sqlalchemy import Connection, Dialect, event
from sqlalchemy.engine import ExceptionContext

from gql_app.db.deeds import Deed, Doer
from gql_app.db.engine import Database
from gql_app.db.questions import Question, Reader, T

_SPAN: Final = "span"
"""Where a connection keeps the span of what it runs."""


def trace_statements(database: Database, tracer: Tracer) -> None:
    """Have every statement that a request asks for be a span below the request's."""
    engine = database.engine.sync_engine
    statements = _Statements(tracer, engine.dialect)
    database.wrap(
        lambda reader, doer: (_TracedReader(reader, statements), _TracedDoer(doer, statements))
    )
    event.listen(engine, "before_cursor_execute", statements.before)
    event.listen(engine, "after_cursor_execute", statements.after)
    event.listen(engine, "handle_error", statements.failed)


def fail(span: Span, why: BaseException) -> None:
    """Tell what kind of fault it was; its words may hold values."""
    span.set_status(StatusCode.ERROR)
    span.set_attribute("error.type", type(why).__qualname__)


class _Statements:
    """Begins and ends spans, as OpenTelemetry's conventions for databases have them."""

    def __init__(self, tracer: Tracer, dialect: Dialect) -> None:
        self._tracer = tracer
        self.dialect = dialect

    def begin(self, sql: str) -> Span | None:
        """Begin a span, if it is a part of something: nobody asks for what the chores do."""
        if not get_current_span().is_recording():
            return None
        operation = sql.split(maxsplit=1)[0].upper()
        attributes = {
            "db.system.name": self.dialect.name,
            "db.operation.name": operation,
            "db.query.text": sql,
        }
        return self._tracer.start_span(operation, kind=SpanKind.CLIENT, attributes=attributes)

    @contextmanager
    def spanning(self, sql: str) -> Iterator[None]:
        """Have what the driver is sent be a span."""
        span = self.begin(sql)
        if span is None:
            yield
            return
        try:
            yield
        except BaseException as why:
            fail(span, why)
            raise
        finally:
            span.end()

    def before(self, connection: Connection, _cursor: object, sql: str, *_: object) -> None:
        """Begin the span of a statement that SQLAlchemy runs."""
        if span := self.begin(sql):
            connection.info[_SPAN] = span

    def after(self, connection: Connection, *_: object) -> None:
        """End it."""
        if span := connection.info.pop(_SPAN, None):
            span.end()

    def failed(self, context: ExceptionContext) -> None:
        """End it with its fault."""
        if context.connection and (span := context.connection.info.pop(_SPAN, None)):
            fail(span, context.original_exception)
            span.end()


class _TracedReader:
    """A reader each of whose questions is a span."""

    def __init__(self, reader: Reader, statements: _Statements) -> None:
        self._reader = reader
        self._statements = statements

    async def ask(self, question: Question[T], /, **values: object) -> list[T]:
        """Ask a question."""
        with self._statements.spanning(question.rendered(self._statements.dialect).sql):
            return await self._reader.ask(question, **values)


class _TracedDoer:
    """A doer each of whose deeds is a span."""

    def __init__(self, doer: Doer, statements: _Statements) -> None:
        self._doer = doer
        self._statements = statements

    async def do(self, deed: Deed, /, **values: object) -> bool:
        """Do a deed."""
        orders = deed.orders(self._statements.dialect, values)
        with self._statements.spanning("; ".join(dict.fromkeys(sql for sql, _ in orders))):
            return await self._doer.do(deed, **values)
