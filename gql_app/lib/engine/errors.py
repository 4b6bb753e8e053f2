"""Errors: what a client is shown of what went wrong, and what only the log is."""

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from graphql import GraphQLError, GraphQLSyntaxError

from gql_app.lib.engine.engine import OperationTimeout
from gql_app.lib.engine.limits import MAX_ERRORS
from gql_app.lib.telemetry import get_logger

DEADLINE_EXCEEDED: Final = "DEADLINE_EXCEEDED"
MAX_MESSAGE: Final = 1000
"""Characters of a message that are shown, for it may print a whole document."""
_UNREADABLE: Final = "A value can't be read. Does a number have thousands of digits?"
"""What is said instead of what the interpreter has to say."""
_log: Final = get_logger(__name__)

Shown: TypeAlias = tuple[type[Exception], ...]
"""Exceptions that a client is shown as they are, each with a dictionary `extensions`."""


class UnreadableValue(ValueError):
    """A value that a scalar can't be; a client is shown its words."""


def client_errors(
    errors: Sequence[GraphQLError],
    request_id: str,
    *,
    executed: bool,
    shown: Shown,
    may_be_done: bool = False,
) -> list[GraphQLError]:
    """Return errors as a client is shown them; whatever nobody foresaw is masked and logged.

    `may_be_done` says that the operation had begun to write, in case that it was cancelled.
    """
    timeout = errors[0].original_error
    if isinstance(timeout, OperationTimeout):
        return [timeout_error(timeout.seconds, may_be_done=may_be_done)]
    if executed:
        return executed_errors(errors, request_id, shown)
    return request_errors(errors, request_id)


def request_errors(errors: Sequence[GraphQLError], request_id: str) -> list[GraphQLError]:
    """Return why nothing is executed; a document can be made of nothing but errors."""
    return [_request_error(error, request_id) for error in errors[:MAX_ERRORS]]


def executed_errors(
    errors: Sequence[GraphQLError], request_id: str, shown: Shown
) -> list[GraphQLError]:
    """Return what went wrong while fields were executed.

    What is masked is logged, but only a few times: each row of a page may have the same error.
    """
    answer, masked = [], 0
    for error in errors if any(error.path for error in errors) else errors[:MAX_ERRORS]:
        if isinstance(error.original_error, shown):
            answer.append(error)
        elif isinstance(error.original_error, GraphQLError | None):
            answer.append(_coded(error, "BAD_USER_INPUT"))
        else:
            masked += 1
            answer.append(_masked(error, request_id, logged=masked <= MAX_ERRORS))
    return answer


def outcome(errors: Iterable[GraphQLError] | None, refusals: Iterable[str]) -> str:
    """Return for the log how it came out: each code of errors and payloads once, or OK."""
    codes = {
        str(extensions.get("reason") or extensions["code"])
        for extensions in ((error.extensions or {}) for error in errors or ())
    }
    return " ".join(sorted(codes.union(refusals))) or "OK"


def retry_after(errors: Iterable[GraphQLError] | None) -> int | None:
    """Return the seconds after which to try again, if any error has them as `retryAfter`.

    Proxies and clients act upon this, so it goes for both media types.
    """
    waits = [(error.extensions or {}).get("retryAfter") for error in errors or ()]
    return max(filter(None, waits), default=None)


def timeout_error(seconds: float, *, may_be_done: bool) -> GraphQLError:
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
    readable = isinstance(_cause(error), UnreadableValue | None)
    error.message = error.message[:MAX_MESSAGE] if readable else _UNREADABLE
    error.extensions = {"code": code, **(error.extensions or {})}
    return error


def _cause(error: GraphQLError) -> Exception | None:
    """Return the exception that an error of graphql-core wraps, if it is not its own."""
    why = error.original_error
    while isinstance(why, GraphQLError):
        why = why.original_error
    return why
