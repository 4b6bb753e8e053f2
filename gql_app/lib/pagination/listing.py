"""Keyset paging: a page starts where a cursor stands, whatever is inserted meanwhile.

It follows the GraphQL Cursor Connections Specification, save that `hasNextPage` and
`hasPreviousPage` are both right whichever way one pages.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Final, NamedTuple, Protocol, Self, TypeVar

from gql_app.lib.database import Query
from gql_app.lib.pagination.cursors import InvalidArgument, Key, decode, encode
from gql_app.lib.pagination.list_query import ListQuery
from gql_app.lib.pagination.statements import (
    NO_EDGES,
    Edges,
    PageStatement,
    count_query,
    frequency_query,
    page_query,
)

DEFAULT_SIZE: Final = 50
MAX_SIZE: Final = 500
MAX_COUNT: Final = 10_000
"""How far a list is counted."""
REACH: Final = 150
"""Rows that a bounded scan looks at for each that a page holds, before few are taken to match.

More would make a page of 500 dear that nobody matches, less one of 50 that 1 in 150 match.
"""
EVERYTHING: Final = 2**31 - 1
"""Rows that no table has."""
SAMPLE: Final = 400
FREQUENT: Final = 20
"""Filters are frequent if one row of so many in a sample meets them."""
_SAMPLED: Final = {"page_sample": SAMPLE, "page_many": SAMPLE // FREQUENT}

_T = TypeVar("_T")


class QueryReader(Protocol):
    """What lists are read with: a database, a transaction, or what stands before one."""

    async def fetch_all(self, query: Query[_T], /, **values: object) -> list[_T]:
        """Return what is built of each row."""


class Window(NamedTuple):
    """Which page of a list is wanted."""

    size: int = DEFAULT_SIZE
    backward: bool = False
    after: str | None = None
    before: str | None = None

    @classmethod
    def of(
        cls,
        *,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Self:
        """Return what a connection's arguments mean; None is absent. Raises InvalidArgument."""
        if first is not None and last is not None:
            message = "Give first or last, not both: one pages forward, the other back."
            raise InvalidArgument(message)
        name, size = ("last", last) if first is None else ("first", first)
        if size is not None and not 1 <= size <= MAX_SIZE:
            message = f"{name} is {size}. Ask for 1 to {MAX_SIZE} at a time."
            raise InvalidArgument(message)
        return cls(size or DEFAULT_SIZE, backward=last is not None, after=after, before=before)


class Page(NamedTuple):
    """One page of a list, and whether there is more on either side of it."""

    listing: "Listing"
    columns: tuple[str, ...]
    rows: Sequence[Sequence[object]]
    """The values of these columns, in their order."""
    has_previous: bool
    has_next: bool

    def cursor(self, row: Sequence[object]) -> str:
        """Return the cursor of a row, in a page whose keys were read."""
        columns, keys = self.columns, self.listing.key_types
        return self.listing.cursor([row[columns.index(key)] for key in keys])


class Listing:
    """A list of rows in an order, to be paged through or counted."""

    def __init__(
        self, query: ListQuery, values: Mapping[str, object], *, identity: Hashable
    ) -> None:
        """Take what its conditions compare with, by name, and what tells it from other lists.

        The repr() of `identity` goes into cursors, which clients may keep: it has the values
        that the list is filtered by, but for those of who asks.
        """
        self.query: Final = query
        self.values: Final = values
        self.identity: Final = identity

    @cached_property
    def key_types(self) -> Mapping[str, type]:
        """The Python types of the order's keys, by their columns."""
        return self.query.key_types

    async def page(
        self, db: QueryReader, window: Window, columns: Iterable[str], *, cursors: bool = False
    ) -> Page:
        """Return a page of some columns; with the keys, if cursors are to be written.

        It takes one statement, and two more where few rows near match the filters.
        Raises InvalidArgument for a cursor not of this list, KeyError for an unknown column.
        """
        after, before = self.read(window.after), self.read(window.before)
        values: dict[str, object] = {**self.values, **_SAMPLED, "page_size": window.size + 1}
        values |= {f"page_after_{n}": key for n, key in enumerate(after)} if after else {}
        values |= {f"page_before_{n}": key for n, key in enumerate(before)} if before else {}
        read = tuple(dict.fromkeys((*columns, *self.key_types)) if cursors else columns)
        read = read or self.query.keys
        statement = PageStatement(self.query, read, window.backward, bool(after), bool(before))
        if not self.query.filters:
            rows = await db.fetch_all(page_query(PageStatement.index_scan, statement), **values)
            return self._page(window, statement, rows)
        values["page_reach"] = REACH * (window.size + 1)
        bounded_scan = page_query(PageStatement.bounded_scan, statement)
        rows = await db.fetch_all(bounded_scan, **values)
        page = self._page(window, statement, rows)
        if _is_complete(page, window, statement.edges(rows)):
            return page
        towards = self.query._replace(descending=self.query.descending != window.backward)
        [is_frequent] = await db.fetch_all(frequency_query(towards), **values)
        if is_frequent:
            values["page_reach"] = EVERYTHING
            rows = await db.fetch_all(bounded_scan, **values)
        else:
            sort = page_query(PageStatement.filter_then_sort, statement)
            rows = await db.fetch_all(sort, **values)
        return self._page(window, statement, rows)

    def unread(self, window: Window) -> Page:
        """Return a page that nobody looks at. Raises InvalidArgument as page() does."""
        self.read(window.after)
        self.read(window.before)
        return Page(self, (), (), has_previous=False, has_next=False)

    async def count(self, db: QueryReader, limit: int = MAX_COUNT) -> int:
        """Return how many rows the list has, but no more than a limit."""
        reach = 2 * FREQUENT * limit
        values = {**self.values, **_SAMPLED, "page_limit": limit, "page_reach": reach}
        [count] = await db.fetch_all(count_query(self.query), **values)
        return count

    def cursor(self, keys: Sequence[object]) -> str:
        """Return the cursor of a row, by the values of the order's keys."""
        return encode(self.identity, self.key_types, keys)

    def read(self, cursor: str | None) -> tuple[Key, ...]:
        """Return a cursor's keys, none if it is absent. Raises InvalidArgument."""
        return () if cursor is None else decode(self.identity, self.key_types, cursor)

    def _page(
        self, window: Window, statement: PageStatement, rows: Sequence[Sequence[object]]
    ) -> Page:
        """Return the page of a statement's rows, of which there may be one too many."""
        columns, edges = statement.columns, statement.edges(rows)
        if edges is not NO_EDGES:
            rows = [row[: len(columns)] for row in rows] if edges.has_row else []
        more = len(rows) > window.size
        rows = rows[: window.size]
        if window.backward:
            return Page(self, columns, rows[::-1], more or edges.has_previous, edges.has_next)
        return Page(self, columns, rows, edges.has_previous, more or edges.has_next)


def _is_complete(page: Page, window: Window, edges: Edges) -> bool:
    """Return whether a bounded scan found all of a page, and what lies beyond it."""
    return (
        not edges.ends_early
        and (page.has_previous or window.after is None)
        and (page.has_next or window.before is None)
    )
