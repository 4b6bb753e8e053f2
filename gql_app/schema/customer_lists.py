"""Lists of customers: which and how they are sorted, a page at a time."""

from collections.abc import Callable, Container, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple, Self

import strawberry
from strawberry import UNSET

from gql_app.accounts import customer_lists
from gql_app.accounts.callers import Caller
from gql_app.db.questions import Reader
from gql_app.lib.engine import LazyRows, cached_per_document, selected_fields
from gql_app.lib.pagination.pages import MAX_COUNT, Page, Window
from gql_app.schema.connections import CURSORS, OrderDirection, PageInfo
from gql_app.schema.context import Info
from gql_app.schema.customers import COLUMNS, Customer, or_null
from gql_app.schema.permissions import authenticated

strawberry.enum(
    customer_lists.OrderField,
    name="CustomerOrderField",
    description="What customers are sorted by; EMAIL is for admins.",
)


@strawberry.type(description="A customer, and where they stand in the list.")
class CustomerEdge:
    """A customer, and where they stand in the list."""

    cursor: str
    node: Customer

    @classmethod
    def of_row(
        cls,
        node: Callable[[Sequence[object]], Customer],
        cursor: Callable[[Sequence[object]], str],
        values: Sequence[object],
    ) -> Self:
        """Pair what was read of a customer with its cursor."""
        return cls(cursor=cursor(values), node=node(values))


@strawberry.type(description="One page of customers.")
class CustomerConnection:
    """One page of customers."""

    nodes: list[Customer]
    edges: list[CustomerEdge]
    page_info: PageInfo
    total_count: int = strawberry.field(
        description="All that match the filter, counted only when asked for and only so far: "
        f"{MAX_COUNT} means that many or more."
    )

    @classmethod
    def of(cls, caller: Caller, page: Page, cursors: Container[str], count: int) -> Self:
        """Show a page to a caller, with the cursors that are asked for."""
        node, cursor = partial(Customer.of_row, caller, page.columns), page.cursor
        edge = partial(CustomerEdge.of_row, node, cursor if "cursor" in cursors else str)
        return cls(
            nodes=LazyRows(page.columns, page.rows, node),  # type: ignore[arg-type]  # it passes for a list
            edges=LazyRows(page.columns, page.rows, edge),  # type: ignore[arg-type]  # as above
            page_info=PageInfo.of(page, cursors),
            total_count=count,
        )


@strawberry.input(description="Which customers to list; what is left out or null doesn't matter.")
class CustomerFilter:
    """Which customers to list."""

    search: str | None = strawberry.field(
        description="Each word anywhere in the name, in any case and order; for admins also in "
        "the e-mail address.",
        default=strawberry.UNSET,
    )
    is_admin: bool | None = strawberry.UNSET
    created_after: datetime | None = strawberry.field(
        description="Exclusive.", default=strawberry.UNSET
    )
    created_before: datetime | None = strawberry.field(
        description="Exclusive.", default=strawberry.UNSET
    )

    def rule(self) -> customer_lists.Filter:
        """Say it in the words of the rules."""
        return customer_lists.Filter(
            search=self.search or None,
            is_admin=or_null(self.is_admin),
            created_after=or_null(self.created_after),
            created_before=or_null(self.created_before),
        )


@strawberry.input(description="How customers are sorted.")
class CustomerOrder:
    """How customers are sorted."""

    field: customer_lists.OrderField
    direction: OrderDirection = OrderDirection.ASC

    def rule(self) -> customer_lists.Order:
        """Say it in the words of the rules."""
        return customer_lists.Order(self.field, descending=self.direction is OrderDirection.DESC)


async def _page(
    info: Info, arguments: Mapping[str, Any], caller: Caller, db: Reader
) -> CustomerConnection:
    """Read a page, and count the list, as far as that is asked for."""
    given = {name: None if value is UNSET else value for name, value in arguments.items()}
    which, order = given.get("filter"), given.get("order_by")
    listing = customer_lists.listing(
        which.rule() if which else customer_lists.Filter(),
        order.rule() if order else customer_lists.Order(),
        by_admin=caller.is_admin,
        caller_id=caller.customer_id,
    )
    window = Window.of(**{name: given.get(name) for name in ("first", "after", "last", "before")})
    wanted = cached_per_document(info, _wanted)
    if wanted.rows:
        page = await listing.page(db, window, wanted.columns, cursors=bool(wanted.cursors))
    else:
        page = listing.unread(window)
    count = await listing.count(db) if wanted.counted else 0
    return CustomerConnection.of(caller, page, wanted.cursors, count)


@strawberry.type
class CustomerListQuery:
    """Listing customers."""

    @strawberry.field(
        description="A page of customers: first or last of 1 to 500, 50 when neither is given; "
        "by CREATED_AT ASC unless orderBy says otherwise. Who is deactivated is there for admins "
        "and for themselves.",
        extensions=[authenticated(_page)],
    )
    async def customers(
        self,
        info: Info,
        first: int | None = strawberry.UNSET,
        after: str | None = strawberry.UNSET,
        last: int | None = strawberry.UNSET,
        before: str | None = strawberry.UNSET,
        filter: CustomerFilter | None = strawberry.UNSET,
        order_by: CustomerOrder | None = strawberry.UNSET,
    ) -> CustomerConnection | None:
        """Read a page."""
        found = info.context.foreseen()
        if isinstance(found, CustomerConnection):
            return found
        arguments = {
            "first": first,
            "after": after,
            "last": last,
            "before": before,
            "filter": filter,
            "order_by": order_by,
        }
        caller = await info.context.caller()
        async with info.context.read() as db:
            return await _page(info, arguments, caller, db)


class _Wanted(NamedTuple):
    """What an operation asks of a page."""

    rows: bool
    """Whether it is to be read at all."""
    counted: bool
    columns: frozenset[str]
    cursors: frozenset[str]


def _wanted(info: Info) -> _Wanted:
    fields = selected_fields(info, "nodes") | selected_fields(info, "edges", "node")
    return _Wanted(
        rows=bool(selected_fields(info) & {"nodes", "edges", "page_info"}),
        counted="total_count" in selected_fields(info),
        columns=(fields & COLUMNS) | ({"id"} if "sessions" in fields else set()),
        cursors=(selected_fields(info, "edges") | selected_fields(info, "page_info")) & CURSORS,
    )
