"""The definition of a list, and its statements; README.md shows them as SQL."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple, Self
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    UnaryExpression,
    and_,
    bindparam,
    case,
    false,
    func,
    select,
    true,
    tuple_,
)
from sqlalchemy.orm import DeclarativeBase

from gql_app.lib.database import Query

KEY_TYPES: Final = frozenset({datetime, UUID, str, int})
"""Types of the columns by which a list may be sorted."""
Clause = ColumnElement[bool]
VisibleColumn = Callable[[str, FromClause], ColumnElement[Any]]
"""Returns the expression that a page shows for a column, by its name and its FROM clause."""
STATEMENTS: Final = 256
"""Statements of each kind that are cached (LRU)."""
CURSORS: Final = ("after", "before")
_Sides = dict[str, Clause]
"""By cursor, whether there are rows on its far side from the page."""
_SIZE, _REACH, _LIMIT, _SAMPLE, _MANY = (
    bindparam(f"page_{name}", type_=Integer())
    for name in ("size", "reach", "limit", "sample", "many")
)


class Condition:
    """A condition of a list, made once, with bind parameters for its values.

    It equals only itself, so that the statements of a list are compiled once.
    """

    def __init__(self, row_condition: Clause, index_condition: Clause | None = None) -> None:
        """Take it in the form that is fastest to check per row, and in the form for an index."""
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
    """The definition of a list, on which its statements depend: all but the values."""

    entity: type[DeclarativeBase]
    order_by: tuple[str, ...]
    """Columns that are NOT NULL, of KEY_TYPES; an index should have the keys in this order."""
    unique: bool = False
    """Whether no two rows have the same values in these columns."""
    descending: bool = False
    indexed: tuple[Condition, ...] = ()
    """Conditions that the order's index answers as well, or that most rows meet."""
    filters: tuple[Condition, ...] = ()
    """Conditions that few rows may meet, anywhere in the order."""
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
        """The columns of the order, and those of the primary key unless the order is unique."""
        return tuple(_key_types(self.entity, self.order_by, unique=self.unique))

    @property
    def key_types(self) -> Mapping[str, type]:
        """The Python types of the keys. Raises TypeError if cursors can't hold one."""
        return _key_types(self.entity, self.order_by, unique=self.unique)

    @property
    def bounds(self) -> list[Clause]:
        """The indexed conditions."""
        return [each.index_condition for each in self.indexed]

    @property
    def conditions(self) -> list[Clause]:
        """All conditions, in the form for an index."""
        return [*self.bounds, *(each.index_condition for each in self.filters)]

    @property
    def matches(self) -> Clause:
        """Whether a row meets the filters, as a column `matches`."""
        return and_(*(each.row_condition for each in self.filters)).label("matches")

    def reversed(self) -> Self:
        """Return the same list in reverse order."""
        return self._replace(descending=not self.descending)

    def order(self, rows: FromClause) -> list[UnaryExpression[Any]]:
        """Return the list's ORDER BY for some rows."""
        return self.directed(rows.c[key] for key in self.keys)

    def directed(self, columns: Iterable[ColumnElement[Any]]) -> list[UnaryExpression[Any]]:
        """Return an ORDER BY of columns in the list's direction."""
        return [each.desc() if self.descending else each.asc() for each in columns]


class Edges(NamedTuple):
    """The last columns of a page's rows: whether there are rows beyond the page."""

    has_row: bool
    """Whether the columns before these are a row of the page: an empty page has edges alone."""
    has_previous: bool
    has_next: bool
    ends_early: bool
    """Whether a bounded_scan stopped before the page was full, with more rows to read."""


NO_EDGES: Final = Edges(has_row=True, has_previous=False, has_next=False, ends_early=False)
"""The edges of a page that was read without them."""


