"""Nested lists: the first rows of each parent, such as the newest orders of each customer."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate, chain
from types import MappingProxyType
from typing import Any, Final, TypeAlias, cast
from uuid import UUID

import strawberry
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Table,
    Text,
    bindparam,
    column,
    func,
    select,
    table,
    true,
    type_coerce,
)
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute
from strawberry.types.field import StrawberryField

from gql_app.accounts.permissions import READ_PRIVATE
from gql_app.accounts.sessions import Caller
from gql_app.extending.comparisons import KEYS, column_faults, converter, parameter_type
from gql_app.extending.context import Context, Info
from gql_app.extending.loaders import LoadFor
from gql_app.extending.nodes import NodeColumns
from gql_app.extending.permissions import declared_permissions
from gql_app.extending.visibility import EVERYTHING, MAX_KNOWN, Visibility
from gql_app.lib.database import ColumnQuery, JsonList, Reader
from gql_app.lib.engine import NESTED, Columns, LazyRows, Nested
from gql_app.lib.pagination import Condition, ListQuery
from gql_app.schema.permissions import Permission, requiring

NestedRows: TypeAlias = tuple[LazyRows[Any], Sequence[int | None]]
"""The rows of several lists, concatenated, and each list's length; None for a list that is null."""
KEY: Final = "key"
"""The metadata key of a field that holds the name of the object's attribute its rows refer to."""
BY: Final = "by"
"""The metadata key of a field that holds the column that its rows are found by."""
LISTED: Final = "listed"
"""The metadata key of a field that holds the columns of its objects."""
_LIMIT: Final = "limit"
"""The metadata key of a field that holds the most rows of a list."""
MAX_LIMIT: Final = 2**31
"""The limit of a list must be less: GraphQL's numbers are."""
_UUIDS: Final = re.compile(r"(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})+")


def nested(
    node: type,
    rows: type[DeclarativeBase],
    *,
    by: InstrumentedAttribute[Any],
    order_by: str,
    limit: int,
    descending: bool = True,
    key: str = "id",
    permissions: Sequence[Permission] = (),
    description: str | None = None,
) -> Any:
    """Return a field with a list of rows: those whose column `by` equals the object's `key`.

        @extend(Customer, private=True)
        class CustomerOrders(Customer):
            orders = nested(Order, OrderRow, by=OrderRow.customer_id, order_by="placed_at", limit=5)

    Rows are in descending order unless `descending` is False, at most `limit` per list. One
    statement reads the lists of a whole page; with an index on the columns `by` and `order_by` and
    the primary key it reads no other rows.

    Nodes are as in connection(): of a Strawberry type whose fields without a resolver are columns
    of the same names. They are built lazily, when a resolver needs them. Rows that the type's first
    connection in `Feature.queries` hides are left out. The list requires the permissions of the
    field of `order_by`, too. Raises TypeError with every fault of the declaration.
    """
    taker = f"nested({node.__name__}, {rows.__name__})"
    if not isinstance(order_by, str):
        message = f"{taker}: order_by must be a text, not {order_by!r}."
        raise TypeError(message)
    required = declared_permissions(taker, permissions)
    faults = [*column_faults("by", by, rows, KEYS)]
    if type(limit) is not int or not 0 < limit < MAX_LIMIT:
        faults.append(f"limit must be a number of 1 to {MAX_LIMIT - 1}, not {limit!r}")
    columns = NodeColumns(node, rows, [order_by], (), "nested", faults)
    lists = _Lists(columns, by, ListQuery(rows, (order_by,), descending=descending), limit)

    async def resolve(self: Any, info: Info) -> Any:
        found, [size] = await lists.of(info.context, [getattr(self, key)])
        return None if size is None else found

    resolve.__annotations__["return"] = Sequence[node] | None  # type: ignore[valid-type]  # a class of now
    asked = requiring(*required, *columns.guards[order_by])
    return strawberry.field(
        resolve,
        description=description,
        extensions=asked,
        metadata={
            KEY: key,
            BY: by,
            _LIMIT: limit,
            LISTED: columns,
            NESTED: None if asked else Nested(key, lists.of),
        },
    )


def limit_of(definition: Any) -> int | None:
    """Return the limit of a field's list; None for a field that is not made by nested()."""
    fields = (e for e in definition.extensions.values() if isinstance(e, StrawberryField))
    return next((field.metadata.get(_LIMIT) for field in fields), None)


