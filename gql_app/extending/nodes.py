"""Nodes of connections: the mapping of a type's fields to a table's columns, and its filters."""

import dataclasses
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any, Final, TypeVar
from uuid import UUID

import strawberry
from sqlalchemy import BigInteger, ColumnElement, FromClause, Table
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute
from strawberry.types.base import (
    StrawberryObjectDefinition,
    StrawberryOptional,
    get_object_definition,
)
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry.types.field import StrawberryField

from gql_app.extending.comparisons import clashes, comparisons, filter_faults, is_readable
from gql_app.extending.guards import guard_faults, guards
from gql_app.lib.composition import shown_fields
from gql_app.lib.database import api_text
from gql_app.lib.faults import sentence
from gql_app.lib.pagination import MAX_COUNT, ListQuery
from gql_app.schema.types import PageInfo

N = TypeVar("N")
_ABSENT: Final = object()
_AS_STORED: Final = frozenset({(str, str), (strawberry.ID, str), (bool, bool)})
"""Pairs of a node field's type and its column's whose values need no conversion."""
MAX_BUILDERS: Final = 64
"""The most sets of columns whose builder is cached."""


class NodeColumns:
    """The mapping of a Strawberry type to the columns of a table."""

    def __init__(
        self,
        node: type,
        rows: type[DeclarativeBase],
        order_by: Sequence[str],
        filters: Sequence[str],
        asked_by: str = "connection",
        faults: Iterable[str] = (),
    ) -> None:
        """Take the node type and its declaration, and the public function's name for errors.

        Raises TypeError with every fault of the declaration; `faults` are those found already.
        """
        self.node: Final = node
        fields = shown_fields(_definition(node).fields)
        self.table: Final[FromClause] = rows.__table__
        self._kinds: Final = {
            each.python_name: _without_null(each.type)
            for each in fields
            if each.base_resolver is None
        }
        """The types of the fields without a resolver, by their names."""
        self.keys: Final = [each.name for each in self.table.primary_key]
        # a nested list has no cursors, which hold the key
        used = [*order_by, *filters, *(self.keys if asked_by != "nested" else ())]
        self.used: Final = [*dict.fromkeys(used)]
        """The columns by whose values callers find rows, or which cursors hold."""
        self.guards: Final = {each: guards(fields, each) for each in self.used}
        """The permissions that the fields of these columns require."""
        where = f"{asked_by}({node.__name__}, {rows.__name__})"
        found = [*self._faults(where, rows, order_by, filters), *self._unfit(where, fields)]
        guarded = guard_faults(fields, self.used)
        found += [f"{where}: {fault}." for fault in (*guarded, *faults)]
        if found:
            raise TypeError(" ".join(found))
        init = [each.name for each in _init_fields(node)]
        self.names: Final = tuple(name for name in init if name in self.table.c)
        """The columns that are parameters of the node type."""
        self.builder: Final = lru_cache(MAX_BUILDERS)(self._builder)
        """Returns a function that builds the node of a row; columns that were not read are None."""
        self._convert: Final[dict[str, Callable[[Any], object]]] = {}
        for name, kind in self._kinds.items():
            if name in self.table.c and self._is_text(name) and kind is datetime:
                self._convert[name] = datetime.fromisoformat
            elif isinstance(kind, StrawberryEnumDefinition):
                members: Any = kind.wrapped_cls
                self._convert[name] = {each.value: each for each in members}.__getitem__
        self._checks: Final = {
            name: self._check(name)
            for name in self._kinds
            if name in self.table.c and (self._is_written(name) or self._check(name))
        }
        """Checks of whether a column's values are ready to be written; None if all values are."""
        shown = [each.python_name for each in fields if each.type is strawberry.ID]
        self.ids: Final[InstrumentedAttribute[UUID] | None] = (
            vars(rows)["id"] if "id" in self.table.c and "id" in shown else None
        )
        """The primary key, if the type shows it as its id."""
        self.comparisons: Final = {
            name: comparison
            for each in filters
            for name, comparison in comparisons(self.table.c[each], self._kinds.get(each))
        }
        """The comparisons, by the names of the filter's fields."""

    def shown(self, name: str, rows: FromClause) -> ColumnElement[Any]:
        """Return the expression to select for a column: ids and datetimes as the API's text."""
        return api_text(rows.c[name]) if self._is_text(name) else rows.c[name]

    def read_for(self, fields: frozenset[str]) -> Sequence[str]:
        """Return the columns to read for some fields: all of them, if any has a resolver."""
        return sorted(fields) if fields <= self._kinds.keys() else self.names

    def written(self, columns: Mapping[str, Sequence[Any]]) -> frozenset[str]:
        """Return the columns whose values are all ready to be written."""
        return frozenset(
            name
            for name, values in columns.items()
            if name in self._checks and ((check := self._checks[name]) is None or check(values))
        )

    def _builder(self, columns: tuple[str, ...]) -> Callable[[Sequence[Any]], Any]:
        node = self.node
        unread = dict.fromkeys(name for name in self.names if name not in columns)
        converted = [(name, c) for name, c in self._convert.items() if name in columns]
        others = [name for name in columns if name not in self.names]  # which only cursors need

        def build(values: Sequence[Any]) -> Any:
            read = dict(zip(columns, values, strict=True))
            for name in others:
                del read[name]
            for name, convert in converted:
                if read[name] is not None:
                    read[name] = convert(read[name])
            return node(**read, **unread)

        return build

    def _is_text(self, name: str) -> bool:
        """Return whether a column is selected as the text that the API writes."""
        kind, stored = self._kinds.get(name), self.table.c[name].type.python_type
        return (kind is strawberry.ID and stored is UUID) or (kind is stored is datetime)

    def _is_written(self, name: str) -> bool:
        """Return whether all values of a column are ready to be written, without conversion."""
        stored = self.table.c[name].type.python_type
        return self._is_text(name) or (self._kinds[name], stored) in _AS_STORED

    def _check(self, name: str) -> Callable[[Sequence[Any]], bool] | None:
        """Return a check of whether a column's values are ready to be written, if there is one."""
        kind, stored = self._kinds[name], self.table.c[name].type.python_type
        if kind is stored is int:
            return _are_int32
        if isinstance(kind, StrawberryEnumDefinition):
            names = {each.name for each in kind.values if each.name == each.value}
            return {*names, None}.issuperset
        return None

    def _unfit(self, where: str, fields: Iterable[StrawberryField]) -> Iterable[str]:
        """Yield a sentence on each field that can't have some value of its column.

        Fields with an extension, which may replace values, are left out. Whether a value that a
        query returns may be null is unknown.
        """
        for field in fields:
            name = field.python_name
            if field.base_resolver or field.extensions or name not in self.table.c:
                continue
            column, what = self.table.c[name], f"{where}: {self.node.__name__}.{name}"
            if not is_readable(kind := _without_null(field.type), column):
                stored = column.type.python_type.__name__
                yield f"{what} can't have the values of its column, which are {stored}."
            if kind is int and isinstance(column.type, BigInteger):
                yield (
                    f"{what} can't have each number of its column: GraphQL's Int has 32 bits. Show "
                    "it as a float, a str or an ID."
                )
            if kind is field.type and isinstance(self.table, Table) and column.nullable:
                yield (
                    f"{what} is never null, but its column may be: add `| None` to the type, or "
                    "make it Private and show it by a resolver."
                )

    def _key_faults(self, where: str) -> Iterable[str]:
        """Yield a sentence if ids are not unique over all types, as Relay and `node` require."""
        if self._kinds.get("id") is not strawberry.ID or "id" not in self.table.c:
            return
        keys = [(each.name, each.type.python_type) for each in self.table.primary_key]
        if keys != [("id", UUID)]:
            yield (
                f"{where}: an ID is unique over all types. Make id a UUID and the only primary "
                "key, or show it as another type."
            )

    def _faults(
        self,
        where: str,
        rows: type[DeclarativeBase],
        order_by: Sequence[str],
        filters: Sequence[str],
    ) -> Iterable[str]:
        node, columns = self.node, self.table.c
        for each in dataclasses.fields(node):
            has_default = (
                each.default is not dataclasses.MISSING
                or each.default_factory is not dataclasses.MISSING
            )
            if each.init and each.name not in columns and not has_default:
                yield f"{where}: {node.__name__}.{each.name} is no column; give it a resolver."
        yield from self._key_faults(where)
        if not order_by:
            yield f"{where}: order_by names no column."
        needs = "it needs" if where.startswith("node(") else "order_by names"
        for name in order_by:
            try:
                ListQuery(rows, (name,)).key_types  # noqa: B018 — it raises
            except KeyError:
                yield f"{where}: {needs} {name}, which is no column."
            except TypeError as why:
                yield sentence(f"{where}: {why}")
        for fault in filter_faults(self.table, filters, self._kinds):
            yield f"{where}: {fault}."
        for fault in clashes("order_by", ((each, each.upper()) for each in order_by)):
            yield f"{where}: {fault}."