class PageStatement(NamedTuple):
    """The three plans for a page forward; a page backward is one forward of the reversed list."""

    query: ListQuery
    columns: tuple[str, ...]
    cursors: tuple[str, ...]
    """Those of CURSORS that the page has."""

    def index_scan(self) -> Select[Any]:
        """Return a page read from the table, in the list's order."""
        table, bounds = self.query.table, self.query.bounds
        page = self._visible().where(*bounds, *self._between_cursors(table)).limit(_SIZE)
        return self._with_edges(page, table, self._beyond(table, bounds))

    def filter_then_sort(self) -> Select[Any]:
        """Return a page of all rows that match, which any index may find, sorted."""
        columns = [self.query.table.c[name] for name in self._places]
        matching = select(*columns).where(*self.query.conditions).cte("matching")
        matching = matching.prefix_with("MATERIALIZED")
        near = select(*matching.c).where(*self._between_cursors(matching))
        places = near.order_by(*self.query.order(matching)).limit(_SIZE).subquery()
        return self._with_edges(self._rows_at(places), places, self._beyond(matching))

    def bounded_scan(self) -> Select[Any]:
        """Return a page of the nearest rows that match, which come in order.

        Another ORDER BY would have SQLite read all of them.
        """
        table = self.query.table
        bounds = [*self.query.bounds, *self._between_cursors(table)]
        near = _near(self.query, self._places, bounds).subquery()
        places = select(*(near.c[name] for name in self._places)).where(near.c.matches)
        nearest = places.limit(_SIZE).cte("nearest")
        is_full = select(func.count() >= _SIZE).select_from(nearest).scalar_subquery()
        beyond = select(true()).select_from(table).where(*bounds)
        goes_on = beyond.order_by(*self.query.order(table)).offset(_REACH).limit(1).exists()
        edges = self._matches_beyond() | {"ends_early": case((is_full, false()), else_=goes_on)}
        return self._with_edges(self._rows_at(nearest), nearest, edges)

    def edges(self, rows: Sequence[Sequence[Any]]) -> Edges:
        """Return the edges that a statement's rows have, NO_EDGES if none."""
        has_edges = rows and len(rows[0]) > len(self.columns)
        return Edges._make(rows[0][len(self.columns) :]) if has_edges else NO_EDGES

    def _with_edges(self, page: Select[Any], places: FromClause, edges: _Sides) -> Select[Any]:
        """Return a page in order; with its Edges if there is a cursor, or it may end early.

        The keys have separate names, since a visible column may differ from the key.
        """
        if "ends_early" not in edges:
            page = page.order_by(*self.query.order(places))
        if not edges:
            return page
        names = [f"key_{n}" for n in range(len(self.query.keys))]
        keys = map(ColumnElement.label, (places.c[key] for key in self.query.keys), names)
        rows = page.add_columns(*keys).subquery()
        flags = [edges.get(name, false()).label(name) for name in (*CURSORS, "ends_early")]
        flag_row = select(*flags).subquery()
        return (
            select(*(rows.c[n] for n in self.columns), rows.c[names[0]].is_not(None), *flag_row.c)
            .select_from(flag_row)
            .join(rows, true(), isouter=True)
            .order_by(*self.query.directed(rows.c[n] for n in names))
        )

    def _visible(self) -> Select[Any]:
        """Return the page's columns of the table."""
        table, show = self.query.table, self.query.visible_column
        return select(*(show(name, table).label(name) for name in self.columns))

    def _rows_at(self, places: FromClause) -> Select[Any]:
        """Return the page's columns for the rows at some places, which an index alone has found."""
        table = self.query.table
        is_there = [table.c[name] == places.c[name] for name in self.query.ids]
        return self._visible().where(*is_there)

    @property
    def _places(self) -> list[str]:
        """The names of the keys, and of the primary key, by which a row is found again."""
        return list(dict.fromkeys((*self.query.keys, *self.query.ids)))

    def _matches_beyond(self) -> _Sides:
        """Return by cursor whether any row at it, or near it on its far side, matches."""
        found: _Sides = {}
        for cursor in self.cursors:
            bounds = [*self.query.bounds, ~self._page_side(self.query.table, cursor)]
            near = _near(self._away_from(cursor), (), bounds).subquery()
            found[cursor] = select(true()).select_from(near).where(near.c.matches).exists()
        return found

    def _beyond(self, rows: FromClause, bounds: Iterable[Clause] = ()) -> _Sides:
        """Return by cursor whether there is a nearest row, at it or on its far side.

        For EXISTS, PostgreSQL might read all rows.
        """
        found: _Sides = {}
        for cursor in self.cursors:
            beyond = select(true()).where(*bounds, ~self._page_side(rows, cursor))
            nearest = beyond.order_by(*self._away_from(cursor).order(rows)).limit(1)
            found[cursor] = nearest.scalar_subquery().is_not(None)
        return found

    def _away_from(self, cursor: str) -> ListQuery:
        """Return the list in the direction from the page to a cursor's far side."""
        return self.query.reversed() if cursor == "after" else self.query

    def _between_cursors(self, rows: FromClause) -> list[Clause]:
        return [self._page_side(rows, each) for each in self.cursors]

    def _page_side(self, rows: FromClause, cursor: str) -> Clause:
        """Return the condition that rows are on the page's side of a cursor, and not at it."""
        columns = [rows.c[key] for key in self.query.keys]
        kinds = [BigInteger() if isinstance(e.type, Integer) else e.type for e in columns]
        keys = [bindparam(f"page_{cursor}_{n}", type_=kind) for n, kind in enumerate(kinds)]
        if (cursor == "after") != self.query.descending:
            return tuple_(*columns) > tuple_(*keys)
        return tuple_(*columns) < tuple_(*keys)


