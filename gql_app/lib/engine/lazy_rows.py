"""Rows of a database that pass for a list of GraphQL objects."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar

T = TypeVar("T")
Row = Sequence[Any]
"""The values of one row, in the order of its columns."""


class LazyRows(Iterable[T]):
    """A list of GraphQL objects that are built only when they are looked at.

    To graphql-core it is a list. The compiled path writes the answer of the rows themselves,
    and builds no object at all.
    """

    def __init__(
        self, columns: Sequence[str], values: Sequence[Row], build: Callable[[Row], T]
    ) -> None:
        self.columns: Final = columns
        """Python's names of the fields that were read; no others of an object are looked at."""
        self.values: Final = values
        self._build = build

    def __iter__(self) -> Iterator[T]:
        """Return the objects, each built when its turn comes."""
        return map(self._build, self.values)
