"""Statements as spans of a trace: their text, in which no value stands, and never an answer."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, get_current_span

from gql_app.lib.database import Database, StatementError, Unavailable


def trace_statements(database: Database, tracer: Tracer) -> None:
    """Make a span of every statement that a request sends, below the request's.

    Its attributes are named by OpenTelemetry's conventions for databases. A statement that is no
    part of a request has none, for nobody asks for what the server does by itself.
    """

    @contextmanager
    def spanned(sql: str) -> Iterator[None]:
        if not get_current_span().is_recording():
            yield
            return
        operation = sql.split(maxsplit=1)[0].upper()
        attributes = {
            "db.system.name": database.dialect,
            "db.operation.name": operation,
            "db.query.text": sql,
        }
        span = tracer.start_span(operation, kind=SpanKind.CLIENT, attributes=attributes)
        try:
            yield
        except BaseException as error:
            fail(span, error)
            raise
        finally:
            span.end()

    database.observe(spanned)


def fail(span: Span, error: BaseException) -> None:
    """Set the kind of error that a span ended with; its text may hold values."""
    span.set_status(StatusCode.ERROR)
    span.set_attribute("error.type", _kind(error))


def _kind(error: BaseException) -> str:
    """Return the name of an error's class, which is the driver's if one of them raised it."""
    match error:
        case StatementError():
            return str(error).partition(":")[0]
        case Unavailable():
            return error.cause.partition(":")[0]
        case _:
            return type(error).__qualname__
