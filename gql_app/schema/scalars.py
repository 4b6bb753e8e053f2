"""The one scalar of our own: DateTime, spelt as RFC 3339 has it."""

import re
from datetime import UTC, datetime
from typing import Final

import strawberry

from gql_app.clock import rfc3339

_SHAPE: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:[0-5]\d)", re.ASCII
)


class Unreadable(ValueError):
    """A value that a scalar of ours can't be; a client is shown its words."""


def parse_datetime(value: object) -> datetime:
    """Read RFC 3339 section 5.6, with its offset, as a moment in UTC. Raises Unreadable."""
    if not isinstance(value, str) or not _SHAPE.fullmatch(value):
        message = "a DateTime is written as RFC 3339 has it, such as 2030-01-31T12:00:00Z"
        raise Unreadable(message)
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        message = "there is no such moment"
        raise Unreadable(message) from None


DATE_TIME: Final = strawberry.scalar(
    name="DateTime",
    description="A moment as RFC 3339 writes it, always in UTC.",
    specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
    serialize=rfc3339,
    parse_value=parse_datetime,
)
