"""Statements of SQLAlchemy Core, compiled once per dialect, and the types of their values."""

import json
from binascii import unhexlify
from collections import namedtuple
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from math import isfinite
from operator import itemgetter
from typing import Any, Final, Generic, NamedTuple, Self, TypeAlias, TypeVar
from uuid import UUID
from weakref import WeakKeyDictionary

import orjson
from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    CompoundSelect,
    Date,
    DateTime,
    Dialect,
    Enum,
    Float,
    Insert,
    Integer,
    LargeBinary,
    Select,
    String,
    Table,
    Text,
    TextClause,
    UpdateBase,
    Uuid,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.operators import OperatorType
from sqlalchemy.types import NullType, TypeEngine

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Converter: TypeAlias = Callable[[Any], object]
Decoder: TypeAlias = Callable[[Sequence[Any]], Sequence[object]]
"""Decodes the values of a column, all at once, as that is quicker."""
Build: TypeAlias = Callable[[Sequence[Any]], T]
_INTEGER_BITS: Final = 64
"""The bits of the integers that SQLite stores, one of which is their sign."""
CACHED_ROWS: Final = 256
"""Named tuple classes that are cached for statements without a Query."""
Statement: TypeAlias = (
    Select[*tuple[Any, ...]] | CompoundSelect[*tuple[Any, ...]] | UpdateBase | TextClause
)
"""A statement of SQLAlchemy Core, with named parameters."""


class Query(Generic[T_co]):
    """A statement with named parameters, and a function that builds a value of each row."""

    def __init__(self, statement: Statement, build: Build[T_co]) -> None:
        self.statement: Final = statement
        self.build: Final = build


def scalars(statement: Select[T]) -> Query[T]:
    """Return the query of a statement with one column, whose values are its results."""
    return Query(statement, itemgetter(0))


class ColumnQuery(Query[Sequence[Any]]):
    """A SELECT of which a Reader returns the columns, each with the values of all rows."""

    def __init__(self, statement: Statement) -> None:
        super().__init__(statement, tuple)


class Compiled:
    """A statement that is compiled for a dialect; an INSERT that names no columns, for some."""

    def __init__(
        self, statement: Statement, dialect: Dialect, inserted: Collection[str] | None = None
    ) -> None:
        """Raise TypeError for an unknown column or type, and for a value that SQL would contain."""
        compiler = statement.compile(dialect=dialect, column_keys=inserted)
        assert isinstance(compiler, SQLCompiler)  # noqa: S101 — for mypy
        for name in sorted({*(inserted or ())} - compiler.binds.keys()):
            msg = f"There is no column or parameter {name} in {statement}"
            raise TypeError(msg)
        for bind in compiler.post_compile_params | compiler.literal_execute_params:
            if not bind.unique:  # it has a name, so its value is not known yet
                msg = (
                    f"The value of {bind.key} would be written into the SQL. For a list, write "
                    f"any_of(column, {bind.key!r}) for IN, and ~any_of(…) for NOT IN."
                )
                raise TypeError(msg)
        self.names_no_column = False
        if isinstance(statement, Insert):  # the fewest columns change nothing if it names some
            fewest = statement.compile(dialect=dialect, column_keys=_unfilled(statement))
            self.names_no_column = compiler.params.keys() != fewest.params.keys()
        required = {name for name, each in compiler.binds.items() if each.required}
        prefetched = (*compiler.insert_prefetch, *compiler.update_prefetch)
        defaults = {each.key: default_of(each) for each in prefetched}
        sent = compiler.construct_expanded_state({**compiler.params, **defaults})
        self.sql = sent.statement
        binds = dict(compiler.binds)
        for name, items in sent.parameter_expansion.items():  # of IN with a list of values
            binds |= dict.fromkeys(items, binds[name])
        self._constants: Final = {n: v for n, v in sent.parameters.items() if n not in required}
        self._binds: Final = [
            (name, codec(binds[name].type, dialect.name).encode) for name in sent.positiontup or ()
        ]
        columns = [] if isinstance(statement, TextClause) else [*statement.exported_columns.items()]
        self._names: Final = tuple(name or "" for name, _ in columns)
        decoders = [_decoder(column, dialect.name) for _, column in columns]
        self._decoders: Final = [(n, decode) for n, decode in enumerate(decoders) if decode]

    def bind(self, values: Mapping[str, object]) -> list[object]:
        """Return the values in the driver's order and types. Raises TypeError if one is missing."""
        if self._constants:
            values = {**self._constants, **values}
        try:
            return [
                values[name] if encode is None or values[name] is None else encode(values[name])
                for name, encode in self._binds
            ]
        except KeyError as error:
            msg = f"There is no value for the column or parameter {error.args[0]} in {self.sql}"
            raise TypeError(msg) from error

    def built(self, rows: Sequence[Sequence[Any]], query: Query[T] | Statement) -> list[T]:
        """Return what the query builds of the driver's rows, by default named tuples."""
        if isinstance(query, ColumnQuery):
            return self._columns(rows)
        decoded = zip(*self._columns(rows), strict=True) if rows and self._decoders else rows
        build = query.build if isinstance(query, Query) else _named_tuple(self._names)
        return list(map(build, decoded))

    def _columns(self, rows: Sequence[Sequence[Any]]) -> list[Any]:
        columns: list[Any] = [*zip(*rows, strict=True)] or [()] * len(self._names)
        for number, decode in self._decoders:
            columns[number] = decode(columns[number])
        return columns


