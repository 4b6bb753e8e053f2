"""Connections: keyset pagination over a feature's own table, as `customers` has it."""

import dataclasses
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from enum import Enum
from functools import partial
from inspect import Parameter, Signature
from itertools import chain, repeat
from typing import Annotated, Any, Final

import strawberry
from sqlalchemy.orm import DeclarativeBase

from gql_app.accounts.sessions import Caller
from gql_app.errors import Unauthenticated
from gql_app.extending.comparisons import NAMES, Comparison
from gql_app.extending.context import Info
from gql_app.extending.functions import check_lists
from gql_app.extending.node_kinds import node_kind
from gql_app.extending.nodes import NodeColumns, connection_type, described_type
from gql_app.extending.permissions import declared_permissions
from gql_app.extending.visibility import EVERYTHING, Visibility, Visible, visible_faults
from gql_app.lib.composition import who_may_ask
from gql_app.lib.engine import LazyRows, cached_per_document, selected_fields
from gql_app.lib.pagination import (
    DEFAULT_SIZE,
    MAX_SIZE,
    NOTHING,
    Condition,
    Listing,
    ListQuery,
    Page,
    QueryReader,
    Selection,
)
from gql_app.schema.context import page_window
from gql_app.schema.permissions import IsAuthenticated, Permission, requiring
from gql_app.schema.types import OrderDirection, PageInfo

_MARK: Final = "__connection__"
_SIZE: Final = f"1 to {MAX_SIZE}; {DEFAULT_SIZE} if neither `first` nor `last` is given."
_ARGUMENTS: Final[Mapping[str, tuple[Any, str]]] = {
    "first": (int, f"How many rows from the start, or after `after`: {_SIZE}"),
    "after": (str, "Only rows after this cursor: an `endCursor`."),
    "last": (int, f"How many rows from the end, or before `before`: {_SIZE}"),
    "before": (str, "Only rows before this cursor: a `startCursor`."),
}


def connection(
    node: type,
    rows: type[DeclarativeBase],
    *,
    order_by: Sequence[str],
    filters: Sequence[str] = (),
    visible: Visible | None = None,
    permissions: Sequence[Permission] = (IsAuthenticated,),
    description: str | None = None,
    name: str | None = None,
) -> Any:
    """Return a field of Query: a connection with keyset pages over a table, as `customers` is.

        @strawberry.type
        class Orders:
            orders = connection(Order, OrderRow, order_by=["created_at"], filters=["status"],
                                visible=owned_by(OrderRow.customer_id, unless="orders:read"))

    `node` is a Strawberry type whose fields without a resolver are columns of the same names. If a
    query selects a field with a resolver, all these columns are read, strawberry.Private ones too.
    `order_by` names the columns to sort by, the default first. Each is never null and has an index
    on it and the primary key. `filters` names the columns to filter by: datetimes by a range, as
    `createdAfter` and `createdBefore` (both exclusive), and text, integers, booleans, UUIDs and
    dates by equality. Where the field of a column requires a permission, so do its filter, its
    order and cursors that hold it.

    `visible`, owned_by() or a function of the caller, returns the condition of the rows that the
    caller may see; without it every caller sees all rows. The columns that it compares should be
    the first of an index, before the sort column. Without permissions the caller may be None. The
    types are named after the node type: OrderConnection, OrderEdge, OrderFilter, OrderOrder and
    OrderOrderField; the last three after `name`, if given, which a second connection of a node
    needs if it has other filters or orders. Raises TypeError with every fault of the declaration.
    """
    made = Connection(node, rows, order_by, filters, visible, permissions, name or node.__name__)
    needed = [f"Without orderBy: {who_may_ask(each)}" for each in made.columns.guards[order_by[0]]]
    return strawberry.field(
        made.resolver(),
        description=" ".join([description or "A page of a list.", *needed]),
        extensions=requiring(*made.permissions),
        metadata={_MARK: made},
    )


