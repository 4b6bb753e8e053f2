"""Errors as clients see them: those they can act on; others are masked and logged."""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

from graphql import GraphQLError, GraphQLSyntaxError

from gql_app.lib.engine.engine import OperationTimeout
from gql_app.lib.engine.error_sources import in_place_of, is_denial, is_of_value
from gql_app.lib.engine.limits import MAX_ERRORS
from gql_app.lib.faults import Unavailable
from gql_app.lib.telemetry import get_logger

MAX_MESSAGE: Final = 1000
"""Characters of a message that are shown, for it may print a whole document."""
_VALUE: Final = re.compile(r"[,;]? found:? [{\[].*|(?<= non string value): .*", re.DOTALL)
"""The part of a message that prints an input object, a list, or what is sent for a text.

It may hold a password, and clients log messages.
"""
_CAUGHT: Final = ", but encountered error '"
"""What follows the type's name in graphql-core's message about a foreign error, which it quotes."""
_DIGIT_LIMIT: Final = "Exceeds the limit"
"""The beginning of Python's message about too many digits."""
_log: Final = get_logger(__name__)


class ErrorContext(Protocol):
    """What is asked of the application's context."""

    @property
    def request_id(self) -> str:
        """The id by which the request is found in the log."""

    @property
    def writes(self) -> bool:
        """Whether a write had begun."""


C_contra = TypeVar("C_contra", bound=ErrorContext, contravariant=True)


class ErrorMapper(Generic[C_contra]):
    """Maps errors to what a client may read; an Engine is given it."""

    def __init__(
        self,
        *,
        shown: tuple[type[Exception], ...],
        readable: type[ValueError],
        checked: type[Exception],
        check: Callable[[Any, C_contra], None],
    ) -> None:
        """Take the application's exceptions.

        Those of `shown` are shown as they are, and have a dictionary `extensions`. `readable` is
        what its scalars raise: the messages of other ValueErrors are not shown. What the check
        raises of one that is `checked` takes that one's place.
        """
        self._shown = shown
        self._readable = readable
        self._checked = checked
        self._check = check

    def __call__(
        self, errors: Sequence[GraphQLError], context: C_contra, *, executed: bool
    ) -> list[GraphQLError]:
        """Return errors as a client is shown them, with unforeseen ones masked.

        The causes of whatever is unavailable are logged, and the first MAX_ERRORS masked errors:
        each row of a page may have the same one.
        """
        errors = [
            self._confirmed(error, context)
            if isinstance(error.original_error, self._checked)
            else error
            for error in errors
        ]
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
            return [self._request_error(error, context) for error in errors[:MAX_ERRORS]]
        answer, masked = [], 0
        for error in errors if any(error.path for error in errors) else errors[:MAX_ERRORS]:
            if isinstance(error.original_error, self._shown):
                answer.append(_without_tracebacks(error, error.original_error))
            elif isinstance(error.original_error, GraphQLError | None) and not is_of_value(error):
                code = "FORBIDDEN" if is_denial(error) else "BAD_USER_INPUT"
                answer.append(self._with_code(error, code))
            else:
                masked += 1
                answer.append(_masked(error, context.request_id, logged=masked <= MAX_ERRORS))
        return answer

    def _confirmed(self, error: GraphQLError, context: C_contra) -> GraphQLError:
        """Return an error, or a server error in its place if the check raises one."""
        try:
            self._check(error.original_error, context)
        except Exception as why:  # noqa: BLE001 — answered, and logged
            return in_place_of(error, str(why), original_error=why)
        return error

    def _request_error(self, error: GraphQLError, context: C_contra) -> GraphQLError:
        """Return an error of a request that was not executed."""
        if isinstance(error, GraphQLSyntaxError):
            return self._with_code(error, "GRAPHQL_PARSE_FAILED")
        # What a scalar can't parse, and an integer too long for Python to, are ValueErrors.
        if isinstance(_cause(error), ValueError | None):
            return self._with_code(error, "GRAPHQL_VALIDATION_FAILED")
        return _masked(error, context.request_id, logged=True)

    def _with_code(self, error: GraphQLError, code: str) -> GraphQLError:
        """Return an error with a code.

        A foreign message, which graphql-core repeats, is left out.
        """
        cause = _cause(error)
        message = _VALUE.sub(".", error.message)
        if not isinstance(cause, self._readable | None):
            message = _without_cause(error.message, cause)
        error.message = message[:MAX_MESSAGE]
        error.extensions = {"code": code, **(error.extensions or {})}
        return error


def _without_cause(message: str, cause: Exception | None) -> str:
    """Return what a message says before it quotes a foreign error, such as the expected type."""
    if str(cause).startswith(_DIGIT_LIMIT):
        return "A value can't be read. Does a number have thousands of digits?"
    said, caught, _ = message.partition(_CAUGHT)
    return f"{said}." if caught else "A value can't be read."


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
    extensions: dict[str, object] = {"code": "DEADLINE_EXCEEDED"}
    if may_be_done:
        extensions["mayBeDone"] = True
    return GraphQLError(
        f"The operation took longer than {seconds:g} seconds, so it was cancelled. "
        "What it had finished by then is not undone.",
        extensions=extensions,
    )


def _masked(error: GraphQLError, request_id: str, *, logged: bool) -> GraphQLError:
    why = error.original_error
    if isinstance(why, GraphQLError):
        why.nodes = why.source = None  # its text would have the document, and a password in it
    if logged:
        _log.error("Unforeseen error", path=error.path, exc_info=why)
    return in_place_of(
        error,
        "Something went wrong on our side. If it happens again, tell us the request's id: "
        f"{request_id}.",
        extensions={"code": "INTERNAL_SERVER_ERROR", "requestId": request_id},
    )


def _cause(error: GraphQLError) -> Exception | None:
    """Return the exception that an error of graphql-core wraps, if it is not its own."""
    why = error.original_error
    while isinstance(why, GraphQLError):
        why = why.original_error
    return why
