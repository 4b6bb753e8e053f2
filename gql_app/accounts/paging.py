"""Keyset paging: a page starts where a cursor stands, whatever is inserted meanwhile.

It follows the GraphQL Cursor Connections Specification, save that `hasNextPage` and
`hasPreviousPage` are both told whichever way one pages.
"""

import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any, Final, Self
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    SQLColumnExpression,
    UnaryExpression,
    bindparam,
    exists,
    false,
    func,
    select,
    true,
    tuple_,
)

from gql_app.accounts.records import columns as columns_of
from gql_app.db.questions import Question, Reader
from gql_app.db.tables import Row
from gql_app.errors import BadUserInput

DEFAULT_SIZE: Final = 50
MAX_SIZE: Final = 500
MAX_CURSOR_LENGTH: Final = 4096
SHAPES: Final = 512
"""Statements of lists that are kept; those that nobody has asked for longest go."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_JSON: Final = json.JSONEncoder(ensure_ascii=False)
_Keys = tuple[datetime | UUID | str, ...]


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


@dataclass(frozen=True, eq=False)
class Source:
    """What a list is taken from, and how the SQL of its parts is written."""

    entity: type[Row]
    matching: Callable[["Shape"], Iterable[ColumnElement[bool]]]
    shown: Callable[["Shape", str], ColumnElement[Any]]

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Name the columns in the order that they are read in."""
        return tuple(self.entity.__table__.columns.keys())


@dataclass(frozen=True, slots=True)
class Shape:
    """All of a list that its statements depend on: everything but the values."""

    source: Source
    conditions: tuple[str, ...]
    keys: tuple[str, ...]
    """The columns of its order, unique together."""
    descending: bool
    by_admin: bool = True


@dataclass(frozen=True)
class Page:
    """One page of a list, and whether there is more on either side of it."""

    listing: "Listing"
    columns: tuple[str, ...]
    rows: Sequence[Sequence[object]]
    """The values of these columns, in their order."""
    has_previous: bool
    has_next: bool

    @property
    def marked(self) -> bool:
        """Whether the keys were read that cursors are made of."""
        return set(self.listing.shape.keys) <= set(self.columns)

    def cursor(self, row: Sequence[object]) -> str:
        """Write where a row stands, in a page whose keys were read."""
        keys = _places(self.listing.shape, self.columns)
        return self.listing.cursor([restore(row[place]) for place, restore in keys])


@dataclass(frozen=True)
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

        It takes one statement. Raises BadUserInput for a cursor not of this list.
        """
        after, before = self.read(window.after), self.read(window.before)
        wanted = {*columns, *self.shape.keys} if cursors or not columns else columns
        names = tuple(name for name in self.shape.source.columns if name in wanted)
        question = _page(self.shape, names, window.backward, bool(after), bool(before))
        found = await db.ask(
            question,
            **self.values,
            **_named("after", after),
            **_named("before", before),
            size=window.size + 1,
        )
        return self._page(window, names, found, edged=bool(after or before))

    def unread(self, window: Window) -> Page:
        """Make a page that nobody looks at. Raises BadUserInput as page() does."""
        self.read(window.after)
        self.read(window.before)
        return Page(self, (), (), has_previous=False, has_next=False)

    async def count(self, db: Reader) -> int:
        """Count the whole list."""
        [count] = await db.ask(_count(self.shape), **self.values)
        return count

    def cursor(self, keys: Sequence[object]) -> str:
        """Write where a row stands, by the values of the order's keys."""
        raw = f"[{','.join([self._print, *map(_write, keys)])}]"
        return urlsafe_b64encode(raw.encode()).rstrip(b"=").decode()

    def read(self, cursor: str | None) -> _Keys:
        """Read where a cursor stands; nowhere, if there is none. Raises BadUserInput."""
        if cursor is None:
            return ()
        try:
            name, keys = _parse(cursor)
            if _JSON.encode(name) == self._print:
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
        found: Sequence[tuple[object, ...]],
        *,
        edged: bool,
    ) -> Page:
        """Tell a page from what lies beyond it, which every row says if there was a cursor."""
        there, has_previous, has_next = map(bool, found[0][-3:]) if edged else (True, False, False)
        if edged:
            found = [row[:-3] for row in found] if there else []
        more = len(found) > window.size
        rows = found[: window.size]
        if window.backward:
            return Page(self, columns, rows[::-1], more or has_previous, has_next)
        return Page(self, columns, rows, has_previous, more or has_next)

    def _restored(self, keys: Sequence[object], cursor: str) -> _Keys:
        """Restore a cursor's keys; it has one spelling, as base64 and JSON have many."""
        columns = columns_of(self.shape.source.entity, self.shape.keys)
        types = [column.type.python_type for column in columns]
        restored = tuple(_restore(kind, key) for kind, key in zip(types, keys, strict=True))
        if self.cursor(restored) != cursor:
            raise ValueError
        return restored

    @property
    def _print(self) -> str:
        return _print(self.identity)


