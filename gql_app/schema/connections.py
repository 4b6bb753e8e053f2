"""Connections: how a list is paged through."""

from collections.abc import Container
from enum import StrEnum
from typing import Final, Self

import strawberry

from gql_app.lib.pagination import Page

CURSORS: Final = frozenset({"cursor", "start_cursor", "end_cursor"})
"""Fields of an edge and of PageInfo for which a page is read with its keys."""


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
