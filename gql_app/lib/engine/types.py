"""GraphQL types that any schema may use: moments, and how a list is paged through."""

import re
from collections.abc import Container
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, Self

import strawberry

from gql_app.lib.clock import rfc3339
from gql_app.lib.engine.engine import UnreadableValue
from gql_app.lib.pagination import Page

CURSORS: Final = frozenset({"cursor", "start_cursor", "end_cursor"})
"""Fields of an edge and of PageInfo for which a page is read with its keys."""
_DATE_TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:[0-5]\d)", re.ASCII
)


def parse_datetime(value: object) -> datetime:
    """Return in UTC what RFC 3339 section 5.6 writes, with its offset. Raises UnreadableValue."""
    if not isinstance(value, str) or not _DATE_TIME.fullmatch(value):
        message = "a DateTime is written as RFC 3339 has it, such as 2030-01-31T12:00:00Z"
        raise UnreadableValue(message)
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        message = "there is no such moment"
        raise UnreadableValue(message) from None


DATE_TIME: Final = strawberry.scalar(
    name="DateTime",
    description="A moment as RFC 3339 writes it, always in UTC.",
    specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
    serialize=rfc3339,
    parse_value=parse_datetime,
)


@strawberry.enum(description="Which way a list is sorted.")
class OrderDirection(StrEnum):
    """Which way a list is sorted."""

    ASC = "ASC"
    DESC = "DESC"


@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    """Where a page stands in its list."""

    has_next_page: bool = strawberry.field(
        description="Whether the list goes on after this page, whichever way it was paged."
    )
    has_previous_page: bool = strawberry.field(
        description="Whether the list begins before this page, whichever way it was paged."
    )
    start_cursor: str | None = strawberry.field(description="Send it as before to page back.")
    end_cursor: str | None = strawberry.field(description="Send it as after to page forward.")

    @classmethod
    def of(cls, page: Page, cursors: Container[str] = CURSORS) -> Self:
        """Return where a page stands in its list, with the cursors that are asked for."""
        rows = page.rows
        return cls(
            has_next_page=page.has_next,
            has_previous_page=page.has_previous,
            start_cursor=page.cursor(rows[0]) if rows and "start_cursor" in cursors else None,
            end_cursor=page.cursor(rows[-1]) if rows and "end_cursor" in cursors else None,
        )