@lru_cache(SHAPES)
def _places(
    shape: Shape, columns: tuple[str, ...]
) -> Sequence[tuple[int, Callable[[object], object]]]:
    """Find the keys in a row, and what makes values of them where they are spelt."""
    keys = columns_of(shape.source.entity, shape.keys)
    return [
        (columns.index(name), _moment if key.type.python_type is datetime else _itself)
        for name, key in zip(shape.keys, keys, strict=True)
    ]


@lru_cache(SHAPES)
def _print(identity: Hashable) -> str:
    """Write what tells a list from any other, as JSON."""
    return f'"{hashlib.blake2s(repr(identity).encode(), digest_size=6).hexdigest()}"'


@lru_cache(SHAPES)
def _page(
    shape: Shape,
    columns: tuple[str, ...],
    backward: bool,  # noqa: FBT001 — part of the key
    after: bool,  # noqa: FBT001
    before: bool,  # noqa: FBT001
) -> Question[tuple[object, ...]]:
    """Ask for a page; with a cursor, joined to what lies beyond, told even of an empty page."""
    keys = columns_of(shape.source.entity, shape.keys)
    bounds = [
        *([_stands(shape, "after", later=True)] if after else []),
        *([_stands(shape, "before", later=False)] if before else []),
    ]
    rows = (
        select(*(shape.source.shown(shape, name).label(name) for name in columns))
        .where(*shape.source.matching(shape), *bounds)
        .order_by(*_order(shape, keys, backward=backward))
        .limit(bindparam("size", type_=Integer()))
    )
    if not bounds:
        return Question(rows, tuple)
    numbered = [key.label(f"key_{number}") for number, key in enumerate(keys)]
    page = rows.add_columns(*numbered).subquery()
    edges = select(
        (_any(shape, "after", later=False) if after else false()).label("has_previous"),
        (_any(shape, "before", later=True) if before else false()).label("has_next"),
    ).subquery()
    statement: Select[Any] = (
        select(*(page.c[name] for name in columns))
        .add_columns(page.c.key_0.is_not(None), edges.c.has_previous, edges.c.has_next)
        .select_from(edges)
        .join(page, true(), isouter=True)
        .order_by(*_order(shape, [page.c[key.name] for key in numbered], backward=backward))
    )
    return Question(statement, tuple)


@lru_cache(SHAPES)
def _count(shape: Shape) -> Question[int]:
    source = shape.source
    counted = select(func.count()).select_from(source.entity).where(*source.matching(shape))
    return Question(counted, lambda row: int(row[0]))


def _order(
    shape: Shape, keys: Iterable[SQLColumnExpression[Any]], *, backward: bool
) -> list[UnaryExpression[Any]]:
    return [key.desc() if shape.descending != backward else key.asc() for key in keys]


def _stands(
    shape: Shape, cursor: str, *, later: bool, or_there: bool = False
) -> ColumnElement[bool]:
    """Compare rows with a cursor: they are to stand later in the list, or earlier."""
    columns = columns_of(shape.source.entity, shape.keys)
    keys = [bindparam(_key(cursor, n), type_=column.type) for n, column in enumerate(columns)]
    rows, there = tuple_(*columns), tuple_(*keys)
    if later != shape.descending:
        return rows >= there if or_there else rows > there
    return rows <= there if or_there else rows < there


def _any(shape: Shape, cursor: str, *, later: bool) -> ColumnElement[bool]:
    """Ask for any row at a cursor or on that side of it."""
    there = _stands(shape, cursor, later=later, or_there=True)
    return exists().where(*shape.source.matching(shape), there)


def _key(cursor: str, number: int) -> str:
    return f"{cursor}_{number}"


def _named(cursor: str, keys: _Keys) -> dict[str, object]:
    return {_key(cursor, number): key for number, key in enumerate(keys)}


def _itself(value: object) -> object:
    return value


def _moment(value: object) -> object:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _parse(cursor: str) -> tuple[object, list[object]]:
    if len(cursor) > MAX_CURSOR_LENGTH:
        raise ValueError
    raw = urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4))
    name, *keys = json.loads(raw)
    return name, keys


def _write(value: object) -> str:
    """Write a key as JSON."""
    if isinstance(value, datetime):
        return str((value - _EPOCH) // _MICROSECOND)
    return _JSON.encode(str(value))


def _restore(kind: type, key: object) -> datetime | UUID | str:
    if kind is datetime:
        if type(key) is not int:
            raise TypeError
        return _EPOCH + key * _MICROSECOND
    if not isinstance(key, str) or "\0" in key:
        raise TypeError
    key.encode()  # a lone surrogate is no text, and raises
    return UUID(key) if kind is UUID else key
