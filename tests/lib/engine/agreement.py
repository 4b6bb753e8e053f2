"""The comparison of two executors' results: the data to the byte, and the errors."""

import json
from typing import Any

from graphql import ExecutionResult, GraphQLError

from gql_app.lib.engine.error_sources import is_of_value
from tests.lib.engine.worlds import Path


def written(result: ExecutionResult) -> str:
    """Return the data as JSON, to compare byte for byte."""
    return json.dumps(result.data, default=repr)


def told(result: ExecutionResult, *, at_once: bool) -> list[str]:
    """Return the contents of the errors, in their order.

    With `at_once`, for awaitables that don't wait, they are sorted, and errors below a null that
    another error explains are left out: either may come first.
    """
    errors = [
        error
        for error in result.errors or ()
        if not at_once or list(_visible(error, result.data)) == (error.path or [])
    ]
    causes = [(error.formatted, error.original_error, is_of_value(error)) for error in errors]
    texts = [f"{told} {type(why)} {getattr(why, 'args', None)} {of}" for told, why, of in causes]
    return sorted(texts) if at_once else texts


def explained(result: ExecutionResult) -> set[Path]:
    """Return the paths of nulls that errors explain; several errors may explain one."""
    return {_visible(error, result.data) for error in result.errors or ()}


def _visible(error: GraphQLError, data: Any) -> Path:  # noqa: ANN401 — JSON
    """Return the part of an error's path that the data have."""
    place: Path = ()
    for key in error.path or ():
        if data is None:
            break
        data, place = data[key], (*place, key)
    return place
