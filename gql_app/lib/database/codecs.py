"""Types of columns and parameters, and the values that each driver takes and returns for them."""

from binascii import unhexlify
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import UUID

import orjson
from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    BinaryExpression,
    Boolean,
    Column,
    ColumnClause,
    ColumnElement,
    Date,
    DateTime,
    Dialect,
    Enum,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Table,
    Text,
    Uuid,
    types,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.functions import current_timestamp, now
from sqlalchemy.sql.operators import is_comparison
from sqlalchemy.types import NullType, TypeEngine

Converter: TypeAlias = Callable[[Any], object]
Decoder: TypeAlias = Callable[[Sequence[Any]], Iterable[object]]
"""Decodes the values of a column, all at once, as that is quicker."""
_INT64: Final = 2**63


class Moment(DateTime):
    """A date and time in UTC, to the microsecond; SQLite has no time zones."""

    def __init__(self) -> None:
        super().__init__(timezone=True)


class JsonList(ARRAY[Any]):
    """A list of values as one parameter, for a database without arrays."""


class Compared(BigInteger):
    """An integer that a column is compared with; one of more than 64 bits equals none."""


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


def encoder_of(name: str, kind: TypeEngine[Any], dialect: Dialect) -> Converter | None:
    """Return the encoder of a parameter, None if it is sent as it is. Raises TypeError."""
    if isinstance(kind, JSON.JSONElementType):
        return kind.dialect_impl(dialect).bind_processor(dialect)
    try:
        return codec(kind, dialect.name).encode
    except TypeError as why:
        msg = f"The parameter {name} can't be sent. {why}"
        raise TypeError(msg) from why


def decoder_of(column: ColumnElement[Any], dialect: str) -> Decoder | None:
    """Return the decoder of a column of a result, None if it needs none. Raises TypeError."""
    kind, roots = column.type, column.base_columns
    if all(isinstance(each, now | current_timestamp) for each in roots):
        kind = Moment()
    elif isinstance(kind, NullType) and all(map(_is_comparison, roots)):
        kind = Boolean()
    try:
        decode = codec(kind, dialect).decode
    except TypeError as why:
        msg = f"{column} can't be read. {why} Give it one by type_coerce(…, Row.column.type)."
        raise TypeError(msg) from why
    if dialect == "postgresql" and not all(isinstance(each, ColumnClause) for each in roots):
        return _OF_DECIMALS.get(type(kind), decode)
    return decode


def _is_comparison(root: ColumnElement[Any]) -> bool:
    return isinstance(root, BinaryExpression) and is_comparison(root.operator)


def codec(kind: TypeEngine[Any], dialect: str) -> Codec:
    """Return the codec of a type. Raises TypeError if there is none."""
    if isinstance(kind, JsonList):
        if isinstance(kind.item_type, Compared):
            return Codec(lambda values: _write_json(_int64s(values)))
        encode = codec(kind.item_type, dialect).encode
        if encode is None:
            return Codec(lambda values: _write_json([*values]))
        return Codec(lambda values: _write_json(list(map(encode, values))))
    if isinstance(kind, ARRAY) and dialect == "postgresql":
        return Codec(_int64s) if isinstance(kind.item_type, Compared) else Codec()
    if isinstance(kind, DateTime) and kind.timezone:
        kind = Moment()
    for each, on_sqlite in _CODECS.items():
        if isinstance(kind, each) and not isinstance(kind, Enum) and not _is_text_of_uuid(kind):
            return on_sqlite if dialect == "sqlite" else _ON_POSTGRESQL.get(each, Codec())
    raise TypeError(_unknown(kind, f" for {dialect}"))


def _is_text_of_uuid(kind: TypeEngine[Any]) -> bool:
    return isinstance(kind, Uuid) and not kind.as_uuid


def _unknown(kind: TypeEngine[Any], where: str = "") -> str:
    name = "Uuid(as_uuid=False)" if _is_text_of_uuid(kind) else type(kind).__name__
    return (
        f"The type {name} is not known{where}. Use text, integers, floats, booleans, UUIDs "
        "(Uuid()), datetimes (DateTime(timezone=True)), dates, JSON or bytes."
    )


