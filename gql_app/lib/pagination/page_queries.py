"""Walks to the pages of lists: their statements, written once for each shape.

An index holds all rows in a list's order, so that one statement walks to the page. The walk to
rows that match a filter may be as long as the table: scouting goes no further than makes it
likely that few do, and gathering then finds all of these by the filter's own index. If many do,
but none of them near, to walk on costs less.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

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
    select,
    true,
    tuple_,
)

from gql_app.db.questions import Question, as_it_is
from gql_app.lib.pagination.list_query import SHAPES, Shape

TOLD: Final = 4
"""Columns at the end of each row of a page that is joined to what lies beyond it."""
CURSORS: Final = ("after", "before")
Way = Literal["walk", "scout", "gather"]
_SIZE: Final = bindparam("size", type_=Integer())
_REACH: Final = bindparam("reach", type_=Integer())


@lru_cache(SHAPES)
def page(
    shape: Shape,
    columns: tuple[str, ...],
    backward: bool,  # noqa: FBT001 — part of the key
    after: bool,  # noqa: FBT001
    before: bool,  # noqa: FBT001
    way: Way = "walk",
) -> Question[Sequence[object]]:
    """Ask for a page; with a cursor, joined to what lies beyond, told even of an empty page."""
    given = tuple(name for name, is_given in zip(CURSORS, (after, before), strict=True) if is_given)
    look = _Look(shape, columns, backward, given)
    statement = {"walk": look.walk, "scout": look.scout, "gather": look.gather}[way]()
    return Question(statement, as_it_is)


@dataclass(frozen=True)
class _Look:
    """A look for a page: in the table, or in those of its rows that are near or match."""

    shape: Shape
    columns: tuple[str, ...]
    backward: bool
    cursors: tuple[str, ...]
    """Which of the two are given: after, before."""

    def walk(self) -> Select[Any]:
        """Look among all rows, in the list's order."""
        table, within = self.shape.table, self.shape.bounds
        page = self._shown(table).where(*within, *self._bounds(table)).limit(_SIZE)
        return self._page(page, table, table, within)

    def gather(self) -> Select[Any]:
        """Look among all that match, whichever index finds these."""
        keys = [self.shape.table.c[name] for name in self._keys]
        matching = select(*keys).where(*self.shape.sought).cte("matching")
        matching = matching.prefix_with("MATERIALIZED")
        ordered = self.shape.order(matching, backward=self.backward)
        nearest = select(*matching.c).where(*self._bounds(matching)).order_by(*ordered)
        places = nearest.limit(_SIZE).subquery()
        return self._page(self._shown_at(places), places, matching, [])

    def scout(self) -> Select[Any]:
        """Look among the nearest rows; tell of a page that is not full whether there are more.

        Those come in order. To ask for it once more has SQLite look at all of them, and sort.
        """
        table, bounds = self.shape.table, [*self.shape.bounds, *self._bounds(self.shape.table)]
        near = self._near(bounds, self._keys, backward=self.backward)
        places = select(*(near.c[name] for name in self._keys)).where(near.c.matches)
        nearest = places.limit(_SIZE).cte("nearest")
        is_full = select(func.count() >= _SIZE).select_from(nearest).scalar_subquery()
        ordered = self.shape.order(table, backward=self.backward)
        beyond = select(true()).select_from(table).where(*bounds).order_by(*ordered)
        ends_early = case((is_full, false()), else_=exists(beyond.offset(_REACH).limit(1)))
        page = self._shown_at(nearest).add_columns(*self._marks(nearest)).subquery()
        return self._told(page, self._any_near, ends_early)

    def _page(
        self,
        page: Select[Any],
        places: FromClause,
        others: FromClause,
        within: Sequence[ColumnElement[bool]],
    ) -> Select[Any]:
        """Order a page by its places, and with a cursor tell what of the others lies beyond it."""
        page = page.order_by(*self.shape.order(places, backward=self.backward))
        if not self.cursors:
            return page

        def is_any(cursor: str) -> ColumnElement[bool]:
            """Ask for the nearest row: whether one exists, PostgreSQL may ask of all of them."""
            ordered = self.shape.order(others, backward=cursor == "after")
            beyond = select(true()).where(*within, self._beyond(others, cursor))
            return beyond.order_by(*ordered).limit(1).scalar_subquery().is_not(None)

        return self._told(page.add_columns(*self._marks(places)).subquery(), is_any, false())

    def _shown_at(self, places: FromClause) -> Select[Any]:
        """Select what is shown of the rows at some places: of all others an index is enough."""
        table = self.shape.table
        return self._shown(table).where(
            *(table.c[name] == places.c[name] for name in self.shape.ids)
        )

    def _shown(self, rows: FromClause) -> Select[Any]:
        shown = self.shape.source.shown
        return select(*(shown(self.shape, name, rows).label(name) for name in self.columns))

    def _told(
        self,
        page: FromClause,
        is_any: Callable[[str], ColumnElement[bool]],
        ends_early: ColumnElement[bool],
    ) -> Select[Any]:
        """Join a page to what is told of it: TOLD columns, the first of them of each row."""
        edges = [is_any(each) if each in self.cursors else false() for each in CURSORS]
        edges.append(ends_early)
        told = select(*(edge.label(f"edge_{n}") for n, edge in enumerate(edges))).subquery()
        marks = [page.c[f"key_{n}"] for n in range(len(self.shape.keys))]
        return (
            select(*(page.c[name] for name in self.columns), marks[0].is_not(None), *told.c)
            .select_from(told)
            .join(page, true(), isouter=True)
            .order_by(*self.shape.directed(marks, backward=self.backward))
        )

    def _near(
        self,
        conditions: Iterable[ColumnElement[bool]],
        keys: Iterable[str] = (),
        *,
        backward: bool,
    ) -> FromClause:
        """Select so many rows as are in reach, and whether they match."""
        shown = [self.shape.table.c[name] for name in keys]
        near = select(*shown, self.shape.matches).select_from(self.shape.table)
        ordered = self.shape.order(self.shape.table, backward=backward)
        return near.where(*conditions).order_by(*ordered).limit(_REACH).subquery()

    def _any_near(self, cursor: str) -> ColumnElement[bool]:
        """Ask whether any row near a cursor matches, there or on the side away from the page."""
        conditions = [*self.shape.bounds, self._beyond(self.shape.table, cursor)]
        near = self._near(conditions, backward=cursor == "after")
        return exists(select(true()).select_from(near).where(near.c.matches))

    @property
    def _keys(self) -> list[str]:
        """Name the columns of the order, and those by which a row is found again."""
        return list(dict.fromkeys((*self.shape.keys, *self.shape.ids)))

    def _marks(self, rows: FromClause) -> list[ColumnElement[Any]]:
        """Name the keys anew, beside columns that may show them in another form."""
        return [rows.c[key].label(f"key_{n}") for n, key in enumerate(self.shape.keys)]

    def _bounds(self, rows: FromClause) -> list[ColumnElement[bool]]:
        """Say that rows stand after one cursor and before the other."""
        return [self._stands(rows, each, later=each == "after") for each in self.cursors]

    def _beyond(self, rows: FromClause, cursor: str) -> ColumnElement[bool]:
        """Say that rows stand at a cursor, or on the side of it that is away from the page."""
        return self._stands(rows, cursor, later=cursor == "before", or_there=True)

    def _stands(
        self, rows: FromClause, cursor: str, *, later: bool, or_there: bool = False
    ) -> ColumnElement[bool]:
        """Compare rows with a cursor: they are to stand later in the list, or earlier."""
        columns = [rows.c[key] for key in self.shape.keys]
        keys = [bindparam(f"{cursor}_{n}", type_=each.type) for n, each in enumerate(columns)]
        those, there = tuple_(*columns), tuple_(*keys)
        if later != self.shape.descending:
            return those >= there if or_there else those > there
        return those <= there if or_there else those < there
