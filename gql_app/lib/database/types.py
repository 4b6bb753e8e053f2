"""Column types, and how their values are sent to and read from each database."""

from datetime import UTC, datetime

from sqlalchemy import DateTime, Dialect, MetaData
from sqlalchemy.types import TypeDecorator


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


def check_metadata(metadata: MetaData) -> None:
    """Raise TypeError if a column's type is none that this package reads and writes."""
    raise NotImplementedError