def node_of(node: type[N], row: object) -> N:
    """Return the node of a row, whose attributes are its fields without a resolver.

        OrderPayload.success("The order is placed.", order=node_of(Order, row))

    As in connection(), a UUID becomes an ID, and an enum's value its member. A field that is no
    attribute of the row takes its default. Raises TypeError if it has none.
    """
    fields = shown_fields(_definition(node).fields)
    kinds = {each.python_name: _without_null(each.type) for each in fields}
    values = {each.name: getattr(row, each.name, _ABSENT) for each in _init_fields(node)}
    return node(
        **{
            name: _converted(kinds.get(name), value)
            for name, value in values.items()
            if value is not _ABSENT
        }
    )


def _converted(kind: Any, value: Any) -> object:
    """Return a stored value converted to the type of the node's field."""
    if kind is strawberry.ID and isinstance(value, UUID):
        return strawberry.ID(str(value))
    if isinstance(kind, StrawberryEnumDefinition) and value is not None:
        members: Any = kind.wrapped_cls
        return members(value)
    return value


def _definition(node: type) -> StrawberryObjectDefinition:
    """Return Strawberry's definition of a type. Raises TypeError if it has none."""
    definition = get_object_definition(node)
    if definition is None:
        message = f"{node.__name__} is no Strawberry type: decorate it with @strawberry.type."
        raise TypeError(message)
    return definition


