"""GraphQL errors as clients see them: those they can act on; others are masked and logged."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from graphql import GraphQLError, GraphQLSyntaxError

from gql_app.errors import Refusal, Rejected, UndeclaredCode
from gql_app.lib.database import Unavailable
from gql_app.lib.engine import MAX_ERRORS, OperationTimeout, is_denial, is_of_value
from gql_app.lib.pagination import InvalidArgument
from gql_app.lib.telemetry import get_logger
from gql_app.schema.context import Context
from gql_app.schema.payloads import check_codes
from gql_app.schema.types import UnreadableValue

DEADLINE_EXCEEDED: Final = "DEADLINE_EXCEEDED"
SHOWN: Final = (Refusal, Rejected, Unavailable, InvalidArgument)
"""Exceptions that a client is shown as they are, each with a dictionary `extensions`."""
MAX_MESSAGE: Final = 1000
"""Characters of a message that are shown, for it may print a whole document."""
_VALUE: Final = re.compile(r",? found:? [{\[].*|(?<= non string value): .*", re.DOTALL)
"""The part of a message that prints an input object, a list, or what is sent for a text.

It may hold a password, and clients log messages.
"""
_UNREADABLE: Final = "A value can't be read. Does a number have thousands of digits?"
"""The message in place of the interpreter's own."""
_log: Final = get_logger(__name__)


def map_errors(
    errors: Sequence[GraphQLError], context: Context, *, executed: bool
) -> list[GraphQLError]:
    """Return errors as a client is shown them, with unforeseen ones masked.

    The causes of whatever is unavailable are logged, and the first MAX_ERRORS masked errors: each
    row of a page may have the same one.
    """
    errors = list(_declared(errors, context))
    whys = [error.original_error for error in errors]
    causes: dict[str, dict[str, None]] = {}
    for why in whys:
        if isinstance(why, Unavailable) and why.event:
            causes.setdefault(why.event, {})[why.cause] = None
    for event, each in causes.items():
        _log.warning(event, causes=list(each))
    if isinstance(whys[0], OperationTimeout):
        return [_timeout_error(whys[0].seconds, may_be_done=context.writes)]
    if not executed:
        return [_request_error(error, context.request_id) for error in errors[:MAX_ERRORS]]
    answer, masked = [], 0
    for error in errors if any(error.path for error in errors) else errors[:MAX_ERRORS]:
        if isinstance(error.original_error, SHOWN):
            answer.append(_without_tracebacks(error, error.original_error))
        elif isinstance(error.original_error, GraphQLError | None) and not is_of_value(error):
            answer.append(_with_code(error, "FORBIDDEN" if is_denial(error) else "BAD_USER_INPUT"))
        else:
            masked += 1
            answer.append(_masked(error, context.request_id, logged=masked <= MAX_ERRORS))
    return answer


def _declared(errors: Sequence[GraphQLError], context: Context) -> Iterator[GraphQLError]:
    """Yield errors, with a server error in place of each whose code the schema lacks."""
    for error in errors:
        try:
            if isinstance(error.original_error, Rejected):
                check_codes(error.original_error, context)
            yield error
        except UndeclaredCode as why:
            message, path = str(why), error.path
            yield GraphQLError(message, error.nodes, path=path, original_error=why)


def _without_tracebacks(error: GraphQLError, why: Exception) -> GraphQLError:
    """Return an error without its tracebacks, whose frames refer to the error in turn.

    Such a reference cycle costs a garbage collection, a quarter of a refusal's time.
    """
    error.__traceback__ = why.__traceback__ = None
    return error


def _timeout_error(seconds: float, *, may_be_done: bool) -> GraphQLError:
    """Return the error of an operation that was cancelled.

    A mutation may have several fields, and what is committed isn't undone: `mayBeDone` says
    that a write had begun.
    """
    extensions: dict[str, object] = {"code": DEADLINE_EXCEEDED}
    if may_be_done:
        extensions["mayBeDone"] = True
    return GraphQLError(
        f"The operation took longer than {seconds:g} seconds, so it was cancelled. "
        "What it had finished by then is not undone.",
        extensions=extensions,
    )


def _request_error(error: GraphQLError, request_id: str) -> GraphQLError:
    """Return an error of a request that was not executed."""
    if isinstance(error, GraphQLSyntaxError):
        return _with_code(error, "GRAPHQL_PARSE_FAILED")
    # A malformed DateTime, and an integer too long for Python to parse, are ValueErrors.
    if isinstance(_cause(error), ValueError | None):
        return _with_code(error, "GRAPHQL_VALIDATION_FAILED")
    return _masked(error, request_id, logged=True)


def _masked(error: GraphQLError, request_id: str, *, logged: bool) -> GraphQLError:
    why = error.original_error
    if isinstance(why, GraphQLError):
        why.nodes = why.source = None  # its text would have the document, and a password in it
    if logged:
        _log.error("Unforeseen error", path=error.path, exc_info=why)
    return GraphQLError(
        "Something went wrong on our side. If it happens again, tell us the request's id: "
        f"{request_id}.",
        nodes=error.nodes,
        path=error.path,
        extensions={"code": "INTERNAL_SERVER_ERROR", "requestId": request_id},
    )


def _with_code(error: GraphQLError, code: str) -> GraphQLError:
    """Return an error with a code; a foreign message, which graphql-core repeats, is replaced."""
    readable = isinstance(_cause(error), UnreadableValue | None)
    shown = _VALUE.sub(".", error.message)[:MAX_MESSAGE]
    error.message = shown if readable else _UNREADABLE
    error.extensions = {"code": code, **(error.extensions or {})}
    return error


def _cause(error: GraphQLError) -> Exception | None:
    """Return the exception that an error of graphql-core wraps, if it is not its own."""
    why = error.original_error
    while isinstance(why, GraphQLError):
        why = why.original_error
    return why
