"""Connections: how a list is paged through."""

from enum import StrEnum

import strawberry


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
