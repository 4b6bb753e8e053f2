"""Shapes of lists: what their statements are made of, and depend on."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, FromClause

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
    def types(self) -> list[type]:
        """Tell of what types the keys are."""
        columns = self.source.entity.__table__.c
        return [columns[key].type.python_type for key in self.keys]
