"""Types of all parts of the schema: Node, PageInfo, and the scalars DateTime and JSON."""

import re
from datetime import datetime
from enum import StrEnum
from typing import Final

import strawberry
from strawberry.types.base import get_object_definition

from gql_app.lib.clock import parse_moment, rfc3339

_DATE_TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:[0-5]\d)", re.ASCII
)


class UnreadableValue(ValueError):
    """A value that a scalar can't parse; the client is shown this message."""


def parse_datetime(value: object) -> datetime:
    """Return the moment of an RFC 3339 date-time (section 5.6), in UTC. Raises UnreadableValue."""
    if not isinstance(value, str) or not _DATE_TIME.fullmatch(value):
        message = "a DateTime is written as RFC 3339 has it, such as 2030-01-31T12:00:00Z"
        raise UnreadableValue(message)
    moment = parse_moment(value)
    if moment is None:
        message = "there is no such moment"
        raise UnreadableValue(message)
    return moment


DATE_TIME: Final = strawberry.scalar(
    name="DateTime",
    description="A moment as of RFC 3339, such as 2030-01-31T12:00:00Z; a leap second is the "
    "second after it, and digits beyond microseconds are dropped. Answers are in UTC.",
    specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
    serialize=rfc3339,
    parse_value=parse_datetime,
)


JSON_VALUE: Final = strawberry.scalar(
    name="JSON",
    description="Any JSON value, such as what a browser makes of a passkey.",
    specified_by_url="https://www.rfc-editor.org/rfc/rfc8259",
)


@strawberry.enum
class OrderDirection(StrEnum):
    """The direction in which a list is sorted."""

    ASC = "ASC"
    DESC = "DESC"


@strawberry.interface
class Node:
    """An object that is found by its id alone."""

    id: strawberry.ID

    @staticmethod
    def resolve_type(value: object, *_: object) -> str:
        """Return the name of an object's type."""
        return get_object_definition(value, strict=True).name


@strawberry.type
class PageInfo:
    """The place of a page in its list."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None