def default_of(column: Column[Any]) -> object:
    """Return a column's default value. Raises TypeError if it is computed, or set by an UPDATE."""
    default = column.onupdate or column.default
    if default is None:
        return None
    if column.onupdate or not default.is_scalar:
        msg = f"{column} has a default that is no plain value: write it in each statement."
        raise TypeError(msg)
    return default.arg  # type: ignore[attr-defined]  # it is scalar


def check_metadata(metadata: MetaData) -> None:
    """Raise TypeError if a column is of a type that isn't known here, or has a computed default."""
    for table in metadata.sorted_tables:
        check_table(table)


def check_table(table: Table) -> None:
    """Raise TypeError if a column is of a type that isn't known here, or has a computed default."""
    for column in table.columns:
        default_of(column)
        for dialect in ("sqlite", "postgresql"):
            codec(column.type, dialect)
        if not _is_stored(column.type):
            raise TypeError(_unknown(column.type))


def _is_stored(kind: TypeEngine[Any]) -> bool:
    """Return whether both databases have columns of a type: no one's own, whose code is not run."""
    if type(kind) in {Moment, JSONB}:
        return True
    return type(kind).__module__ == Text.__module__ and not isinstance(kind, Numeric | types.UUID)


def _write_json(value: object) -> str:
    return orjson.dumps(value).decode()


def _int64(value: object) -> object:
    """Return a value that is compared, None for an integer that no column can hold."""
    return None if isinstance(value, int) and not -_INT64 <= value < _INT64 else value


def _int64s(values: Iterable[object]) -> list[object]:
    """Return the values of a list, without the integers that no column can hold."""
    return [each for each in values if not isinstance(each, int) or -_INT64 <= each < _INT64]


def _float(value: str | float | Decimal | None) -> float | None:
    return None if value is None else float(value)


def _whole(value: object) -> object:
    """Return a Decimal as an integer if it is one, else as a float; other values as they are."""
    if isinstance(value, Decimal):
        return int(value) if value == int(value) else float(value)
    return value


def _each(convert: Converter) -> Decoder:
    """Return a decoder that converts the values of a column one by one, None included."""
    return partial(map, convert)


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
    Compared: Codec(_int64),
    Numeric: Codec(float, _each(_float)),
    ApiUuid: Codec(decode=_texts(_api_uuids)),
    ApiMoment: Codec(decode=_texts(_api_moments)),
    Uuid: Codec(
        lambda value: value.hex, _each(lambda digits: digits and UUID(int=int(digits, 16)))
    ),
    Moment: Codec(
        lambda value: value.astimezone(UTC).isoformat(" ", "microseconds")[:26],
        _each(lambda text: text and datetime.fromisoformat(f"{text}+00:00")),
    ),
    Date: Codec(
        lambda value: value.isoformat()[:10],
        _each(lambda text: text and date.fromisoformat(text)),
    ),
    Boolean: Codec(decode=_each(_BOOLS.__getitem__)),
    JSON: Codec(_write_json, _each(lambda text: text and orjson.loads(text))),
    **dict.fromkeys((String, Integer, Float, LargeBinary, NullType), Codec()),
}
"""Codecs by column type for SQLite's driver."""
_ON_POSTGRESQL: Final[Mapping[type[TypeEngine[Any]], Codec]] = {
    JSON: _CODECS[JSON],
    Moment: Codec(decode=_each(_aware)),
    Compared: _CODECS[Compared],
    Numeric: Codec(decode=_each(_float)),
}
"""Codecs of the types whose values asyncpg does not send and read as they are."""
_OF_DECIMALS: Final[Mapping[type[TypeEngine[Any]], Decoder]] = {
    NullType: _each(lambda value: float(value) if isinstance(value, Decimal) else value),
    **dict.fromkeys((Integer, BigInteger, SmallInteger), _each(_whole)),
}
"""Decoders of computed values that are a Decimal on PostgreSQL: averages, sums, parts of a date."""
