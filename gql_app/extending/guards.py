"""Guards: the permissions of a node's fields, which filters, orders and cursors require, too."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from strawberry.permission import BasePermission
from strawberry.types.field import StrawberryField

from gql_app.extending.comparisons import NAMES
from gql_app.lib.composition import permissions_of
from gql_app.schema.permissions import PRIVATE

_OWN: Final = "gql_app."
"""The beginning of the modules of our permissions, which need no object to decide."""


def guards(fields: Iterable[StrawberryField], column: str) -> list[BasePermission]:
    """Return the permissions of the fields that show a column, which are those of its name."""
    return [*chain.from_iterable(map(permissions_of, _showing(fields, column)))]


def guard_faults(fields: Iterable[StrawberryField], columns: Iterable[str]) -> Iterator[str]:
    """Yield a sentence on each of these columns whose permission may decide by the object."""
    for column in columns:
        for each in guards(fields, column):
            if not type(each).has_permission.__module__.startswith(_OWN):
                yield (
                    f"{column} takes {type(each).__name__}, which may decide by the object, so no "
                    "filter, order or cursor can use it: take HasPermission, or another column"
                )


def hidden(fields: Iterable[StrawberryField], columns: Iterable[str]) -> Iterator[str]:
    """Yield each of these columns that a field shows only to some callers."""
    for column in columns:
        is_private = any(
            PRIVATE.items() <= dict(each.metadata).items() for each in _showing(fields, column)
        )
        if is_private or guards(fields, column):
            yield column


def _showing(fields: Iterable[StrawberryField], column: str) -> Iterator[StrawberryField]:
    called = NAMES.apply_naming_config(column)
    for each in fields:
        if each.python_name == column or NAMES.get_graphql_name(each) == called:
            yield each
