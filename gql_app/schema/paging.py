"""Connections: how a list is paged through."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Generic, Self, TypeVar

import strawberry

from gql_app.accounts.paging import Listing, Page
from gql_app.db.tables import Row

_R = TypeVar("_R", bound=Row)
_T = TypeVar("_T")


class Rows(Generic[_T]):
    """Stand-in."""

    columns: Sequence[str]
    values: Sequence[Sequence[Any]]


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
    def of(cls, listing: Listing[_R], page: Page[_R]) -> Self:
        """Tell where a page stands in its list."""
        return cls(
            has_next_page=page.has_next,
            has_previous_page=page.has_previous,
            start_cursor=listing.cursor(page.rows[0]) if page.rows else None,
            end_cursor=listing.cursor(page.rows[-1]) if page.rows else None,
        )
