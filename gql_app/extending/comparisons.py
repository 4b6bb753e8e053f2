"""Comparisons of columns with the values of filters, and with those of objects."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final
from uuid import UUID

import strawberry
from sqlalchemy import BigInteger, ColumnElement, FromClause, Integer, bindparam
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.sql.elements import KeyedColumnElement
from sqlalchemy.types import TypeEngine
from strawberry.schema.config import StrawberryConfig
from strawberry.types.base import StrawberryList, StrawberryOptional, has_object_definition
from strawberry.types.enum import StrawberryEnumDefinition

from gql_app.lib.clock import parse_id, parse_moment
from gql_app.lib.pagination import Condition

NAMES: Final = StrawberryConfig().name_converter
"""The names in the schema, which Strawberry makes of Python's."""
_KINDS: Final[Mapping[type, Any]] = {
    str: str,
    int: int,
    bool: bool,
    date: date,
    datetime: datetime,
    UUID: strawberry.ID,
}
"""The types of filter fields by the column's type, where the node type has no such field."""
KEYS: Final = frozenset({*_KINDS, float})
"""The types of columns that are compared with the values of objects."""
_COMPARABLE: Final[Mapping[type, frozenset[Any]]] = {
    str: frozenset({str, strawberry.ID}),
    int: frozenset({int, float, strawberry.ID}),
    bool: frozenset({bool}),
    date: frozenset({date}),
    datetime: frozenset({datetime}),
    UUID: frozenset({UUID, strawberry.ID, str}),
}
"""The types of fields by the column's type, whose values it can be compared with."""
_READABLE: Final[Mapping[type, frozenset[Any]]] = {
    str: frozenset({str, strawberry.ID, UUID, Decimal}),
    int: frozenset({int, float, bool, str, strawberry.ID, Decimal}),
    float: frozenset({float, bool, str, Decimal}),
    bool: frozenset({bool, int, float, str}),
    date: frozenset({date, str}),
    datetime: frozenset({datetime, date, str}),
    UUID: frozenset({UUID, strawberry.ID, str}),
    bytes: frozenset(),
}
"""The types of fields by the column's type, that can have each of its values."""
_INT64: Final = 2**63


@dataclass(frozen=True, slots=True)
class Comparison:
    """A field of a filter, and its SQL condition."""

    column: str
    description: str
    kind: Any
    """The type of the filter's field."""
    condition: Condition
    convert: Callable[[Any], object]
    """Returns a value as the column stores it, None if no row can have it."""
    ranged: bool = False
    """Whether it is the bound of a range, which an index on the column can use."""


def comparisons(column: KeyedColumnElement[Any], shown: Any) -> Iterable[tuple[str, Comparison]]:
    """Yield the names of a column's filter fields, and their comparisons.

    `shown` is the type that the node shows it as, None if it doesn't.
    """
    name, stored, convert = column.key, column.type.python_type, converter(column.type)
    called = NAMES.apply_naming_config(name)
    if stored is datetime:
        base = name.removesuffix("_at")
        for field, is_met, than in (
            (f"{base}_after", column.__gt__, "later than"),
            (f"{base}_before", column.__lt__, "earlier than"),
        ):
            condition = Condition(is_met(bindparam(f"filter_{field}", type_=column.type)))
            told = f"Only rows whose {called} is {than} this."
            yield field, Comparison(name, told, datetime, condition, convert, ranged=True)
        return
    kind: Any = shown or _KINDS[stored]
    if isinstance(kind, StrawberryEnumDefinition):
        kind = kind.wrapped_cls
    kind = strawberry.ID if stored is UUID else kind
    value = bindparam(f"filter_{name}", type_=parameter_type(column.type))
    told = f"Only rows of this {called}."
    yield name, Comparison(name, told, kind, Condition(column == value), convert)


def filter_faults(
    table: FromClause, filters: Sequence[str], shown: Mapping[str, Any]
) -> Iterable[str]:
    """Yield a sentence on each column that can't be filtered; `shown` has the types of fields."""
    fields: list[tuple[str, str]] = []
    for name in dict.fromkeys(filters):
        stored = table.c[name].type.python_type if name in table.c else None
        if stored is None:
            yield f"filters names {name}, which is no column"
        elif stored not in _KINDS:
            yield f"filters names {name}, whose type can't be compared"
        elif stored not in {datetime, UUID} and not is_comparable(shown.get(name), table.c[name]):
            yield f"filters names {name}, which is shown as a type that can't be compared with it"
        else:
            made = comparisons(table.c[name], shown.get(name))
            fields += [(name, NAMES.apply_naming_config(field)) for field, _ in made]
    yield from clashes("filters", fields)


def column_faults(
    what: str, column: object, rows: type[DeclarativeBase], kinds: Collection[type]
) -> Iterator[str]:
    """Yield a sentence if a column is none of a table, or its values are of none of some types."""
    expression: Any = getattr(column, "expression", None)
    if getattr(expression, "table", None) is not rows.__table__:
        yield f"{what} names {column}, which is no column of {rows.__name__}"
    elif expression.type.python_type not in kinds:
        yield f"{what} names {column}, whose type can't be compared"


def clashes(what: str, named: Iterable[tuple[str, str]]) -> Iterable[str]:
    """Yield a sentence on each name that two columns would have."""
    first: dict[str, str] = {}
    for column, name in named:
        other = first.setdefault(name, column)
        if other != column:
            yield f"{what} names {other} and {column}, which would both be {name}: leave one out"


def parameter_type(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """Return the type of the parameter that a column is compared with, which holds any integer."""
    return BigInteger() if isinstance(kind, Integer) else kind


def is_comparable(shown: Any, column: ColumnElement[Any]) -> bool:
    """Return whether a column may equal a field's values; those of custom scalars are unknown."""
    return _fits(shown, column, _COMPARABLE)


def is_readable(shown: Any, column: ColumnElement[Any]) -> bool:
    """Return whether a field can have a column's values.

    Those of custom scalars are unknown, and the resolvers of an object take any.
    """
    return has_object_definition(shown) or _fits(shown, column, _READABLE)


def _fits(shown: Any, column: ColumnElement[Any], known: Mapping[type, frozenset[Any]]) -> bool:
    stored = column.type.python_type
    shown = shown.of_type if isinstance(shown, StrawberryOptional) else shown
    if stored not in known:
        return True
    if isinstance(shown, StrawberryEnumDefinition):
        return all(isinstance(each.value, stored) for each in shown.values)
    is_known = shown is strawberry.ID or isinstance(shown, type | StrawberryList)
    return not is_known or shown in known[stored]


def converter(kind: TypeEngine[Any]) -> Callable[[Any], object]:
    """Return a function that converts a field's value to a column's; None if it can't hold it."""
    convert = _CONVERTERS.get(kind.python_type, _same)
    return lambda value: convert(value.value if isinstance(value, Enum) else value)


def _same(value: object) -> object:
    return value


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and "\0" not in value else None


def _integer(value: Any) -> int | None:
    with suppress(ValueError, OverflowError, TypeError):
        number = int(value)
        is_same = str(number) == value if isinstance(value, str) else number == value
        return number if is_same and -_INT64 <= number < _INT64 else None
    return None


def _moment(value: object) -> object:
    return parse_moment(value) if isinstance(value, str) else value


def _uuid(value: object) -> object:
    return parse_id(value) if isinstance(value, str) else value


_CONVERTERS: Final[Mapping[type, Callable[[Any], object]]] = {
    str: _text,
    int: _integer,
    datetime: _moment,
    UUID: _uuid,
}
