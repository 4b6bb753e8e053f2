"""Outputs: a resolver's wrong value is told from a wrong argument, which is the caller's."""

from typing import Any

from graphql import FieldNode, GraphQLError
from graphql.execution.incremental import IncrementalExecutor


class InvalidOutput(GraphQLError):
    """A resolver's value is wrong for its field, through no fault of the caller's."""


class CoreExecutor(IncrementalExecutor):
    """graphql-core's executor, which raises InvalidOutput for a resolver's wrong value."""

    def complete_value(self, *given: Any) -> Any:  # noqa: ANN401 — as it has it
        """Return a completed value, or an awaitable of it."""
        try:
            return super().complete_value(*given)
        except GraphQLError as error:
            raise of_output(error, given[4]) from None


def of_output(error: Exception, value: object) -> Exception:
    """Return the error of completing a value, as an InvalidOutput if the value is at fault.

    Other errors are the value itself, or have a path, as they are of a field below it, or are of a
    directive or an argument there, so that their nodes are no fields.
    """
    if not isinstance(error, GraphQLError) or error is value or error.path is not None:
        return error
    if not all(isinstance(node, FieldNode) for node in error.nodes or ()):
        return error
    return InvalidOutput(error.message, error.nodes, original_error=error)
