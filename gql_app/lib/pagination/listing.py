"""Keyset pagination: a page starts at a cursor's row, whatever is inserted meanwhile.

It follows the GraphQL Cursor Connections Specification, except that `hasNextPage` and
`hasPreviousPage` are both correct in both directions.
"""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Container, Hashable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Final, NamedTuple, Protocol, Self, TypeVar
from uuid import UUID

import orjson

from gql_app.lib.database import Query
from gql_app.lib.pagination.statements import (
    NO_EDGES,
    ListQuery,
    PageStatement,
    count_query,
    frequency_query,
    page_query,
)

DEFAULT_SIZE: Final = 50
MAX_SIZE: Final = 500
MAX_COUNT: Final = 10_000
"""The count at which counting a list stops."""
REACH: Final = 150
"""Rows that a bounded scan reads per row of the page, before it concludes that few match.

More would make a page of 500 slow if no row matches, fewer a page of 50 if 1 in 150 matches.
"""
EVERYTHING: Final = 2**31 - 1
"""More rows than any table has."""
SAMPLE: Final = 400
FREQUENT: Final = 20
"""Filters are frequent if at least one of so many rows in a sample meets them."""
CURSOR_FIELDS: Final = frozenset({"cursor", "start_cursor", "end_cursor"})
"""Fields of an edge and of PageInfo for which a page is read with its cursors' keys."""

Key = datetime | UUID | str | int
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_INT64: Final = 2**63
_SAMPLED: Final = {"page_sample": SAMPLE, "page_many": SAMPLE // FREQUENT}

_T = TypeVar("_T")


class InvalidArgument(Exception):
    """An argument of a connection is invalid.

    graphql-core lifts the dictionary `extensions` into the GraphQL error.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message: Final = message
        self.extensions: Final = {"code": "BAD_USER_INPUT"}


class QueryReader(Protocol):
    """A database, a transaction, or a wrapper of one, by which lists are read."""

    async def fetch_all(self, query: Query[_T], /, **values: object) -> list[_T]:
        """Return what is built of each row."""


class Window(NamedTuple):
    """The requested page of a list."""

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
        """Return the window of a connection's arguments; None is absent. Raises InvalidArgument."""
        if first is not None and last is not None:
            message = "Give first or last, not both: one pages forward, the other back."
            raise InvalidArgument(message)
        name, size = ("last", last) if first is None else ("first", first)
        if size is not None and not 1 <= size <= MAX_SIZE:
            message = f"{name} is {size}. Ask for 1 to {MAX_SIZE} at a time."
            raise InvalidArgument(message)
        return cls(size or DEFAULT_SIZE, backward=last is not None, after=after, before=before)


class Page(NamedTuple):
    """A page of a list, and whether there are more rows before and after it."""

    listing: "Listing"
    columns: tuple[str, ...]
    rows: Sequence[Sequence[object]]
    """The values of these columns, in their order."""
    has_previous: bool
    has_next: bool

    def cursor(self, row: Sequence[object]) -> str:
        """Return the cursor of a row; the page must have been read with `cursors`."""
        columns, keys = self.columns, self.listing.key_types
        return self.listing.cursor([row[columns.index(key)] for key in keys])

    def info(self, cursors: Container[str] = CURSOR_FIELDS) -> dict[str, Any]:
        """Return the fields of PageInfo (Relay's connections), with the requested cursors.

        Those are named start_cursor and end_cursor; others, and those of an empty page, are None.
        """
        rows = self.rows
        return {
            "has_next_page": self.has_next,
            "has_previous_page": self.has_previous,
            "start_cursor": self.cursor(rows[0]) if rows and "start_cursor" in cursors else None,
            "end_cursor": self.cursor(rows[-1]) if rows and "end_cursor" in cursors else None,
        }


class Listing:
    """A sorted list of rows, to be paged through or counted."""

    def __init__(
        self, query: ListQuery, values: Mapping[str, object], *, identity: Hashable
    ) -> None:
        """Take the values of its conditions' parameters, and what identifies the list.

        A digest of repr(identity) goes into cursors, which clients may keep: it should have the
        values that the list is filtered by, except those that depend on the caller.
        """
        self.query: Final = query
        self.values: Final = values
        self.identity: Final = identity
        self.key_types: Final = query.key_types

    async def page(
        self, db: QueryReader, window: Window, columns: Iterable[str], *, cursors: bool = False
    ) -> Page:
        """Return a page of some columns; with the keys, if cursors are needed.

        It takes one statement, and two more if few of the nearest rows match the filters.
        Raises InvalidArgument for a cursor not of this list, KeyError for an unknown column.
        """
        keys = self._keys(window)
        values: dict[str, object] = {**self.values, **_SAMPLED, "page_size": window.size + 1}
        for name, of_cursor in keys.items():
            values |= {f"page_{name}_{n}": key for n, key in enumerate(of_cursor)}
        read = tuple(dict.fromkeys((*columns, *self.key_types)) if cursors else columns)
        read = read or self.query.keys
        query = self.query.reversed() if window.backward else self.query
        statement = PageStatement(query, read, tuple(sorted(keys)))
        plan = PageStatement.bounded_scan if query.filters else PageStatement.index_scan
        values["page_reach"] = REACH * (window.size + 1)
        rows = await db.fetch_all(page_query(plan, statement), **values)
        page = self._page(window, statement, rows)
        found_beyond = (page.has_previous or window.after is None) and (
            page.has_next or window.before is None
        )
        if not query.filters or (found_beyond and not statement.edges(rows).ends_early):
            return page
        [is_frequent] = await db.fetch_all(frequency_query(query), **values)
        if is_frequent:
            values["page_reach"] = EVERYTHING
        else:
            plan = PageStatement.filter_then_sort
        rows = await db.fetch_all(page_query(plan, statement), **values)
        return self._page(window, statement, rows)

    def unread(self, window: Window) -> Page:
        """Return an empty page without reading any row. Raises InvalidArgument as page() does."""
        self._keys(window)
        return Page(self, (), (), has_previous=False, has_next=False)

    async def count(self, db: QueryReader, limit: int = MAX_COUNT) -> int:
        """Return how many rows the list has, up to a limit."""
        reach = 2 * FREQUENT * limit
        values = {**self.values, **_SAMPLED, "page_limit": limit, "page_reach": reach}
        [count] = await db.fetch_all(count_query(self.query), **values)
        return count

    def cursor(self, keys: Sequence[Any]) -> str:
        """Return the cursor of a row, by its keys, as Python values or as the API writes them.

        It holds the list's digest and the keys, in a canonical form.
        """
        plain = [
            _microseconds(key) if kind is datetime else str(key)
            for kind, key in zip(self.key_types.values(), keys, strict=True)
        ]
        content = orjson.dumps([self.digest, *plain])
        return urlsafe_b64encode(content).rstrip(b"=").decode()

    def read(self, cursor: str) -> tuple[Key, ...]:
        """Return a cursor's keys. Raises InvalidArgument.

        base64 and JSON can write the same keys in many ways: only that of cursor() is accepted.
        """
        why = "The cursor is broken. Send one unchanged as a page answered it."
        with suppress(ValueError, TypeError, OverflowError, RecursionError):
            content = urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4))
            name, *plain = orjson.loads(content)
            if name == self.digest:
                keys = tuple(map(_restore, self.key_types.values(), plain))
                if self.cursor(keys) == cursor:
                    return keys
            else:
                why = (
                    "The cursor belongs to a list of another order or filter. "
                    "Start that list without a cursor."
                )
        raise InvalidArgument(why)

    @cached_property
    def digest(self) -> str:
        """The digest of the list's identity, with which its cursors begin."""
        return hashlib.blake2s(repr(self.identity).encode(), digest_size=6).hexdigest()

    def _keys(self, window: Window) -> dict[str, tuple[Key, ...]]:
        """Return the keys of a window's cursors, by their names in the direction of the page.

        Raises InvalidArgument.
        """
        keys = {}
        if window.after is not None:
            keys["before" if window.backward else "after"] = self.read(window.after)
        if window.before is not None:
            keys["after" if window.backward else "before"] = self.read(window.before)
        return keys

    def _page(
        self, window: Window, statement: PageStatement, rows: Sequence[Sequence[object]]
    ) -> Page:
        """Return the page of a statement's rows; one beyond its size shows that there are more."""
        columns, edges = statement.columns, statement.edges(rows)
        if edges is not NO_EDGES:
            rows = [row[: len(columns)] for row in rows] if edges.has_row else []
        goes_on = len(rows) > window.size or edges.has_next
        rows = rows[: window.size]
        if window.backward:
            return Page(self, columns, rows[::-1], goes_on, edges.has_previous)
        return Page(self, columns, rows, edges.has_previous, goes_on)


