"""Column types, and how their values are sent to each database and read from it."""

from collections.abc import Callable, Collection, Mapping
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
    Dialect,
    Enum,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    Uuid,
)
from sqlalchemy.types import NullType, TypeDecorator, TypeEngine

Converter: TypeAlias = Callable[[Any], object]


class Moment(TypeDecorator[datetime]):
    """A moment to the microsecond; SQLite knows no time zones, so it is kept in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    @property
    def python_type(self) -> type[datetime]:
        """The type of its values; a decorator doesn't pass on what it decorates."""
        return datetime

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the value in UTC, as SQLite stores it."""
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return a stored value with its time zone."""
        if value is None or dialect.name != "sqlite":
            return value
        return value.replace(tzinfo=UTC)


class ListOf(TypeDecorator[Collection[Any]]):
    """A list of values as one parameter: an array, or JSON where there are none."""

    impl = ARRAY
    cache_ok = True

    def __init__(self, item: TypeEngine[Any]) -> None:
        super().__init__(item)
        self.item = item

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the type that the database has for it."""
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else ARRAY(self.item))


class ApiUuid(TypeDecorator[str]):
    """The text that the API writes for a UUID."""

    impl = Text
    cache_ok = True


class ApiMoment(TypeDecorator[str]):
    """The text that the API writes for a moment, as of RFC 3339."""

    impl = Text
    cache_ok = True


class Codec(NamedTuple):
    """How a value is sent, and what is made of one that was read."""

    encode: Converter | None = None
    """It is given no None."""
    decode: Converter | None = None
    """It is given None for NULL, as a check for each row would take longer."""


def codec(kind: TypeEngine[Any], dialect: str) -> Codec:
    """Return how a type's values are sent and read. Raises TypeError if none knows it."""
    if isinstance(kind, ListOf) and dialect == "sqlite":
        return Codec(_list_writer(codec(kind.item, dialect).encode))
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
    if default is None or not default.is_scalar:
        msg = f"{column} has a default that is no plain value: write it in each statement."
        raise TypeError(msg)
    return default.arg  # type: ignore[attr-defined]  # it is scalar


def check_metadata(metadata: MetaData) -> None:
    """Raise TypeError if a column is of a type that isn't known here, or has a computed default."""
    for table in metadata.sorted_tables:
        for column in table.columns:
            for dialect in _CODECS:
                codec(column.type, dialect)
            for updating, default in ((False, column.default), (True, column.onupdate)):
                if default is not None:
                    default_of(column, updating=updating)


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
        **dict.fromkeys((ApiUuid, ApiMoment, ListOf, ARRAY, Uuid, Moment, Boolean), Codec()),
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
