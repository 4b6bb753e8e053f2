"""Errors: what a client is shown of what went wrong, and what only the log is."""

from collections.abc import Iterable, Sequence
from typing import Final

from graphql import GraphQLError, GraphQLSyntaxError

from gql_app.errors import Refusal, Unavailable
from gql_app.lib.engine import MAX_ERRORS, OperationTimeout
from gql_app.lib.pagination import InvalidArgument
from gql_app.lib.telemetry import get_logger
from gql_app.schema.context import Context

DEADLINE_EXCEEDED: Final = "DEADLINE_EXCEEDED"
MAX_MESSAGE: Final = 1000
"""Characters of a message that are shown, for it may print a whole document."""

_UNREADABLE: Final = "A value can't be read. Does a number have thousands of digits?"
"""What is said instead of what the interpreter has to say."""

_log: Final = get_logger(__name__)


class Unreadable(ValueError):
    """A value that a scalar of ours can't be; a client is shown its words."""


def map_errors(
    errors: Sequence[GraphQLError], context: Context, *, executed: bool
) -> list[GraphQLError]:
    """Return the errors that a client is answered."""
    timeout = errors[0].original_error
    if isinstance(timeout, OperationTimeout):
        return [late(timeout.seconds, may_be_done=context.writes)]
    if executed:
        return in_execution(errors, context.request_id)
    return before_execution(errors, context.request_id)


def before_execution(errors: Sequence[GraphQLError], request_id: str) -> list[GraphQLError]:
    """Return why nothing is executed; a document can be made of nothing but errors."""
    return [_shown_before(error, request_id) for error in errors[:MAX_ERRORS]]


def in_execution(errors: Sequence[GraphQLError], request_id: str) -> list[GraphQLError]:
    """Return what went wrong: refusals are let through, and what nobody foresaw is masked.

    It is logged, but only a few times: each row of a page may have the same one.
    """
    shown, masked, causes = [], 0, dict[str, None]()
    for error in errors if any(error.path for error in errors) else errors[:MAX_ERRORS]:
        why = error.original_error
        if isinstance(why, Unavailable):
            causes[why.cause] = None
        if isinstance(why, Refusal | Unavailable | InvalidArgument):
            shown.append(error)
        elif isinstance(why, GraphQLError | None):
            shown.append(_coded(error, "BAD_USER_INPUT"))
        else:
            masked += 1
            shown.append(_masked(error, request_id, logged=masked <= MAX_ERRORS))
    if causes:
        _log.warning("The database is unavailable", causes=list(causes))
    return shown


def outcome(errors: Iterable[GraphQLError] | None, refusals: Iterable[str]) -> str:
    """Return for the log how it came out: each code of errors and payloads once, or OK."""
    codes = {
        str(extensions.get("reason") or extensions["code"])
        for extensions in ((error.extensions or {}) for error in errors or ())
    }
    return " ".join(sorted(codes.union(refusals))) or "OK"


def retry_after(errors: Iterable[GraphQLError] | None) -> int | None:
    """Return in how many seconds to try again what the database couldn't answer, if there is any.

    Proxies and clients act upon this, so it goes for both media types.
    """
    if not errors:
        return None
    waits = [
        error.original_error.wait
        for error in errors
        if isinstance(error.original_error, Unavailable)
    ]
    return max(waits, default=None)


def late(seconds: float, *, may_be_done: bool) -> GraphQLError:
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


def _shown_before(error: GraphQLError, request_id: str) -> GraphQLError:
    if isinstance(error, GraphQLSyntaxError):
        return _coded(error, "GRAPHQL_PARSE_FAILED")
    # A DateTime that is none, and an integer too long for Python to read, are ValueErrors.
    if isinstance(_cause(error), ValueError | None):
        return _coded(error, "GRAPHQL_VALIDATION_FAILED")
    return _masked(error, request_id, logged=True)


def _masked(error: GraphQLError, request_id: str, *, logged: bool) -> GraphQLError:
    if logged:
        _log.error("Unforeseen error", path=error.path, exc_info=error.original_error)
    return GraphQLError(
        "Something went wrong on our side. If it happens again, tell us the request's id: "
        f"{request_id}.",
        nodes=error.nodes,
        path=error.path,
        extensions={"code": "INTERNAL_SERVER_ERROR", "requestId": request_id},
    )


def _coded(error: GraphQLError, code: str) -> GraphQLError:
    """Return an error of graphql-core's or ours; graphql-core repeats any exception's words."""
    readable = isinstance(_cause(error), Unreadable | None)
    error.message = error.message[:MAX_MESSAGE] if readable else _UNREADABLE
    error.extensions = {"code": code, **(error.extensions or {})}
    return error


def _cause(error: GraphQLError) -> Exception | None:
    """Return the exception that an error of graphql-core wraps, if it is not its own."""
    why = error.original_error
    while isinstance(why, GraphQLError):
        why = why.original_error
    return why
