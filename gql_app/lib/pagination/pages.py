"""Keyset paging: a page starts where a cursor stands, whatever is inserted meanwhile.

It follows the GraphQL Cursor Connections Specification, save that `hasNextPage` and
`hasPreviousPage` are both told whichever way one pages.
"""

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple, Self
from uuid import UUID

from gql_app.db.questions import Reader
from gql_app.errors import BadUserInput
from gql_app.lib.pagination import counts, cursors, page_queries
from gql_app.lib.pagination.list_query import SHAPES, Shape
from gql_app.lib.pagination.page_queries import TOLD

DEFAULT_SIZE: Final = 50
MAX_SIZE: Final = 500
MAX_COUNT: Final = 10_000
"""How far a list is counted."""
REACH: Final = 150
"""Rows looked at for each that a page holds, before those that match are taken to be rare.

More would make a page of 500 dear that nobody matches, less one of 50 that 1 in 150 match.
"""
EVERYTHING: Final = 2**31 - 1
"""Rows that no table has."""
SAMPLE: Final = 400
FREQUENT: Final = 20
"""Many match if one of so many in a sample does."""
_SAMPLED: Final = {"sample": SAMPLE, "many": SAMPLE // FREQUENT}

_Keys = tuple[datetime | UUID | str, ...]


class Window(NamedTuple):
    """Which page of a list is wanted."""

    size: int = DEFAULT_SIZE
    backward: bool = False
    after: str | None = None
    before: str | None = None

    @classmethod
    def of(
        cls, *, first: int | None, after: str | None, last: int | None, before: str | None
    ) -> Self:
        """Read the arguments of a connection; None is absent. Raises BadUserInput."""
        if first is not None and last is not None:
            message = "Give first or last, not both: one pages forward, the other back."
            raise BadUserInput(message)
        name, size = ("last", last) if first is None else ("first", first)
        if size is not None and not 1 <= size <= MAX_SIZE:
            message = f"{name} is {size}. Ask for 1 to {MAX_SIZE} at a time."
            raise BadUserInput(message)
        return cls(
            size=DEFAULT_SIZE if size is None else size,
            backward=last is not None,
            after=after,
            before=before,
        )


class Page(NamedTuple):
    """One page of a list, and whether there is more on either side of it."""

    listing: "Listing"
    columns: tuple[str, ...]
    rows: Sequence[Sequence[object]]
    """The values of these columns, in their order."""
    has_previous: bool
    has_next: bool

    def cursor(self, row: Sequence[object]) -> str:
        """Write where a row stands, in a page whose keys were read."""
        keys = _places(self.listing.shape, self.columns)
        return self.listing.cursor([restore(row[place]) for place, restore in keys])


@dataclass(slots=True, eq=False)
class Listing:
    """A list of rows in an order, to be paged through or counted."""

    shape: Shape
    values: Mapping[str, object]
    """What its conditions compare with, by name."""
    identity: Hashable
    """Tells this list's order and filter from any other's, so that cursors don't mix."""

    async def page(
        self, db: Reader, window: Window, columns: Collection[str], *, cursors: bool = False
    ) -> Page:
        """Read some columns of one page, and the order's keys if cursors are to be written.

        It takes one statement, and two more where few rows near match the list's filter.
        Raises BadUserInput for a cursor not of this list.
        """
        after, before = self.read(window.after), self.read(window.before)
        names = _names(self.shape, frozenset(columns), cursors or not columns)
        values = {**self.values, "size": window.size + 1}
        if after:
            values |= _named("after", after)
        if before:
            values |= _named("before", before)
        look = (self.shape, names, window.backward, bool(after), bool(before))
        if not self.shape.matching:
            found = await db.ask(page_queries.page(*look), **values)
            return self._page(window, names, found, edged=bool(after or before))
        scout = page_queries.page(*look, "scout")
        found = await db.ask(scout, **values, reach=REACH * (window.size + 1))
        page = self._page(window, names, found, edged=True)
        if _is_whole(page, window, ends_early=bool(found[0][-1])):
            return page
        [is_frequent] = await db.ask(
            counts.frequency(self.shape, window.backward), **self.values, **_SAMPLED
        )
        if is_frequent:
            found = await db.ask(scout, **values, reach=EVERYTHING)
            return self._page(window, names, found, edged=True)
        found = await db.ask(page_queries.page(*look, "gather"), **values)
        return self._page(window, names, found, edged=bool(after or before))

    def unread(self, window: Window) -> Page:
        """Make a page that nobody looks at. Raises BadUserInput as page() does."""
        self.read(window.after)
        self.read(window.before)
        return Page(self, (), (), has_previous=False, has_next=False)

    async def count(self, db: Reader, most: int = MAX_COUNT) -> int:
        """Count the list, but no further than most."""
        reach = 2 * FREQUENT * most
        [count] = await db.ask(
            counts.count(self.shape), **self.values, **_SAMPLED, most=most, reach=reach
        )
        return count

    def cursor(self, keys: Sequence[object]) -> str:
        """Write where a row stands, by the values of the order's keys."""
        return cursors.spell(cursors.name_of(self.identity), keys)

    def read(self, cursor: str | None) -> _Keys:
        """Read where a cursor stands; nowhere, if there is none. Raises BadUserInput."""
        if cursor is None:
            return ()
        try:
            name, keys = cursors.parse(cursor)
            if name == cursors.name_of(self.identity):
                return self._restored(keys, cursor)
        except (ValueError, TypeError, OverflowError, RecursionError):
            message = "The cursor is broken. Send one unchanged as a page answered it."
            raise BadUserInput(message) from None
        message = (
            "The cursor belongs to a list of another order or filter. Start that list "
            "without a cursor."
        )
        raise BadUserInput(message)

    def _page(
        self,
        window: Window,
        columns: tuple[str, ...],
        found: Sequence[Sequence[object]],
        *,
        edged: bool,
    ) -> Page:
        """Tell a page from what lies beyond it, which every row says if there was a cursor."""
        has_previous = has_next = False
        if edged:
            there, has_previous, has_next, _ = map(bool, found[0][-TOLD:])
            found = [row[:-TOLD] for row in found] if there else []
        more = len(found) > window.size
        rows = found[: window.size]
        if window.backward:
            return Page(self, columns, rows[::-1], more or has_previous, has_next)
        return Page(self, columns, rows, has_previous, more or has_next)

    def _restored(self, keys: Sequence[object], cursor: str) -> _Keys:
        """Restore a cursor's keys; it has one spelling, as base64 and JSON have many."""
        types = self.shape.types
        restored = tuple(cursors.restore(kind, key) for kind, key in zip(types, keys, strict=True))
        if self.cursor(restored) != cursor:
            raise ValueError
        return restored


def _is_whole(page: Page, window: Window, *, ends_early: bool) -> bool:
    """Tell whether a page that was looked for within reach is all there is to say."""
    return (
        not ends_early
        and (page.has_previous or window.after is None)
        and (page.has_next or window.before is None)
    )


@lru_cache(SHAPES)
def _names(
    shape: Shape,
    columns: frozenset[str],
    cursors: bool,  # noqa: FBT001 — part of the key
) -> tuple[str, ...]:
    """Name the columns to read, in their order, and with them those that cursors take."""
    wanted = columns.union(shape.keys) if cursors else columns
    return tuple(name for name in shape.source.columns if name in wanted)


@lru_cache(SHAPES)
def _places(
    shape: Shape, columns: tuple[str, ...]
) -> Sequence[tuple[int, Callable[[object], object]]]:
    """Find the keys in a row, and what makes values of them where they are spelt."""
    return [
        (columns.index(name), _moment if kind is datetime else str)
        for name, kind in zip(shape.keys, shape.types, strict=True)
    ]


def _named(cursor: str, keys: _Keys) -> dict[str, object]:
    return {f"{cursor}_{number}": key for number, key in enumerate(keys)}


def _moment(value: object) -> object:
    return datetime.fromisoformat(value) if isinstance(value, str) else value
