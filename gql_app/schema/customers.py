"""Customers: what is shown of them, and to whom; how they are listed and changed."""

from datetime import datetime
from typing import Final, Self, TypeVar

import strawberry

from gql_app.accounts import customers
from gql_app.accounts.paging import Listing, Page, Window
from gql_app.accounts.sessions import Caller
from gql_app.db.tables import CustomerRow
from gql_app.schema.context import Info
from gql_app.schema.paging import OrderDirection, PageInfo
from gql_app.schema.payloads import Payload
from gql_app.schema.permissions import authenticated
from gql_app.schema.sessions import Session
from gql_app.security.ids import parse_id

_T = TypeVar("_T")
PRIVATE: Final = "For the customer themself and for admins; null for anyone else."

strawberry.enum(
    customers.OrderField,
    name="CustomerOrderField",
    description="What customers are sorted by; EMAIL is for admins.",
)


@strawberry.type(description="A person with an account.")
class Customer:
    """A person with an account, as one caller sees them."""

    caller: strawberry.Private[Caller]
    row: strawberry.Private[CustomerRow]
    id: strawberry.ID
    name: str
    email: str | None = strawberry.field(description=PRIVATE)
    phone: str | None = strawberry.field(description=PRIVATE)
    is_active: bool | None = strawberry.field(description=PRIVATE)
    is_admin: bool
    created_at: datetime
    updated_at: datetime

    @classmethod
    def seen_by(cls, caller: Caller, row: CustomerRow) -> Self:
        """Show a customer, whose private fields are null for whom they don't concern."""
        private = caller.may_see(row.id)
        return cls(
            caller=caller,
            row=row,
            id=strawberry.ID(str(row.id)),
            name=row.name,
            email=row.email if private else None,
            phone=row.phone if private else None,
            is_active=row.is_active if private else None,
            is_admin=row.is_admin,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )

    @strawberry.field(description=f"Those that are still good, the newest first. {PRIVATE}")
    async def sessions(self, info: Info) -> list[Session] | None:
        """List the living sessions, in one statement for a whole page of customers."""
        if not self.caller.may_see(self.row.id):
            return None
        rows = await info.context.sessions_of.load(self.row.id)
        return [Session.of(row, current_id=self.caller.session.id) for row in rows]


@strawberry.type(description="A customer, and where they stand in the list.")
class CustomerEdge:
    """A customer, and where they stand in the list."""

    cursor: str
    node: Customer


@strawberry.type(description="One page of customers.")
class CustomerConnection:
    """One page of customers."""

    listing: strawberry.Private[Listing[CustomerRow]]
    page: strawberry.Private[Page[CustomerRow]]
    nodes: list[Customer]

    @strawberry.field
    def edges(self) -> list[CustomerEdge]:
        """Pair each customer with their cursor."""
        return [
            CustomerEdge(cursor=self.listing.cursor(node.row), node=node) for node in self.nodes
        ]

    @strawberry.field
    def page_info(self) -> PageInfo:
        """Tell where the page stands."""
        return PageInfo.of(self.listing, self.page)

    @strawberry.field(description="All that match the filter; counted only when asked for.")
    async def total_count(self, info: Info) -> int:
        """Count the whole list, with a statement of its own."""
        async with info.context.read() as db:
            return await self.listing.count(db)


@strawberry.input(description="Which customers to list; what is left out or null doesn't matter.")
class CustomerFilter:
    """Which customers to list."""

    search: str | None = strawberry.field(
        description="Anywhere in the name, in any case; for admins also in the e-mail address.",
        default=strawberry.UNSET,
    )
    is_admin: bool | None = strawberry.UNSET
    created_after: datetime | None = strawberry.field(
        description="Exclusive.", default=strawberry.UNSET
    )
    created_before: datetime | None = strawberry.field(
        description="Exclusive.", default=strawberry.UNSET
    )

    def rule(self) -> customers.Filter:
        """Say it in the words of the rules."""
        return customers.Filter(
            search=self.search or None,
            is_admin=or_null(self.is_admin),
            created_after=or_null(self.created_after),
            created_before=or_null(self.created_before),
        )


@strawberry.input(description="How customers are sorted.")
class CustomerOrder:
    """How customers are sorted."""

    field: customers.OrderField
    direction: OrderDirection = OrderDirection.ASC

    def rule(self) -> customers.Order:
        """Say it in the words of the rules."""
        return customers.Order(self.field, descending=self.direction is OrderDirection.DESC)


@strawberry.type(description="The customer it was about.")
class CustomerPayload(Payload):
    """The customer it was about."""

    customer: Customer | None = strawberry.field(description="null on ERROR", default=None)


@strawberry.type
class CustomerQuery:
    """Reading customers."""

    @strawberry.field(description="Who is signed in.", extensions=[authenticated()])
    async def me(self, info: Info) -> Customer | None:
        """Show the caller to themself."""
        caller = await info.context.caller()
        return Customer.seen_by(caller, caller.customer)

    @strawberry.field(
        description="One customer; null where there is no such customer.",
        extensions=[authenticated()],
    )
    async def customer(self, info: Info, id: strawberry.ID) -> Customer | None:
        """Find a customer; an id that is no UUID is simply nobody's."""
        customer_id = parse_id(id)
        if customer_id is None:
            return None
        async with info.context.read() as db:
            row = await customers.by_id(db, customer_id)
        return Customer.seen_by(await info.context.caller(), row) if row else None

    @strawberry.field(
        description="A page of customers: first or last of 1 to 500, 50 when neither is given; "
        "by CREATED_AT ASC unless orderBy says otherwise.",
        extensions=[authenticated()],
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
        """Read a page in one statement."""
        caller = await info.context.caller()
        listing = customers.listing(
            filter.rule() if filter else customers.Filter(),
            order_by.rule() if order_by else customers.Order(),
            by_admin=caller.customer.is_admin,
        )
        window = Window.of(
            first=or_null(first), after=or_null(after), last=or_null(last), before=or_null(before)
        )
        async with info.context.read() as db:
            page = await listing.page(db, window)
        return CustomerConnection(
            listing=listing,
            page=page,
            nodes=[Customer.seen_by(caller, row) for row in page.rows],
        )


def or_null(value: _T | None) -> _T | None:
    """Take what a client left out for null."""
    return None if value is strawberry.UNSET else value