def connection_of(field: dataclasses.Field[Any]) -> "Connection | None":
    """Return how a field that connection() made is read; None for another field."""
    made: Connection | None = field.metadata.get(_MARK)
    return made


class Connection:
    """How one connection is read."""

    def __init__(
        self,
        node: type,
        rows: type[DeclarativeBase],
        order_by: Sequence[str],
        filters: Sequence[str],
        visible: Visible | None,
        permissions: Sequence[Permission],
        name: str,
    ) -> None:
        taker = f"connection({node.__name__}, {rows.__name__})"
        check_lists(taker, order_by=order_by, filters=filters)
        order_by = [*dict.fromkeys(order_by)]
        faults = [*visible_faults(visible, rows)]
        if not isinstance(name, str) or not name.isascii() or not name.isidentifier():
            faults.append(f"name is {name!r}, which can't be a part of the types' names")
        self.columns: Final = NodeColumns(node, rows, order_by, filters, faults=faults)
        self.name: Final = name
        self.visibility: Final = Visibility(visible, self.columns.table) if visible else EVERYTHING
        self.permissions: Final = declared_permissions(taker, permissions)
        self._by_statement: Final = all(type(each) is IsAuthenticated for each in self.permissions)
        if self.permissions and self._by_statement:
            self.permissions[:] = [IsAuthenticated(by_token=True)]
        self.kind: Final = node_kind(self.columns, self.visibility, self.permissions)
        self._orders: Final = {
            column: ListQuery(rows, (column,), visible_column=self.columns.shown)
            for column in order_by
        }
        told = {
            each: self._told(f"By {NAMES.apply_naming_config(each)}.", each) for each in order_by
        }
        values = [
            (each.upper(), strawberry.enum_value(each, description=told[each])) for each in order_by
        ]
        made: type[Enum] = Enum(f"{name}OrderField", values)  # type: ignore[misc]  # known now
        order_field = strawberry.enum(made, description="What the list is sorted by.")
        self._order: Final = described_type(
            strawberry.input,
            f"{name}Order",
            "How the list is sorted.",
            {
                "field": (order_field, "What to sort by."),
                "direction": (OrderDirection, "The direction, ascending by default."),
            },
            {"direction": OrderDirection.ASC},
        )
        self._comparisons: Final = self.columns.comparisons
        self._by_index: Final = {
            column: {NOTHING}
            | {
                each.condition
                for each in self._comparisons.values()
                if each.ranged and each.column == column
            }
            for column in order_by
        }
        compared = {
            each: (of.kind | None, self._told(of.description, of.column))
            for each, of in self._comparisons.items()
        }
        what = "Which rows to list; fields that are left out or null don't filter."
        unset = dict.fromkeys(compared, strawberry.UNSET)
        self._filter: Final = (
            described_type(strawberry.input, f"{name}Filter", what, compared, unset)
            if filters
            else None
        )
        self._connection, self._edge = connection_type(node)
        self._order_by: Final = order_by[0].upper()

    def _told(self, description: str, column: str) -> str:
        """Return the description of a filter or an order, with who may use it."""
        return " ".join([description, *map(who_may_ask, self.columns.guards[column])])

    @property
    def inputs(self) -> object:
        """The orders and filters; only connections for which they are equal may share a name."""
        return [*self._orders], {name: each.kind for name, each in self._comparisons.items()}

    def resolver(self) -> Callable[..., Any]:
        """Return the resolver of the field, with its arguments as its signature."""

        async def resolve(self: object, info: Info, **arguments: Any) -> Any:  # noqa: ARG001
            return await this.read(info, **arguments)

        this = self
        kinds: dict[str, tuple[Any, str]] = {
            **_ARGUMENTS,
            "filter": (self._filter, "Which rows; by default all."),
            "order_by": (self._order, f"The order; by default {self._order_by}, ascending."),
        }
        arguments = [
            Parameter(
                each,
                Parameter.KEYWORD_ONLY,
                default=strawberry.UNSET,
                annotation=Annotated[kind | None, strawberry.argument(description=told)],
            )
            for each, (kind, told) in kinds.items()
            if kind is not None
        ]
        given = [Parameter("self", Parameter.POSITIONAL_OR_KEYWORD)]
        given.append(Parameter("info", Parameter.POSITIONAL_OR_KEYWORD, annotation=Info))
        answered = self._connection | None
        signature = Signature([*given, *arguments], return_annotation=answered)
        resolve.__signature__ = signature  # type: ignore[attr-defined]  # as inspect documents it
        return resolve

    async def read(
        self, info: Info, filter: Any = None, order_by: Any = None, **window: Any
    ) -> Any:
        """Return a page for the caller. Raises InvalidArgument, and the permissions' errors."""
        selected = cached_per_document(info, self._selection)
        for each in self._guards(filter or None, order_by or None, selected.cursors, window):
            await each.has_permission(None, info)

        async def page(db: QueryReader, caller: Caller | None) -> Any:
            listing = self._listing(filter or None, order_by or None, caller)
            which = page_window(**window)
            read, count = await selected.read(db, listing, which)
            return self._answer(read, selected.cursors, count)

        context = info.context
        if self.permissions and self._by_statement:
            return await context.read_as_caller(page)
        caller = None
        try:
            caller = await context.caller()
        except Unauthenticated:
            if self.permissions:
                raise
        return await page(await context.lists(), caller)

    def _guards(
        self, filter: Any, order: Any, cursors: Collection[str], window: Mapping[str, Any]
    ) -> Iterator[Any]:
        """Yield the permissions of the fields whose columns a page is found by, or tells."""
        columns = [self._column(order), *(each.column for _, each, _ in self._given(filter))]
        if cursors or window.get("after") or window.get("before"):
            columns += self.columns.keys
        return chain.from_iterable(self.columns.guards[each] for each in dict.fromkeys(columns))

    def _column(self, order: Any) -> str:
        """Return the column to sort by."""
        return str(order.field.value) if order else next(iter(self._orders))

    def _given(self, filter: Any) -> Iterator[tuple[str, Comparison, Any]]:
        """Yield the name, comparison and value of each field of a filter that has a value."""
        for name, comparison in self._comparisons.items() if filter else ():
            value = getattr(filter, name)
            if value is not strawberry.UNSET and value is not None:
                yield name, comparison, value

    def _listing(self, filter: Any, order: Any, caller: Caller | None) -> Listing:
        column = self._column(order)
        descending = bool(order) and order.direction is OrderDirection.DESC
        conditions: list[Condition] = []
        compared: dict[str, object] = {}
        for name, comparison, value in self._given(filter):
            compared[name] = comparison.convert(value)
            conditions.append(NOTHING if compared[name] is None else comparison.condition)
        seen, values = self.visibility.of(caller)
        by_index = self._by_index[column]
        query = self._orders[column]._replace(
            descending=descending,
            indexed=(*seen, *(each for each in conditions if each in by_index)),
            filters=tuple(each for each in conditions if each not in by_index),
        )
        bound = {f"filter_{name}": value for name, value in compared.items()}
        identity = (self.name, column, descending, tuple(sorted(map(repr, compared.items()))))
        return Listing(query, {**values, **bound}, identity=identity)

    def _answer(self, page: Page, cursors: frozenset[str], count: int) -> Any:
        node = self.columns.builder(tuple(page.columns))
        values = zip(*page.rows, strict=True) if page.rows else repeat(())
        written = self.columns.written(dict(zip(page.columns, values, strict=False)))
        has_cursors = "cursor" in cursors

        def edge(row: Sequence[Any]) -> Any:
            return self._edge(cursor=page.cursor(row) if has_cursors else "", node=node(row))

        return self._connection(
            nodes=LazyRows(page.columns, page.rows, node, written),
            edges=LazyRows(page.columns, page.rows, edge, frozenset()),
            page_info=PageInfo(**page.info(cursors)),
            total_count=count,
        )

    def _selection(self, info: Info) -> Selection:
        return Selection.of(partial(selected_fields, info), self.columns.read_for)
