"""What two executors have to agree on: the data to the byte, and what the errors tell."""

import json
from typing import Any

from graphql import ExecutionResult, GraphQLError

from tests.lib.engine.worlds import Path


def written(result: ExecutionResult) -> str:
    """Return the data as JSON, to compare byte for byte."""
    return json.dumps(result.data, default=repr)


def told(result: ExecutionResult, *, at_once: bool) -> list[str]:
    """Return all that the errors tell, in their order.

    With what is awaited and doesn't wait, their order is left out, and so are errors below a null
    that another explains: at one moment, either may come first.
    """
    errors = [
        error
        for error in result.errors or ()
        if not at_once or list(_visible(error, result.data)) == (error.path or [])
    ]
    causes = [(error.formatted, error.original_error) for error in errors]
    texts = [f"{told} {type(cause)} {getattr(cause, 'args', None)}" for told, cause in causes]
    return sorted(texts) if at_once else texts


def explained(result: ExecutionResult) -> set[Path]:
    """Return the nulls of the data that errors explain, which several may do of one."""
    return {_visible(error, result.data) for error in result.errors or ()}


def _visible(error: GraphQLError, data: Any) -> Path:  # noqa: ANN401 — JSON
    """Return what the data have of an error's path."""
    place: Path = ()
    for key in error.path or ():
        if data is None:
            break
        data, place = data[key], (*place, key)
    return place
