"""Codecs: the column types that are known, and how their values are sent and read."""

import json
from binascii import unhexlify
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from math import isfinite
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import UUID

import orjson
from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Date,
    DateTime,
    Enum,
    Float,
    Integer,
    LargeBinary,
    String,
    Text,
    Uuid,
)
from sqlalchemy.types import NullType, TypeEngine

Converter: TypeAlias = Callable[[Any], object]
Decoder: TypeAlias = Callable[[Sequence[Any]], Iterable[object]]
"""Decodes the values of a column, all at once, as that is quicker."""
_INTEGER_BITS: Final = 64
"""The bits of the integers that SQLite stores, one of which is their sign."""


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


def decoder(result: ColumnElement[Any], dialect: str) -> Decoder | None:
    """Return the decoder of a statement's column. Raises TypeError if its type is not known."""
    if dialect == "postgresql" and not isinstance(result, Column):
        for kind, convert in _COMPUTED.items():
            if isinstance(result.type, kind):
                return _each(convert)
    return codec(result.type, dialect).decode


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
