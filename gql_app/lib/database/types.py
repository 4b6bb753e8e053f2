"""Column types, and how their values are sent to each database and read from it."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import UUID

import orjson
from sqlalchemy import (
    ARRAY,
    JSON,
    Boolean,
    Column,
    DateTime,
    Enum,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    Uuid,
)
from sqlalchemy.types import NullType, TypeEngine

Converter: TypeAlias = Callable[[Any], object]


class Moment(DateTime):
    """A moment to the microsecond, in UTC; SQLite knows no time zones."""

    def __init__(self) -> None:
        super().__init__(timezone=True)


class JsonList(ARRAY[Any]):
    """A list of values as one parameter, for a database that knows no arrays."""


class ApiUuid(Text):
    """The text that the API writes for a UUID."""


class ApiMoment(Text):
    """The text that the API writes for a moment, as of RFC 3339."""


class Codec(NamedTuple):
    """How a value is sent, and what is made of one that was read."""

    encode: Converter | None = None
    """It is given no None."""
    decode: Converter | None = None
    """It is given None for NULL, as a check for each row would take longer."""


def codec(kind: TypeEngine[Any], dialect: str) -> Codec:
    """Return how a type's values are sent and read. Raises TypeError if none knows it."""
    if isinstance(kind, JsonList):
        return Codec(_list_writer(codec(kind.item_type, dialect).encode))
    for each, found in _CODECS[dialect].items():
        if isinstance(kind, each) and not isinstance(kind, Enum):
            return found
    msg = (
        f"The type {type(kind).__name__} is not known for {dialect}. Add how its values are sent "
        "and read to _CODECS in gql_app/lib/database/types.py, with a test on both databases."
    )
    raise TypeError(msg)


def default_of(column: Column[Any], *, updating: bool = False) -> object:
    """Return the value that a column takes where a statement names none. Raises TypeError."""
    default = column.onupdate if updating else column.default
    if default is None:
        return None
    if not default.is_scalar:
        msg = f"{column} has a default that is no plain value: write it in each statement."
        raise TypeError(msg)
    return default.arg  # type: ignore[attr-defined]  # it is scalar


def check_metadata(metadata: MetaData) -> None:
    """Raise TypeError if a column is of a type that isn't known here, or has a computed default."""
    for table in metadata.sorted_tables:
        for column in table.columns:
            default_of(column)
            default_of(column, updating=True)
            for dialect in _CODECS:
                codec(column.type, dialect)


def _store_moment(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(" ", "microseconds")[:26]


def _read_moment(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(f"{value}+00:00")


def _read_uuid(digits: str | None) -> UUID | None:
    return None if digits is None else UUID(digits)


def _read_json(value: str | None) -> object:
    return None if value is None else orjson.loads(value)


def _write_json(value: object) -> str:
    return orjson.dumps(value).decode()


def _list_writer(encode: Converter | None) -> Converter:
    return lambda values: _write_json([encode(each) if encode else each for each in values])


def _api_uuid(value: str | None) -> str | None:
    return value and f"{value[:8]}-{value[8:12]}-{value[12:16]}-{value[16:20]}-{value[20:]}"


def _api_moment(value: str | None) -> str | None:
    return value and f"{value[:10]}T{value[11:].removesuffix('.000000')}Z"


_BOOLS: Final[Mapping[int | None, bool | None]] = {0: False, 1: True, None: None}
_AS_THE_DRIVER_HAS_IT: Final[Mapping[type[TypeEngine[Any]], Codec]] = dict.fromkeys(
    (String, Integer, Float, LargeBinary, NullType), Codec()
)
_CODECS: Final[Mapping[str, Mapping[type[TypeEngine[Any]], Codec]]] = {
    "postgresql": {
        JSON: Codec(_write_json, _read_json),
        **dict.fromkeys((ARRAY, Uuid, Moment, Boolean), Codec()),
        **_AS_THE_DRIVER_HAS_IT,
    },
    "sqlite": {
        ApiUuid: Codec(decode=_api_uuid),
        ApiMoment: Codec(decode=_api_moment),
        Uuid: Codec(lambda value: value.hex, _read_uuid),
        Moment: Codec(_store_moment, _read_moment),
        Boolean: Codec(decode=_BOOLS.__getitem__),
        JSON: Codec(_write_json, _read_json),
        **_AS_THE_DRIVER_HAS_IT,
    },
}
