"""Shapes of lists: what their statements are made of, and depend on."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, FromClause, UnaryExpression, and_

from gql_app.db.tables import Row

SHAPES: Final = 256
"""Statements of lists that are kept; those that nobody has asked for longest go."""


@dataclass(frozen=True, eq=False)
class Source:
    """What a list is taken from, and how the SQL of its parts is written."""

    entity: type[Row]
    at_hand: Callable[["Shape", str], ColumnElement[bool]]
    """Writes a condition in the way that is fast for a row at hand."""
    sought: Callable[["Shape", str], ColumnElement[bool]]
    """Writes it in the way that an index answers."""
    shown: Callable[["Shape", str, FromClause], ColumnElement[Any]]

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Name the columns in the order that they are read in."""
        return tuple(self.entity.__table__.columns.keys())


class Shape(NamedTuple):
    """All of a list that its statements depend on: everything but the values."""

    source: Source
    within: tuple[str, ...]
    """Conditions that an index in this order answers as well."""
    matching: tuple[str, ...]
    """The other conditions."""
    keys: tuple[str, ...]
    """The columns of its order, unique together."""
    descending: bool
    by_admin: bool = True

    @property
    def table(self) -> FromClause:
        """Name the table."""
        return self.source.entity.__table__

    @property
    def ids(self) -> list[str]:
        """Name the columns by which a row is found again."""
        return [column.key for column in self.table.primary_key]

    @property
    def bounds(self) -> list[ColumnElement[bool]]:
        """Write the conditions that bound the list."""
        return [self.source.sought(self, name) for name in self.within]

    @property
    def matches(self) -> ColumnElement[bool]:
        """Write the others, as a row at hand is asked."""
        return and_(*(self.source.at_hand(self, name) for name in self.matching)).label("matches")

    @property
    def sought(self) -> list[ColumnElement[bool]]:
        """Write all of them, as an index is asked."""
        return [self.source.sought(self, name) for name in (*self.within, *self.matching)]

    def order(self, rows: FromClause, *, backward: bool = False) -> list[UnaryExpression[Any]]:
        """Sort rows as the list does, or the other way round."""
        return self.directed((rows.c[key] for key in self.keys), backward=backward)

    def directed(
        self, keys: Iterable[ColumnElement[Any]], *, backward: bool
    ) -> list[UnaryExpression[Any]]:
        """Sort by these columns in the direction of the list, or in the other."""
        return [key.desc() if self.descending != backward else key.asc() for key in keys]

    @property
    def types(self) -> list[type]:
        """Tell of what types the keys are."""
        columns = self.table.c
        return [columns[key].type.python_type for key in self.keys]
