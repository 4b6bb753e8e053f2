"""The one place where time is read."""

from datetime import UTC, datetime, timedelta
from typing import Final

LATEST: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""The last moment that RFC 3339 can write; nothing here lives longer."""


def now() -> datetime:
    """Return the present moment, in UTC."""
    return datetime.now(UTC)


def later(moment: datetime, seconds: int) -> datetime:
    """Return the moment so many seconds later, LATEST at most."""
    left = int((LATEST - moment).total_seconds())
    return moment + timedelta(seconds=seconds) if seconds < left else LATEST


def rfc3339(moment: datetime) -> str:
    """Return a moment as RFC 3339 writes it, in UTC, ending in Z."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return f"{utc.isoformat()[:-6]}Z"