class _Lists:
    """The statements that read nested lists, and their results as lists of nodes."""

    def __init__(
        self, columns: NodeColumns, by: InstrumentedAttribute[Any], order: ListQuery, limit: int
    ) -> None:
        self._columns: Final = columns
        self._build: Final = columns.builder(columns.names)
        self._by: Final = by
        self._order: Final = order
        self._limit: Final = limit
        self._kind: Final = parameter_type(by.expression.type)
        self._convert: Final = converter(by.expression.type)
        self._by_id: Final = by.expression.type.python_type is UUID
        self._none: Final = self._rows([()] * len(columns.names), 0)
        self._statements: Final = {"postgresql": self._lateral, "sqlite": self._by_rowid}
        self._query: Final = lru_cache(MAX_KNOWN)(self._made)
        for dialect in self._statements:
            self._query(dialect, ())

    async def of(self, context: Context, keys: Sequence[Any]) -> NestedRows:
        """Return the lists of some keys, null for None; a request's keys are read in one batch."""
        are_ids = self._by_id and _are_ids(keys)
        values = keys if are_ids else [*map(self._compared, keys)]
        asked = tuple(values if are_ids else (each for each in values if each is not None))
        visible = context.resources.extensions.visible.get(self._columns.node, EVERYTHING)
        caller = await context.viewer() if asked and visible is not EVERYTHING else None
        read = LoadFor(self.read, (visible, caller))
        rows, found = await context.load(read, asked) if asked else (self._none, ())
        if len(asked) == len(keys):
            return rows, found
        sizes = iter(found)
        pairs = zip(keys, values, strict=True)
        return rows, [k if k is None else 0 if v is None else next(sizes) for k, v in pairs]

    async def read(
        self, db: Reader, pages: list[tuple[Any, ...]], visible: Visibility, caller: Caller | None
    ) -> list[NestedRows]:
        """Return the lists of each page's keys, read by one statement."""
        conditions, bound = visible.of(caller)
        keys = [*dict.fromkeys(chain.from_iterable(pages))]
        is_hex = self._by_id and db.dialect == "sqlite"  # which stores UUIDs as hexadecimal text
        sent = " ".join(keys).replace("-", "").split() if is_hex else keys
        query = self._query(db.dialect, conditions)
        *columns, numbers = await db.fetch_all(query, **bound, keys=sent)
        counts = Counter(numbers)
        # json_each() counts from 0, WITH ORDINALITY from 1
        first = 0 if db.dialect == "sqlite" else 1
        sizes = [*map(counts.__getitem__, range(first, first + len(keys)))]
        if [tuple(keys)] == pages:
            return [(self._rows(columns, len(numbers)), sizes)]
        ends = accumulate(sizes)
        lists = {key: range(end - n, end) for key, n, end in zip(keys, sizes, ends, strict=True)}
        return [self._page(columns, [lists[key] for key in page]) for page in pages]

    def _compared(self, key: object) -> object:
        """Return what rows are compared with; an id as text, whose hash no client can foresee."""
        value = self._convert(key)
        return str(value) if self._by_id and value is not None else value

    def _page(self, columns: Sequence[Sequence[Any]], lists: Sequence[range]) -> NestedRows:
        """Return some lists, by their places in the columns that were read."""
        places = [*chain.from_iterable(lists)]
        values = [[*map(column.__getitem__, places)] for column in columns]
        return self._rows(values, len(places)), [*map(len, lists)]

    def _rows(self, columns: Sequence[Sequence[Any]], count: int) -> LazyRows[Any]:
        names = self._columns.names
        written = self._columns.written(dict(zip(names, columns, strict=True)))
        return LazyRows(names, Columns(columns, count), self._build, written)

    def _made(self, dialect: str, conditions: tuple[Condition, ...]) -> ColumnQuery:
        """Return the query with these conditions; it is cached by the conditions' identity."""
        made = self._statements[dialect](*(each.row_condition for each in conditions))
        return ColumnQuery(made)

    def _lateral(self, *conditions: ColumnElement[bool]) -> Select[Any]:
        """Return the LATERAL statement, which reads each key's first rows by an index alone."""
        kind, order = self._kind, self._order
        values = func.unnest(bindparam("keys", type_=ARRAY(kind)))
        named = values.table_valued(column("key", kind), with_ordinality="number", name="keys")
        keys = named.render_derived()
        found = select(order.table).where(self._by == keys.c.key, *conditions)
        first = found.order_by(*order.order(order.table)).limit(self._limit).lateral("first")
        shown = self._shown(first, keys.c.number)
        return shown.select_from(keys.join(first, true()))

    def _by_rowid(self, *conditions: ColumnElement[bool]) -> Select[Any]:
        """Return the same for SQLite, which has no LATERAL: a subquery finds the rows' rowids."""
        order, named = self._order, cast("Table", self._order.table)
        if not named.dialect_options["sqlite"]["with_rowid"]:
            message = f"nested(): {named.name} has no rowid, by which SQLite finds its rows."
            raise TypeError(message)
        kind = Text() if self._by_id else self._kind
        values = func.json_each(bindparam("keys", type_=JsonList(kind)))
        keys = values.table_valued(column("key"), column("value", kind), name="keys")
        columns = [column(each.name, each.type) for each in named.c]
        every = table(named.name, column("rowid"), *columns, schema=named.schema)
        rowid = column("rowid", Integer)
        rowid.table = named  # a condition may name other tables, which have one, too
        found = select(rowid).select_from(named).where(self._by == keys.c.value)
        first = (
            found.where(*conditions)
            .order_by(*order.order(named))
            .limit(self._limit)
            .correlate(keys)
        )
        here = every.c.rowid.in_(first)
        return self._shown(every, keys.c.key).select_from(keys.join(every, here))

    def _shown(self, rows: FromClause, number: ColumnElement[int]) -> Select[Any]:
        """Select the nodes' columns and their key's number, ordered by list and then by row."""
        shown = [self._columns.shown(name, rows) for name in self._columns.names]
        counted = type_coerce(number, Integer()).label("number")
        return select(*shown, counted).order_by(number, *self._order.order(rows))


def _are_ids(keys: Sequence[Any]) -> bool:
    """Return whether all keys are UUIDs as the API writes them, which need no conversion."""
    try:
        return _UUIDS.fullmatch("".join(keys)) is not None
    except TypeError:
        return False


def if_private(metadata: MappingProxyType[Any, Any]) -> MappingProxyType[Any, Any]:
    """Return the metadata of a field that becomes private.

    Lists keyed by a customer's id stay lazy, for the id decides what is shown; others do not.
    """
    known = metadata.get(NESTED)
    if known and known.column == "id":
        return MappingProxyType({**metadata, NESTED: known._replace(shows=_shown_to)})
    return MappingProxyType({**metadata, NESTED: None})


def _shown_to(caller: Caller, ids: Sequence[str]) -> Sequence[str | None]:
    """Return customers' ids, None for each whose private fields the caller may not read."""
    if READ_PRIVATE in caller.permissions:
        return ids
    own = str(caller.customer_id)
    return [own if each == own else None for each in ids]