_compiled: Final[WeakKeyDictionary[Statement, dict[Hashable, Compiled]]] = WeakKeyDictionary()
"""Compiled statements, by the dialect's name, and perhaps by their values' names."""


def compiled(
    query: Query[T] | Statement, dialect: Dialect, names: Collection[str] | None = None
) -> Compiled:
    """Return a statement compiled for a dialect, cached for as long as it exists.

    An INSERT that names no columns is compiled for the `names` of its values. The database numbers
    its row, and fills columns that have a default or may be NULL.
    """
    statement = query.statement if isinstance(query, Query) else query
    known = _compiled.setdefault(statement, {})
    found = known.get(dialect.name)
    if found is None:
        found = known[dialect.name] = Compiled(statement, dialect)
    if names is None or not (found.names_no_column and isinstance(statement, Insert)):
        return found
    key = (dialect.name, *names)
    if key not in known:
        known[key] = Compiled(statement, dialect, {*names, *_unfilled(statement)})
    return known[key]


def _unfilled(statement: Insert) -> list[str]:
    """Return the columns of the table that the database can't fill."""
    table: Table = statement.entity_description["table"]
    return [
        each.key
        for each in table.columns
        if not (each.nullable or each.default or each.server_default)
        and each is not table.autoincrement_column
    ]


@lru_cache(CACHED_ROWS)
def _named_tuple(names: tuple[str, ...]) -> Build[Any]:
    if not names:
        return tuple
    row = namedtuple("Row", names, rename=True)  # type: ignore[misc]  # noqa: PYI024 — the names are known by then
    return row._make


class EitherDialect(FunctionElement[Any]):
    """An expression with a variant for SQLite and one for PostgreSQL."""

    inherit_cache = True

    def __init__(self, on_sqlite: ColumnElement[Any], on_postgresql: ColumnElement[Any]) -> None:
        super().__init__(on_sqlite, on_postgresql)
        self.type = on_sqlite.type

    def self_group(self, against: OperatorType | None = None) -> Self:  # noqa: ARG002 — as its base has it
        """Return itself: else SQLite would compare it with 1, and use no index."""
        return self


@compiles(EitherDialect)
def _compile_either(element: EitherDialect, compiler: SQLCompiler, **options: object) -> str:
    on_sqlite, on_postgresql = element.clauses  # only the processed one's values are sent
    chosen = on_sqlite if compiler.dialect.name == "sqlite" else on_postgresql
    return f"({compiler.process(chosen, **options)})"


class Moment(DateTime):
    """A date and time in UTC, to the microsecond; SQLite has no time zones."""

    def __init__(self) -> None:
        super().__init__(timezone=True)


class JsonList(ARRAY[Any]):
    """A list of values as one parameter, for a database without arrays."""


class ApiUuid(Text):
    """The text that the API writes for a UUID."""


class ApiMoment(Text):
    """The text that the API writes for a date and time (RFC 3339)."""


class Codec(NamedTuple):
    """The functions that encode a value for the driver, and decode a column."""

    encode: Converter | None = None
    """Never called with None."""
    decode: Decoder | None = None
    """Called with None for NULL."""


def codec(kind: TypeEngine[Any], dialect: str) -> Codec:
    """Return the codec of a column type. Raises TypeError if there is none."""
    if isinstance(kind, JsonList):
        encode = codec(kind.item_type, dialect).encode
        if encode is None:
            return Codec(lambda values: _write_json([*values]))
        return Codec(lambda values: _write_json(list(map(encode, values))))
    if isinstance(kind, ARRAY) and dialect == "postgresql":
        is_moment = isinstance(kind.item_type, Moment)
        return Codec(lambda values: list(map(_zoned, values))) if is_moment else Codec()
    is_text = isinstance(kind, Uuid) and not kind.as_uuid
    for each, on_sqlite in _CODECS.items():
        if isinstance(kind, each) and not (is_text or isinstance(kind, Enum)):
            return on_sqlite if dialect == "sqlite" else _ON_POSTGRESQL.get(each, Codec())
    name = "Uuid(as_uuid=False)" if is_text else type(kind).__name__
    msg = (
        f"The type {name} is not known for {dialect}. Use text, integers, floats, booleans, "
        "UUIDs (Uuid()), datetimes, dates, JSON or bytes."
    )
    raise TypeError(msg)


def _decoder(result: ColumnElement[Any], dialect: str) -> Decoder | None:
    """Return the decoder of a statement's column. Raises TypeError if its type is not known."""
    if dialect == "postgresql" and not isinstance(result, Column):
        for kind, convert in _COMPUTED.items():
            if isinstance(result.type, kind):
                return _each(convert)
    return codec(result.type, dialect).decode


