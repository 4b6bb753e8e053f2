"""Nested lists: the first rows of each parent, such as the newest orders of each customer."""

from collections.abc import Sequence
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import ARRAY, FromClause, Select, bindparam, column, func, select, true, tuple_
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute

from gql_app.extending.loaders import Loader
from gql_app.extending.nodes import NodeColumns
from gql_app.lib.database import JsonList, Query, Reader, api_text
from gql_app.lib.engine import LazyRows
from gql_app.lib.pagination import ListQuery

K = TypeVar("K")
N = TypeVar("N")


def nested(
    node: type[N],
    rows: type[DeclarativeBase],
    *,
    by: InstrumentedAttribute[K],
    order_by: str,
    limit: int,
    descending: bool = True,
) -> Loader[K, Sequence[N]]:
    """Return a loader of nested lists: by a key, the rows that have it, the last of an order first.

        orders_of = nested(Order, OrderRow, by=OrderRow.customer_id, order_by="created_at", limit=5)

        @extend(Customer, private=True)
        class CustomerOrders(Customer):
            @strawberry.field
            async def orders(self, info: Info) -> Sequence[Order] | None:
                return await info.context.load(orders_of, self.id)

    One statement reads the lists of a whole page, each `limit` rows at most. With an index of the
    column `by`, the column of the order and the primary key it looks at no other rows.

    The nodes are those of connection(): of a Strawberry type whose fields without a resolver are
    columns of the same names. They are built when somebody looks at them. Raises TypeError with
    everything that a table doesn't allow.
    """
    columns = NodeColumns(node, rows, [order_by], ())
    order = ListQuery(rows, (order_by,), descending=descending)
    return Loader(_Nested(columns, by, order, limit))


class _Nested:
    """How nested lists are read."""

    def __init__(
        self, columns: NodeColumns, by: InstrumentedAttribute[Any], order: ListQuery, limit: int
    ) -> None:
        self._columns: Final = columns
        self._build: Final = columns.builder(columns.names)
        self._by: Final = by
        self._order: Final = order
        self._limit: Final = limit
        self._queries: Final = {
            "postgresql": Query(self._lateral(), tuple),
            "sqlite": Query(self._by_id(), tuple),
        }
        is_id = by.expression.type.python_type is UUID
        self._key: Final = str if is_id else (lambda key: key)

    async def __call__(self, db: Reader, keys: list[Any]) -> list[LazyRows[Any]]:
        """Return the list of each key."""
        rows = await db.fetch_all(self._queries[db.dialect], keys=keys)
        names, build = self._columns.names, self._build
        written = self._columns.written(names, rows)
        lists: dict[object, list[Sequence[Any]]] = {self._key(key): [] for key in keys}
        for row in rows:
            lists[row[-1]].append(row[:-1])
        return [LazyRows(names, each, build, written) for each in lists.values()]

    def _lateral(self) -> Select[Any]:
        """Return what reads the first rows of each key by an index, and no others."""
        kind, order = self._by.expression.type, self._order
        values = func.unnest(bindparam("keys", type_=ARRAY(kind)))
        keys = values.table_valued(column("key", kind), name="keys").render_derived()
        found = select(order.table).where(self._by == keys.c.key)
        first = found.order_by(*order.order(order.table)).limit(self._limit).lateral("first")
        return self._shown(first).select_from(keys.join(first, true()))

    def _by_id(self) -> Select[Any]:
        """Return the same for SQLite, which has no LATERAL: it finds the rows by their ids."""
        kind, order = self._by.expression.type, self._order
        values = func.json_each(bindparam("keys", type_=JsonList(kind)))
        keys = values.table_valued(column("value", kind), name="keys")
        rows = order.table.alias("rows")
        found = select(*(rows.c[each] for each in order.ids))
        found = found.where(rows.c[self._by.key] == keys.c.value).order_by(*order.order(rows))
        first = found.limit(self._limit).correlate(keys)
        here = tuple_(*(order.table.c[each] for each in order.ids)).in_(first)
        return self._shown(order.table).select_from(keys.join(order.table, here))

    def _shown(self, rows: FromClause) -> Select[Any]:
        """Return the columns of the nodes, and the key last, in the lists' order."""
        key = rows.c[self._by.key]
        shown = [self._columns.shown(name, rows) for name in self._columns.names]
        by = api_text(key) if key.type.python_type is UUID else key
        return select(*shown, by).order_by(*self._order.order(rows))
