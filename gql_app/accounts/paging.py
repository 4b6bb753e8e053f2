"""Keyset paging: a page starts where a cursor stands, whatever is inserted meanwhile.

It follows the GraphQL Cursor Connections Specification, save that `hasNextPage` and
`hasPreviousPage` are both told whichever way one pages.
"""

import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Generic, Self, TypeVar
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    UnaryExpression,
    exists,
    false,
    func,
    literal,
    select,
    true,
    tuple_,
)
from sqlalchemy.orm import InstrumentedAttribute, aliased

from gql_app.db.engine import Reader
from gql_app.db.tables import Row
from gql_app.errors import BadUserInput

DEFAULT_SIZE: Final = 50
MAX_SIZE: Final = 500
MAX_CURSOR_LENGTH: Final = 4096

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_R = TypeVar("_R", bound=Row)
Sortable = (
    InstrumentedAttribute[datetime] | InstrumentedAttribute[UUID] | InstrumentedAttribute[str]
)
_Keys = tuple[datetime | UUID | str, ...]


@dataclass(frozen=True, slots=True)
class Page(Generic[_R]):
    """One page of a list, and whether there is more on either side of it."""

    rows: Sequence[_R]
    has_previous: bool
    has_next: bool


@dataclass(frozen=True, slots=True)
class Window:
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


@dataclass(frozen=True, slots=True)
class Listing(Generic[_R]):
    """A list of rows that match, in the order of columns that are unique together."""

    entity: type[_R]
    matching: Sequence[ColumnElement[bool]]
    columns: Sequence[Sortable]
    descending: bool
    name: str
    """Tells this list's order and filter from any other's, so that cursors don't mix."""

    async def page(self, db: Reader, window: Window) -> Page[_R]:
        """Read one page in one statement. Raises BadUserInput for a cursor not of this list."""
        found = (await db.execute(self._statement(window))).all()
        rows = [row for row, *_ in found if row is not None]
        _, has_previous, has_next = found[0]
        more = len(rows) > window.size
        if window.backward:
            return Page(rows[: window.size][::-1], more or has_previous, has_next)
        return Page(rows[: window.size], has_previous, more or has_next)

    async def count(self, db: Reader) -> int:
        """Count the whole list."""
        statement = select(func.count()).select_from(self.entity).where(*self.matching)
        return (await db.execute(statement)).scalar_one()

    def cursor(self, row: _R) -> str:
        """Write where a row stands."""
        return self._spell([getattr(row, column.key) for column in self.columns])

    def _spell(self, keys: Sequence[object]) -> str:
        parts = [self._print(), *map(_write, keys)]
        raw = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
        return urlsafe_b64encode(raw.encode()).rstrip(b"=").decode()

    def _statement(self, window: Window) -> Select[_R | None, bool, bool]:
        """Join the page to what lies beyond its cursors, told even of an empty page."""
        after, before = self._read(window.after), self._read(window.before)
        bounds = [
            *([self._stands(after, later=True)] if after else []),
            *([self._stands(before, later=False)] if before else []),
        ]
        page = aliased(
            self.entity,
            select(self.entity)
            .where(*self.matching, *bounds)
            .order_by(*self._order(self.entity, backward=window.backward))
            .limit(window.size + 1)
            .subquery(),
        )
        edges = select(
            self._any(after, later=False).label("has_previous"),
            self._any(before, later=True).label("has_next"),
        ).subquery()
        return (
            select(page, edges.c.has_previous, edges.c.has_next)
            .select_from(edges)
            .join(page, true(), isouter=True)
            .order_by(*self._order(page, backward=window.backward))
        )

    def _order(self, entity: type[_R], *, backward: bool) -> list[UnaryExpression[object]]:
        columns = [getattr(entity, column.key) for column in self.columns]
        return [c.desc() if self.descending != backward else c.asc() for c in columns]

    def _stands(self, keys: _Keys, *, later: bool, or_there: bool = False) -> ColumnElement[bool]:
        """Compare rows with a cursor: they are to stand later in the list, or earlier."""
        upward = later != self.descending
        typed = [literal(key, column.type) for key, column in zip(keys, self.columns, strict=True)]
        rows, there = tuple_(*self.columns), tuple_(*typed)
        if upward:
            return rows >= there if or_there else rows > there
        return rows <= there if or_there else rows < there

    def _any(self, keys: _Keys, *, later: bool) -> ColumnElement[bool]:
        """Ask for any row at a cursor or on that side of it; none is, of no cursor."""
        if not keys:
            return false()
        there = self._stands(keys, later=later, or_there=True)
        return exists().where(*self.matching, there)

    def _read(self, cursor: str | None) -> _Keys:
        """Read where a cursor stands; nowhere, if there is none."""
        if cursor is None:
            return ()
        try:
            name, keys = _parse(cursor)
            if name == self._print():
                return self._restored(keys, cursor)
        except (ValueError, TypeError, OverflowError, RecursionError):
            message = "The cursor is broken. Send one unchanged as a page answered it."
            raise BadUserInput(message) from None
        message = (
            "The cursor belongs to a list of another order or filter. Start that list "
            "without a cursor."
        )
        raise BadUserInput(message)

    def _restored(self, keys: Sequence[object], cursor: str) -> _Keys:
        """Restore a cursor's keys; it has one spelling, as base64 and JSON have many."""
        types = [column.type.python_type for column in self.columns]
        restored = tuple(_restore(kind, key) for kind, key in zip(types, keys, strict=True))
        if self._spell(restored) != cursor:
            raise ValueError
        return restored

    def _print(self) -> str:
        return hashlib.blake2s(self.name.encode(), digest_size=6).hexdigest()


def _parse(cursor: str) -> tuple[object, list[object]]:
    if len(cursor) > MAX_CURSOR_LENGTH:
        raise ValueError
    raw = urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4))
    name, *keys = json.loads(raw)
    return name, keys


def _write(value: object) -> str | int:
    if isinstance(value, datetime):
        return (value - _EPOCH) // _MICROSECOND
    return str(value)


def _restore(kind: type, key: object) -> datetime | UUID | str:
    if kind is datetime:
        if type(key) is not int:
            raise TypeError
        return _EPOCH + key * _MICROSECOND
    if not isinstance(key, str) or "\0" in key:
        raise TypeError
    key.encode()  # a lone surrogate is no text, and raises
    return UUID(key) if kind is UUID else key