def default_of(column: Column[Any]) -> object:
    """Return a column's default value. Raises TypeError if it is computed, or set by an UPDATE."""
    default = column.onupdate or column.default
    if default is None:
        return None
    if column.onupdate or not default.is_scalar:
        msg = f"{column} has a default that is no plain value: write it in each statement."
        raise TypeError(msg)
    return default.arg  # type: ignore[attr-defined]  # it is scalar


def _zoned(moment: datetime) -> datetime:
    """Return a moment. Raises TypeError unless it has a time zone: it would be the server's."""
    if getattr(moment, "tzinfo", None) is None:
        msg = f"A {type(moment).__name__} has no time zone: take a datetime in UTC."
        raise TypeError(msg)
    return moment


def _write_json(value: object) -> str:
    """Return a value's JSON. Raises TypeError for infinity and NaN, which orjson writes as null."""
    written = orjson.dumps(value).decode()
    if "null" in written:
        try:
            json.dumps(value, allow_nan=False, default=str)
        except ValueError as why:
            msg = "JSON has no number that is infinite or NaN."
            raise TypeError(msg) from why
    return written


def _write_sqlite_json(value: object) -> str | float | bytes:
    """Return a JSON value's text, a number as it is: SQLite would store its text as a number.

    An integer of more than 64 bits, which SQLite would round, is written as bytes.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value if value.bit_length() < _INTEGER_BITS else orjson.dumps(value)
    return value if isinstance(value, float) and isfinite(value) else _write_json(value)


def _read_json(stored: object) -> object:
    """Return a JSON value; a number that SQLite has stored as its own is one already."""
    return orjson.loads(stored) if stored and isinstance(stored, str | bytes) else stored


def _number(computed: object) -> object:
    """Return PostgreSQL's numeric as an integer, or a float if it has a fraction."""
    if not isinstance(computed, Decimal):
        return computed
    return int(computed) if computed.as_tuple().exponent == 0 else float(computed)


def _each(convert: Converter) -> Decoder:
    """Return a decoder that converts the values of a column one by one, None included."""
    return lambda values: list(map(convert, values))


def _aware(moment: datetime | None) -> datetime | None:
    """Return a moment in UTC; asyncpg reads the first and the last one without a time zone."""
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)


def _texts(write: Callable[[Sequence[str]], list[str]]) -> Decoder:
    """Return a decoder that writes the texts of a column; `write` gets those that are not NULL."""

    def decode(values: Sequence[Any]) -> list[Any]:
        try:
            return write(values)
        except TypeError:  # NULL is rare, and checking for it first would take longer
            written = iter(write([value for value in values if value is not None]))
            return [value if value is None else next(written) for value in values]

    return decode


def _api_uuids(digits: Sequence[str]) -> list[str]:
    """Return the texts of UUIDs of 32 digits, in a quarter of the time of one by one.

    bytes.hex() puts a dash after every four digits; those in the wrong places are removed.
    """
    spaced = bytearray(unhexlify("".join(digits)).hex("-", 2).encode() + b"-")
    spaced[4::40] = spaced[29::40] = spaced[34::40] = b" " * len(digits)
    spaced[39::40] = b"\n" * len(digits)
    return spaced.translate(None, b" ").decode().split("\n")[:-1]


def _api_moments(texts: Sequence[str]) -> list[str]:
    """Return dates and times as in RFC 3339, without a fraction that is zero."""
    spaced = "Z\n".join(texts) + "Z"
    return spaced.replace(" ", "T").replace(".000000Z", "Z").split("\n")


_BOOLS: Final[Mapping[int | None, bool | None]] = {0: False, 1: True, None: None}
_CODECS: Final[Mapping[type[TypeEngine[Any]], Codec]] = {
    ApiUuid: Codec(decode=_texts(_api_uuids)),
    ApiMoment: Codec(decode=_texts(_api_moments)),
    Uuid: Codec(
        lambda value: value.hex, _each(lambda digits: digits and UUID(int=int(digits, 16)))
    ),
    Moment: Codec(
        lambda value: _zoned(value).astimezone(UTC).isoformat(" ", "microseconds")[:26],
        _each(lambda text: text and datetime.fromisoformat(f"{text}+00:00")),
    ),
    Date: Codec(
        lambda value: value.isoformat()[:10],
        _each(lambda text: text and date.fromisoformat(text)),
    ),
    Boolean: Codec(decode=_each(_BOOLS.__getitem__)),
    JSON: Codec(_write_sqlite_json, _each(_read_json)),
    **dict.fromkeys((String, Integer, Float, LargeBinary, NullType), Codec()),
}
"""Codecs by column type for SQLite's driver."""
_ON_POSTGRESQL: Final[Mapping[type[TypeEngine[Any]], Codec]] = {
    JSON: Codec(_write_json, _each(_read_json)),
    Moment: Codec(_zoned, _each(_aware)),
}
"""Codecs of the types whose values asyncpg does not send and read as they are."""
_COMPUTED: Final[Mapping[type[TypeEngine[Any]], Converter]] = {
    BigInteger: lambda number: number if number is None else int(number),
    Float: lambda number: number if number is None else float(number),
    NullType: _number,
}
"""Converters of what PostgreSQL computes as numeric: sums of such columns, and averages."""
