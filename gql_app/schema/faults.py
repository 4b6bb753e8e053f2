"""What a client is told when something goes wrong, and what only the log is told."""

from collections.abc import Iterator
from typing import Final

import structlog
from graphql import GraphQLError, GraphQLSyntaxError, OperationDefinitionNode
from strawberry.extensions import SchemaExtension
from strawberry.types.execution import ExecutionResult, PreExecutionError

from gql_app.errors import Refusal
from gql_app.schema.validation import MAX_ERRORS

DEADLINE_EXCEEDED: Final = "DEADLINE_EXCEEDED"
MAX_MESSAGE: Final = 1000
"""How much of a message is told, for it may print a whole document."""
MAX_NAME: Final = 100
"""How much of an operation's name is logged."""

_log: Final = structlog.stdlib.get_logger(__name__)


class Faults(SchemaExtension):
    """Gives every error its code, lets refusals through and masks what nobody foresaw."""

    _masked_before = 0

    def on_validate(self) -> Iterator[None]:
        """Refuse to guess which operation is meant (GraphQL section 6.1, GetOperation)."""
        context = self.execution_context
        document = context.graphql_document
        operations = [
            node
            for node in (document.definitions if document else ())
            if isinstance(node, OperationDefinitionNode)
        ]
        if (
            not context.pre_execution_errors
            and len(operations) > 1
            and context._provided_operation_name is None  # noqa: SLF001 — its public twin guesses the first
        ):
            message = "The document has several operations: operationName must say which to run."
            context.pre_execution_errors = [GraphQLError(message, operations)]
        yield

    def on_operation(self) -> Iterator[None]:
        """Go over the errors when all is done; one that is cancelled is late()."""
        try:
            yield
        finally:
            self._note_who()
        result = self.execution_context.result
        errors = (result and result.errors) or []
        if not any(error.path for error in errors):
            errors = errors[:MAX_ERRORS]
        told = [
            self._told(error, before_execution=isinstance(result, PreExecutionError))
            for error in errors
        ]
        if result and told:
            result.errors = told
        codes = {
            str((e.extensions or {}).get("reason") or (e.extensions or {})["code"]) for e in told
        }
        structlog.contextvars.bind_contextvars(outcome=" ".join(sorted(codes)) or "OK")

    def _note_who(self) -> None:
        """Add to the request's line in the log what was asked, and by whom."""
        context = self.execution_context.context
        structlog.contextvars.bind_contextvars(
            operation=(self.execution_context.operation_name or "")[:MAX_NAME],
            caller=str(context.caller_id) if context.caller_id else None,
        )

    def _told(self, error: GraphQLError, *, before_execution: bool) -> GraphQLError:
        cause = error.original_error
        if isinstance(cause, Refusal):
            return error
        if isinstance(error, GraphQLSyntaxError):
            return _coded(error, "GRAPHQL_PARSE_FAILED")
        # A DateTime that is none, and an integer too long for Python to read, are ValueErrors.
        if before_execution and isinstance(cause, ValueError | None):
            return _coded(error, "GRAPHQL_VALIDATION_FAILED")
        if isinstance(cause, GraphQLError | None):
            return _coded(error, "BAD_USER_INPUT")
        return self._masked(error)

    def _masked(self, error: GraphQLError) -> GraphQLError:
        request_id = self.execution_context.context.request_id
        self._masked_before += 1
        if self._masked_before <= MAX_ERRORS:  # each row of a page may have the same one
            _log.error("Unforeseen error", path=error.path, exc_info=error.original_error)
        return GraphQLError(
            "Something went wrong on our side. If it happens again, tell us the request's id: "
            f"{request_id}.",
            nodes=error.nodes,
            path=error.path,
            extensions={"code": "INTERNAL_SERVER_ERROR", "requestId": request_id},
        )


def late(seconds: float) -> ExecutionResult:
    """Answer an operation that was cancelled, and note so in the request's line in the log.

    A mutation may have several fields, and what is committed isn't undone.
    """
    structlog.contextvars.bind_contextvars(outcome=DEADLINE_EXCEEDED)
    error = GraphQLError(
        f"The operation took longer than {seconds:g} seconds, so it was cancelled. "
        "What it had finished by then is not undone.",
        extensions={"code": DEADLINE_EXCEEDED},
    )
    return ExecutionResult(data=None, errors=[error])


def _coded(error: GraphQLError, code: str) -> GraphQLError:
    error.message = error.message[:MAX_MESSAGE]
    error.extensions = {"code": code, **(error.extensions or {})}
    return error
