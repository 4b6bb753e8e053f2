"""What a list's statements are made of: a table, an order, conditions and visible columns."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, UnaryExpression, and_, false
from sqlalchemy.orm import DeclarativeBase

KEY_TYPES: Final = frozenset({datetime, UUID, str, int})
"""Types of columns that a list may be sorted by."""
Clause = ColumnElement[bool]
VisibleColumn = Callable[[str, FromClause], ColumnElement[Any]]
"""Returns what a page shows of a column, by its name and the rows that it is read from."""


class Condition:
    """A condition of a list, made once: what it compares with are bind parameters.

    It equals itself alone, so that the statements of a list are compiled once.
    """

    def __init__(self, row_condition: Clause, index_condition: Clause | None = None) -> None:
        """Take it as it is fastest for a row at hand, and as an index answers it."""
        self.row_condition: Final = row_condition
        self.index_condition: Final = row_condition if index_condition is None else index_condition


NOTHING: Final = Condition(false())
"""The condition that no row meets."""


@lru_cache(256)
def _key_types(
    entity: type[DeclarativeBase], order_by: tuple[str, ...], *, unique: bool
) -> Mapping[str, type]:
    table = entity.__table__
    ids = () if unique else tuple(column.key for column in table.primary_key)
    types = {key: table.c[key].type.python_type for key in (*order_by, *ids)}
    if any(table.c[key].nullable or kind not in KEY_TYPES for key, kind in types.items()):
        message = f"{table} can't be sorted by {order_by}: one may be null, or is of another type."
        raise TypeError(message)
    return types


class ListQuery(NamedTuple):
    """All of a list that its statements depend on: everything but the values."""

    entity: type[DeclarativeBase]
    order_by: tuple[str, ...]
    """Columns that are never null, of KEY_TYPES; an index should have the keys in this order."""
    unique: bool = False
    """Whether no two rows have the same in these columns."""
    descending: bool = False
    indexed: tuple[Condition, ...] = ()
    """Conditions that the order's index answers on its way, or that most rows meet."""
    filters: tuple[Condition, ...] = ()
    """Conditions that few rows may meet, wherever these stand in the order."""
    visible_column: VisibleColumn = lambda name, rows: rows.c[name]

    @property
    def table(self) -> FromClause:
        """The table."""
        return self.entity.__table__

    @property
    def ids(self) -> list[str]:
        """The names of the primary key's columns."""
        return [column.key for column in self.table.primary_key]

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns of the order, and of the primary key where these alone are not unique."""
        return tuple(_key_types(self.entity, self.order_by, unique=self.unique))

    @property
    def key_types(self) -> Mapping[str, type]:
        """The Python types of the keys. Raises TypeError unless cursors can be made of them."""
        return _key_types(self.entity, self.order_by, unique=self.unique)

    @property
    def bounds(self) -> list[Clause]:
        """The indexed conditions."""
        return [each.index_condition for each in self.indexed]

    @property
    def conditions(self) -> list[Clause]:
        """All conditions, as indexes answer them."""
        return [*self.bounds, *(each.index_condition for each in self.filters)]

    @property
    def matches(self) -> Clause:
        """Whether a row that is at hand meets the filters, as a column of that name."""
        return and_(*(each.row_condition for each in self.filters)).label("matches")

    def order(self, rows: FromClause, *, backward: bool = False) -> list[UnaryExpression[Any]]:
        """Return the list's ORDER BY for some rows, or the reverse."""
        return self.directed((rows.c[key] for key in self.keys), backward=backward)

    def directed(
        self, columns: Iterable[ColumnElement[Any]], *, backward: bool
    ) -> list[UnaryExpression[Any]]:
        """Return an ORDER BY of columns in the list's direction, or in the other."""
        return [each.desc() if self.descending != backward else each.asc() for each in columns]