Plan = Callable[[PageStatement], Select[Any]]


@lru_cache(STATEMENTS)
def page_query(plan: Plan, statement: PageStatement) -> Query[Sequence[Any]]:
    """Return the statement of a page by one of the three plans."""
    return Query(plan(statement), tuple)


@lru_cache(STATEMENTS)
def count_query(query: ListQuery) -> Query[int]:
    """Return the statement that counts a list up to a limit.

    If the filters are frequent, it first looks for `limit` matching rows among the first rows of
    the list: by the filters' index all matching rows would be found, however many.
    """
    matching = select(true()).select_from(query.table).where(*query.conditions)
    number = _count(matching.limit(_LIMIT))
    if query.filters:
        first = select(query.matches).where(*query.bounds).order_by(*query.order(query.table))
        is_enough = _count_matches(first.limit(_REACH), _LIMIT) >= _LIMIT
        is_more = case((_is_frequent(query), is_enough), else_=false())
        number = case((is_more, _LIMIT), else_=number)
    return Query(select(number), lambda row: int(row[0]))


@lru_cache(STATEMENTS)
def frequency_query(query: ListQuery) -> Query[bool]:
    """Return the statement that answers whether many rows of a sample meet the filters."""
    return Query(select(_is_frequent(query)), lambda row: bool(row[0]))


def _near(query: ListQuery, columns: Iterable[str], bounds: Iterable[Clause]) -> Select[Any]:
    """Return the nearest rows, up to the reach, and for each whether it matches."""
    table = query.table
    near = select(*(table.c[name] for name in columns), query.matches).select_from(table)
    return near.where(*bounds).order_by(*query.order(table)).limit(_REACH)


def _is_frequent(query: ListQuery) -> Clause:
    """Return whether many rows of a sample match, taken far from the beginning of the list.

    For a list of the oldest rows the sample is of the latest by primary key, and vice versa.
    """
    ids = query.reversed().directed(query.table.c[name] for name in query.ids)
    sample = select(query.matches).select_from(query.table).order_by(*ids).limit(_SAMPLE)
    return _count_matches(sample, _MANY) >= _MANY


def _count_matches(rows: Select[Any], limit: ColumnElement[int]) -> ColumnElement[int]:
    """Return the number of rows that match, up to a limit."""
    matching = rows.subquery()
    return _count(select(true()).where(matching.c.matches).limit(limit))


def _count(rows: Select[Any]) -> ColumnElement[int]:
    return select(func.count()).select_from(rows.subquery()).scalar_subquery()
