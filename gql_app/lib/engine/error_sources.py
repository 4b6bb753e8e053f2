"""Error sources: the functions that raised an error, by which the server's errors are known."""

from collections.abc import Callable
from traceback import walk_tb
from types import CodeType
from typing import Any, Final

from graphql import GraphQLError
from graphql.execution.incremental import IncrementalExecutor

from gql_app.lib.engine.fields import objects


def _codes(*functions: Callable[..., Any]) -> frozenset[CodeType]:
    """Return the code of functions and of those within them."""
    codes = [each.__code__ for each in functions]
    within = (each for code in codes for each in code.co_consts if isinstance(each, CodeType))
    return frozenset([*codes, *within])


_LEAF: Final = IncrementalExecutor.complete_leaf_value.__code__
"""Calls what the type of a scalar or an enum has for it, and nothing else."""
_COMPLETING: Final = _codes(
    IncrementalExecutor.complete_list_value,
    IncrementalExecutor.complete_object_value,
    IncrementalExecutor.ensure_valid_runtime_type,
    objects,
)
"""Raise an error of their own if a value is wrong; others pass through them."""


def is_of_value(error: GraphQLError) -> bool:
    """Return whether an error of a field is of the value that its resolver returned.

    graphql-core raises the same GraphQLError for such a value, which is the server's fault, and for
    an argument or a directive's condition, which is the client's; a resolver may raise one as well,
    for clients. No attribute tells them apart in every case, but the function that raised it does,
    in both executors: the traceback of the original error ends there.
    """
    codes = _passed(error)
    return _LEAF in codes or not _COMPLETING.isdisjoint(codes[-1:])


def is_denial(error: GraphQLError) -> bool:
    """Return whether an error was raised by `on_unauthorized` of one of Strawberry's permissions.

    That may be the permission's own, with an error of any class.
    """
    return any(code.co_name == "on_unauthorized" for code in _passed(error))


def in_place_of(
    error: GraphQLError,
    message: str,
    *,
    original_error: Exception | None = None,
    extensions: dict[str, object] | None = None,
) -> GraphQLError:
    """Return another error at the place of one, without a search of the document for its lines."""
    found = GraphQLError(
        message, path=error.path, original_error=original_error, extensions=extensions
    )
    found.nodes, found.locations = error.nodes, error.locations
    return found


def _passed(error: GraphQLError) -> list[CodeType]:
    """Return the code of the functions that the original error left, that which raised it last."""
    why = error.original_error
    return [frame.f_code for frame, _ in walk_tb(why.__traceback__)] if why else []