class Selection(NamedTuple):
    """What a client selects of a connection."""

    rows: bool
    """Whether rows are read at all."""
    counted: bool
    columns: Sequence[str]
    cursors: frozenset[str]

    @classmethod
    def of(
        cls,
        selected: Callable[..., frozenset[str]],
        columns: Callable[[frozenset[str]], Sequence[str]],
    ) -> Self:
        """Return what is selected, given the columns to read for a node's fields.

        `selected` returns the fields (in snake_case) at the end of a path below the connection.
        """
        fields = selected()
        node = selected("nodes") | selected("edges", "node")
        cursors = (selected("edges") | selected("page_info")) & CURSOR_FIELDS
        rows = bool(fields & {"nodes", "edges", "page_info"})
        return cls(rows, "total_count" in fields, columns(node), cursors)

    async def read(self, db: QueryReader, listing: Listing, window: Window) -> tuple[Page, int]:
        """Return a page and the list's length, as far as they are selected; 0 if it isn't."""
        if self.rows:
            page = await listing.page(db, window, self.columns, cursors=bool(self.cursors))
        else:
            page = listing.unread(window)
        return page, await listing.count(db) if self.counted else 0


def _restore(kind: type[Any], plain: Any) -> Key:  # noqa: ANN401 — any JSON
    """Return a key as its column has it. Raises ValueError, TypeError or OverflowError."""
    if kind is datetime:
        moment: datetime = _EPOCH + plain * _MICROSECOND
        return moment
    if b"\0" in str.encode(plain):  # which raises for what is no string, and a lone surrogate
        raise ValueError
    if kind is int and not -_INT64 <= int(plain) < _INT64:
        raise OverflowError
    key: Key = kind(plain)
    return key


def _microseconds(moment: Any) -> int:  # noqa: ANN401 — a column's value
    """Return the microseconds since 1970 of a date and time, or of its text (RFC 3339)."""
    moment = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return int((moment - _EPOCH) // _MICROSECOND)