def _init_fields(node: Any) -> Iterable[dataclasses.Field[Any]]:
    """Return the fields that are parameters of a type's __init__()."""
    return (each for each in dataclasses.fields(node) if each.init)


@cache
def connection_type(node: type) -> tuple[Any, Any]:
    """Return the connection type of a node and its edge type; they are made once."""
    name = get_object_definition(node, strict=True).name
    edge: Any = described_type(
        strawberry.type,
        f"{name}Edge",
        "A row and its cursor.",
        {
            "cursor": (str, "The row's position, for `after` and `before`."),
            "node": (node, "The row."),
        },
    )
    count = f"The number of matching rows, up to {MAX_COUNT}, which means {MAX_COUNT} or more."
    page = described_type(
        strawberry.type,
        f"{name}Connection",
        "A page of a list.",
        {
            "nodes": (list[node], "The rows of the page."),  # type: ignore[valid-type]  # a class of now
            "edges": (list[edge], "The rows of the page, each with a cursor."),
            "page_info": (
                PageInfo,
                "Whether there are more pages, and the cursors to ask for them.",
            ),
            "total_count": (int, count),
        },
    )
    return page, edge


def described_type(
    decorate: Callable[..., Any],
    name: str,
    description: str,
    fields: Mapping[str, tuple[Any, str]],
    defaults: Mapping[str, object] = MappingProxyType({}),
) -> Any:
    """Return a new type or input; `fields` maps names to types and descriptions."""
    made = {
        each: strawberry.field(description=told, default=defaults.get(each, dataclasses.MISSING))
        for each, (_, told) in fields.items()
    }
    kinds = {each: kind for each, (kind, _) in fields.items()}
    return decorate(
        type(name, (), {"__annotations__": kinds, **made}), name=name, description=description
    )


def _are_int32(values: Sequence[Any]) -> bool:
    """Return whether all values fit GraphQL's Int, which has the 32 bits of C's int."""
    try:
        array("i", values)
    except OverflowError:
        return False
    except TypeError:  # NULL is rare, and looking for it first would take twice as long
        others = [value for value in values if value is not None]
        return len(others) < len(values) and _are_int32(others)
    return True


def _without_null(kind: Any) -> Any:
    """Return a type without its Optional wrapper."""
    return kind.of_type if isinstance(kind, StrawberryOptional) else kind
