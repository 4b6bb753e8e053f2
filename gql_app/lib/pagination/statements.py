"""The statements of lists, each written once for a ListQuery; README.md shows them as SQL."""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Select,
    bindparam,
    case,
    exists,
    false,
    func,
    not_,
    select,
    true,
    tuple_,
)

from gql_app.lib.database import Query
from gql_app.lib.pagination.list_query import ListQuery

STATEMENTS: Final = 256
"""Statements that are kept of each kind; the least recently used go."""
CURSORS: Final = ("after", "before")
_SIZE, _REACH, _LIMIT, _SAMPLE, _MANY = (
    bindparam(f"page_{name}", type_=Integer())
    for name in ("size", "reach", "limit", "sample", "many")
)


class Edges(NamedTuple):
    """The last columns of each row of a page that is joined to what lies beyond it."""

    has_row: bool
    """Whether the columns before these are a row of the page: an empty page has its edges."""
    has_previous: bool
    has_next: bool
    ends_early: bool
    """Whether a bounded_scan stopped before the page was full, and the list goes on."""


NO_EDGES: Final = Edges(has_row=True, has_previous=False, has_next=False, ends_early=False)
"""What is known of a page that is joined to nothing."""


class PageStatement(NamedTuple):
    """The three statements of a page."""

    query: ListQuery
    columns: tuple[str, ...]
    backward: bool
    cursors: tuple[str, ...]
    """Which of the two are given: after, before."""

    def index_scan(self) -> Select[Any]:
        """Return the page of the table, in the list's order."""
        table, bounds = self.query.table, self.query.bounds
        page = self._visible(table).where(*bounds, *self._between_cursors(table)).limit(_SIZE)
        return self._with_edges(page, table, partial(self._any_beyond, table, bounds))

    def bounded_scan(self) -> Select[Any]:
        """Return the page of the nearest rows, which come in order.

        To sort them once more would have SQLite look at all of them.
        """
        table = self.query.table
        bounds = [*self.query.bounds, *self._between_cursors(table)]
        near = self._within_reach(bounds, self._places, backward=self.backward)
        places = select(*(near.c[name] for name in self._places)).where(near.c.matches)
        nearest = places.limit(_SIZE).cte("nearest")
        is_full = select(func.count() >= _SIZE).select_from(nearest).scalar_subquery()
        ordered = self.query.order(table, backward=self.backward)
        beyond = select(true()).select_from(table).where(*bounds).order_by(*ordered)
        goes_on = exists(beyond.offset(_REACH).limit(1))
        ends_early = case((is_full, false()), else_=goes_on)
        return self._with_edges(self._rows_at(nearest), nearest, self._any_match_beyond, ends_early)

    def filter_then_sort(self) -> Select[Any]:
        """Return the page of all rows that match, whichever index finds these."""
        columns = [self.query.table.c[name] for name in self._places]
        matching = select(*columns).where(*_all_conditions(self.query)).cte("matching")
        matching = matching.prefix_with("MATERIALIZED")
        ordered = self.query.order(matching, backward=self.backward)
        near = select(*matching.c).where(*self._between_cursors(matching)).order_by(*ordered)
        places = near.limit(_SIZE).subquery()
        return self._with_edges(
            self._rows_at(places), places, partial(self._any_beyond, matching, [])
        )

    def edges(self, rows: Sequence[Sequence[object]]) -> Edges:
        """Return what each of the statement's rows says of its page, NO_EDGES if nothing."""
        if not rows or len(rows[0]) == len(self.columns):
            return NO_EDGES
        return Edges._make(map(bool, rows[0][len(self.columns) :]))

    def _with_edges(
        self,
        page: Select[Any],
        places: FromClause,
        is_any_beyond: Callable[[str], ColumnElement[bool]],
        ends_early: ColumnElement[bool] | None = None,
    ) -> Select[Any]:
        """Return a page in order; with its Edges if there is a cursor, or it may end early.

        The keys have names of their own, beside columns that may show them otherwise.
        """
        if ends_early is None:
            page = page.order_by(*self.query.order(places, backward=self.backward))
            if not self.cursors:
                return page
        keys = [places.c[key].label(f"key_{n}") for n, key in enumerate(self.query.keys)]
        rows = page.add_columns(*keys).subquery()
        sides = [is_any_beyond(each) if each in self.cursors else false() for each in CURSORS]
        values = zip(
            Edges._fields[1:], (*sides, false() if ends_early is None else ends_early), strict=True
        )
        edges = select(*(value.label(name) for name, value in values)).subquery()
        marks = [rows.c[key.name] for key in keys]
        return (
            select(*(rows.c[name] for name in self.columns), marks[0].is_not(None), *edges.c)
            .select_from(edges)
            .join(rows, true(), isouter=True)
            .order_by(*self.query.directed(marks, backward=self.backward))
        )

    def _visible(self, rows: FromClause) -> Select[Any]:
        show = self.query.visible_column
        return select(*(show(name, rows).label(name) for name in self.columns))

    def _rows_at(self, places: FromClause) -> Select[Any]:
        """Return the page's columns of the rows at some places: of others, an index has all."""
        table = self.query.table
        return self._visible(table).where(
            *(table.c[name] == places.c[name] for name in self.query.ids)
        )

    @property
    def _places(self) -> list[str]:
        """The names of the order's columns, and of those by which a row is found again."""
        return list(dict.fromkeys((*self.query.keys, *self.query.ids)))

    def _within_reach(
        self,
        bounds: Iterable[ColumnElement[bool]],
        columns: Iterable[str] = (),
        *,
        backward: bool,
    ) -> FromClause:
        """Return so many rows as are looked at, and of each whether it matches."""
        table = self.query.table
        near = select(*(table.c[name] for name in columns), self.query.matches).select_from(table)
        ordered = self.query.order(table, backward=backward)
        return near.where(*bounds).order_by(*ordered).limit(_REACH).subquery()

    def _any_match_beyond(self, cursor: str) -> ColumnElement[bool]:
        """Return whether any row near a cursor matches, there or on the side away from the page."""
        bounds = [*self.query.bounds, not_(self._page_side(self.query.table, cursor))]
        near = self._within_reach(bounds, backward=cursor == "after")
        return exists(select(true()).select_from(near).where(near.c.matches))

    def _any_beyond(
        self, rows: FromClause, bounds: Iterable[ColumnElement[bool]], cursor: str
    ) -> ColumnElement[bool]:
        """Return whether there is a nearest row at a cursor, or on the side away from the page.

        Whether any exists, PostgreSQL may find out by reading all.
        """
        ordered = self.query.order(rows, backward=cursor == "after")
        beyond = select(true()).where(*bounds, not_(self._page_side(rows, cursor)))
        return beyond.order_by(*ordered).limit(1).scalar_subquery().is_not(None)

    def _between_cursors(self, rows: FromClause) -> list[ColumnElement[bool]]:
        return [self._page_side(rows, each) for each in self.cursors]

    def _page_side(self, rows: FromClause, cursor: str) -> ColumnElement[bool]:
        """Return the condition that rows stand on the page's side of a cursor, and not at it."""
        columns = [rows.c[key] for key in self.query.keys]
        keys = [bindparam(f"page_{cursor}_{n}", type_=each.type) for n, each in enumerate(columns)]
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

    If the filters are frequent, as many rows that meet them are looked for among the first of
    the list: the filters' index would find all of them, however many, before any.
    """
    those = select(true()).select_from(query.table).where(*_all_conditions(query))
    number = _count(those.limit(_LIMIT))
    if query.filters:
        first = select(query.matches).where(*query.bounds).order_by(*query.order(query.table))
        is_enough = _count_matches(first.limit(_REACH), _LIMIT) >= _LIMIT
        is_more = case((_is_frequent(query, backward=False), is_enough), else_=false())
        number = case((is_more, _LIMIT), else_=number)
    return Query(select(number), lambda row: int(row[0]))


@lru_cache(STATEMENTS)
def frequency_query(
    query: ListQuery,
    backward: bool,  # noqa: FBT001 — part of the key
) -> Query[bool]:
    """Return the statement that answers whether many of a sample meet the filters."""
    return Query(select(_is_frequent(query, backward=backward)), lambda row: bool(row[0]))


def _all_conditions(query: ListQuery) -> list[ColumnElement[bool]]:
    return [each.index_condition for each in (*query.indexed, *query.filters)]


def _is_frequent(query: ListQuery, *, backward: bool) -> ColumnElement[bool]:
    """Return whether many of a sample match, taken far from where the page is looked for.

    For a page of the oldest rows these are the latest by primary key, and the other way round.
    """
    ids = query.directed((query.table.c[name] for name in query.ids), backward=not backward)
    sample = select(query.matches).select_from(query.table).order_by(*ids).limit(_SAMPLE)
    return _count_matches(sample, _MANY) >= _MANY


def _count_matches(rows: Select[Any], limit: ColumnElement[int]) -> ColumnElement[int]:
    """Return the number of rows that match, up to a limit."""
    those = rows.subquery()
    return _count(select(true()).where(those.c.matches).limit(limit))


def _count(rows: Select[Any]) -> ColumnElement[int]:
    return select(func.count()).select_from(rows.subquery()).scalar_subquery()
