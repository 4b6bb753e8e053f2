"""Walks to the pages of lists: their statements, written once for each shape.

An index holds all rows in a list's order, so that one statement walks to the page. The walk to
rows that match a filter may be as long as the table: scouting goes no further than makes it
likely that few do, and gathering then finds all of these by the filter's own index.
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
    UnaryExpression,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    select,
    true,
    tuple_,
)

from gql_app.accounts.shapes import SHAPES, Shape
from gql_app.db.questions import Question, as_it_is

TOLD: Final = 4
"""Columns at the end of each row of a page that is joined to what lies beyond it."""
CURSORS: Final = ("after", "before")
Way = Literal["walk", "scout", "gather"]
_SIZE: Final = bindparam("size", type_=Integer())
_REACH: Final = bindparam("reach", type_=Integer())
_MOST: Final = bindparam("most", type_=Integer())


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


@lru_cache(SHAPES)
def count(shape: Shape) -> Question[int]:
    """Ask how many rows there are, up to a bound."""
    table = shape.source.entity.__table__
    some = select(true()).select_from(table).where(*_all(shape)).limit(_MOST).subquery()
    counted = select(func.count()).select_from(some).scalar_subquery()
    return Question(select(counted), lambda row: int(row[0]))


def _all(shape: Shape) -> list[ColumnElement[bool]]:
    return [shape.source.sought(shape, name) for name in (*shape.within, *shape.matching)]


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
        within = self._within
        bounds = [*within, *self._bounds(self._table)]
        return self._page(self._table, bounds, self._table, within)

    def gather(self) -> Select[Any]:
        """Look among all that match, whichever index finds these; spell only what is shown."""
        matching = select(*self._raw).where(*_all(self.shape)).cte("matching")
        matching = matching.prefix_with("MATERIALIZED")
        ordered = self._order(matching, backward=self.backward)
        nearest = select(*matching.c).where(*self._bounds(matching)).order_by(*ordered)
        return self._page(nearest.limit(_SIZE).subquery(), [], matching, [])

    def scout(self) -> Select[Any]:
        """Look among the nearest rows; tell of a page that is not full whether there are more.

        Those come in order. To ask for it once more has SQLite look at all of them, and sort.
        """
        table, bounds = self._table, [*self._within, *self._bounds(self._table)]
        near = self._near(bounds, self._raw, backward=self.backward)
        page = self._some(near, [near.c.matches]).add_columns(*self._marks(near)).cte("nearest")
        is_full = select(func.count() >= _SIZE).select_from(page).scalar_subquery()
        ordered = self._order(table, backward=self.backward)
        beyond = select(true()).select_from(table).where(*bounds).order_by(*ordered)
        ends_early = case((is_full, false()), else_=exists(beyond.offset(_REACH).limit(1)))
        return self._told(page, self._any_near, ends_early)

    def _page(
        self,
        rows: FromClause,
        bounds: Iterable[ColumnElement[bool]],
        others: FromClause,
        within: Sequence[ColumnElement[bool]],
    ) -> Select[Any]:
        """Select a page of these rows, and with a cursor what lies beyond it of the others."""
        page = self._some(rows, bounds)
        page = page.order_by(*self._order(rows, backward=self.backward))
        if not self.cursors:
            return page

        def is_any(cursor: str) -> ColumnElement[bool]:
            """Ask for the nearest row: whether one exists, PostgreSQL may ask of all of them."""
            ordered = self._order(others, backward=cursor == "after")
            beyond = select(true()).where(*within, self._beyond(others, cursor))
            return beyond.order_by(*ordered).limit(1).scalar_subquery().is_not(None)

        return self._told(page.add_columns(*self._marks(rows)).subquery(), is_any, false())

    def _some(self, rows: FromClause, conditions: Iterable[ColumnElement[bool]]) -> Select[Any]:
        """Select what is shown of as many rows as a page holds and one more."""
        shown = (
            self.shape.source.shown(self.shape, name, rows).label(name) for name in self.columns
        )
        return select(*shown).where(*conditions).limit(_SIZE)

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
            .order_by(*self._directed(marks, backward=self.backward))
        )

    def _near(
        self,
        conditions: Iterable[ColumnElement[bool]],
        columns: Iterable[ColumnElement[Any]] = (),
        *,
        backward: bool,
    ) -> FromClause:
        """Select so many rows as are in reach, and whether they match."""
        shape, ordered = self.shape, self._order(self._table, backward=backward)
        matches = and_(*(shape.source.at_hand(shape, name) for name in shape.matching))
        near = select(*columns, matches.label("matches")).select_from(self._table)
        return near.where(*conditions).order_by(*ordered).limit(_REACH).subquery()

    def _any_near(self, cursor: str) -> ColumnElement[bool]:
        """Ask whether any row near a cursor matches, there or on the side away from the page."""
        conditions = [*self._within, self._beyond(self._table, cursor)]
        near = self._near(conditions, backward=cursor == "after")
        return exists(select(true()).select_from(near).where(near.c.matches))

    @property
    def _table(self) -> FromClause:
        return self.shape.source.entity.__table__

    @property
    def _raw(self) -> list[ColumnElement[Any]]:
        """Name the columns that are shown, sorted by or needed to mask others."""
        keys = [column.key for column in self._table.primary_key]
        names = {*self.columns, *self.shape.keys, *keys}
        return [column for column in self._table.c if column.key in names]

    @property
    def _within(self) -> list[ColumnElement[bool]]:
        return [self.shape.source.sought(self.shape, name) for name in self.shape.within]

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

    def _order(self, rows: FromClause, *, backward: bool) -> list[UnaryExpression[Any]]:
        return self._directed((rows.c[key] for key in self.shape.keys), backward=backward)

    def _directed(
        self, keys: Iterable[ColumnElement[Any]], *, backward: bool
    ) -> list[UnaryExpression[Any]]:
        return [key.desc() if self.shape.descending != backward else key.asc() for key in keys]
