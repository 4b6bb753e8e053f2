"""Customers: one by one and in lists, with private fields for permitted callers only."""

from collections.abc import Callable, Container, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, Self
from uuid import UUID

import strawberry

from gql_app.accounts import customer_lists, customers, sessions
from gql_app.accounts.factors import second_factors
from gql_app.accounts.permissions import READ_PRIVATE
from gql_app.accounts.records import MASK, CustomerRecord
from gql_app.accounts.sessions import Caller, SignedIn
from gql_app.accounts.validation import Changes
from gql_app.factors import recovery_codes
from gql_app.lib.clock import parse_id
from gql_app.lib.engine import LazyRows, cached_per_document, selected_fields
from gql_app.lib.pagination import Page, QueryReader, Selection
from gql_app.schema.context import Context, Info, page_window
from gql_app.schema.factors.challenges import SecondFactor
from gql_app.schema.inputs import Input
from gql_app.schema.payloads import Payload
from gql_app.schema.permissions import PRIVATE, IsAuthenticated, requiring
from gql_app.schema.sessions import Session
from gql_app.schema.types import Node, OrderDirection, PageInfo

strawberry.enum(customer_lists.OrderField, name="CustomerOrderField")


@strawberry.type
class Customer(Node):
    """A person with an account, as one caller sees them."""

    caller: strawberry.Private[Caller]
    name: str
    email: str | None = strawberry.field(metadata=PRIVATE)
    phone: str | None = strawberry.field(metadata=PRIVATE)
    is_active: bool | None = strawberry.field(metadata=PRIVATE)
    is_admin: bool
    created_at: datetime
    updated_at: datetime
    roles: list[str] | None = strawberry.field(metadata=PRIVATE)
    email_verified_at: datetime | None = strawberry.field(metadata=PRIVATE)
    pending_email: str | None = strawberry.field(metadata=PRIVATE)
    locale: str | None = strawberry.field(metadata=PRIVATE)

    @classmethod
    def seen_by(cls, caller: Caller, row: CustomerRecord) -> Self:
        """Return a customer, whose private fields are null unless the caller may see them."""
        shown = row if caller.may_see(row.id) else row._replace(**MASK)
        return cls(
            caller=caller,
            id=strawberry.ID(str(row.id)),
            name=row.name,
            email=shown.email,
            phone=shown.phone,
            is_active=shown.is_active,
            is_admin=row.is_admin,
            created_at=row.created_at,
            updated_at=row.updated_at,
            roles=_names(shown.roles),
            email_verified_at=shown.email_verified_at,
            pending_email=shown.pending_email,
            locale=shown.locale,
        )

    def shows_private(self) -> bool:
        """Return whether the caller may see private fields."""
        return self.caller.may_see(self.id)

    @classmethod
    def of_rows(
        cls, caller: Caller, columns: Sequence[str]
    ) -> Callable[[Sequence[Any]], "Customer"]:
        """Return what builds a customer from a row of these columns; other fields are None."""
        places = {name: number for number, name in enumerate(columns) if name in COLUMNS}
        moments = TIMESTAMPS & places.keys()
        unread = dict.fromkeys(COLUMNS - places.keys())

        def build(values: Sequence[Any]) -> Customer:
            read = {name: values[number] for name, number in places.items()}
            for name in moments:
                read[name] = read[name] and datetime.fromisoformat(read[name])
            if "roles" in read:
                read["roles"] = _names(read["roles"])
            return cls(caller=caller, **read, **unread)  # type: ignore[arg-type]

        return build

    @strawberry.field(metadata=PRIVATE)
    async def sessions(self, info: Info) -> list[Session] | None:
        """Return the living sessions, read by one statement for a whole page of customers."""
        if not self.shows_private():
            return None
        rows = await info.context.load(sessions.living, self.id)
        return [Session.of(row, current_id=self.caller.session_id) for row in rows]

    @strawberry.field(metadata=PRIVATE)
    async def second_factors(self, info: Info) -> list[SecondFactor] | None:
        """Return the second factors, read by one statement for a whole page of customers."""
        if not self.shows_private():
            return None
        factors = await info.context.load(second_factors.of_customers, self.id)
        return [*map(SecondFactor.of, factors)]

    @strawberry.field(metadata=PRIVATE)
    async def recovery_codes_left(self, info: Info) -> int | None:
        """Return how many recovery codes are left, read by one statement for a whole page."""
        if not self.shows_private():
            return None
        return await info.context.load(recovery_codes.remaining, self.id)


COLUMNS: Final = frozenset(CustomerRecord._fields) - {"password_hash", "factors_version"}
"""Fields of a customer that are columns of the same name."""
TIMESTAMPS: Final = COLUMNS & customer_lists.API_TEXT - {"id"}
"""Those of them that a page holds as text."""
LOADED: Final = frozenset({"sessions", "second_factors", "recovery_codes_left"})
"""Fields that are loaded by the customer's id."""
SERIALISED: Final = COLUMNS - {"roles"}
"""Those of them that a page holds in the form of the answer."""


@strawberry.type
class CustomerPayload(Payload):
    """The customer who was created, changed or invited."""

    customer: Customer | None = None

    @classmethod
    def of(
        cls,
        context: Context,
        me: SignedIn,
        customer: CustomerRecord,
        message: str,
        changes: Changes | None = None,
    ) -> Self:
        """Return a customer as the caller who wrote them sees them, with notes for the message.

        A new address that is still to be proven is noted. The one in force is named only as the
        caller may see it.
        """
        seen, pending = Customer.seen_by(me.caller(context.roles), customer), customer.pending_email
        if changes and pending is not None and changes.values.get("email") == pending:
            message = (
                f"{message} The e-mail address is {seen.email or 'unchanged'} until the link is "
                f"used that is sent to {pending}."
            )
        return cls.success(context.with_note(message), customer=seen)


@strawberry.type
class CustomerEdge:
    """A customer, and their cursor in the list."""

    cursor: str
    node: Customer


@strawberry.type
class CustomerConnection:
    """One page of customers."""

    nodes: list[Customer]
    edges: list[CustomerEdge]
    page_info: PageInfo
    total_count: int

    @classmethod
    def of(cls, caller: Caller, page: Page, cursors: Container[str], count: int) -> Self:
        """Return a page for a caller, with the cursors that are asked for."""
        node, has_cursors = Customer.of_rows(caller, page.columns), "cursor" in cursors

        def edge(row: Sequence[Any]) -> CustomerEdge:
            return CustomerEdge(cursor=page.cursor(row) if has_cursors else "", node=node(row))

        return cls(
            nodes=LazyRows(page.columns, page.rows, node, SERIALISED, caller),  # type: ignore[arg-type]  # it passes for a list
            edges=LazyRows(page.columns, page.rows, edge, SERIALISED),  # type: ignore[arg-type]  # as above
            page_info=PageInfo(**page.info(cursors)),
            total_count=count,
        )


@strawberry.input
class CustomerFilter(Input):
    """Which customers to list."""

    search: str | None = strawberry.UNSET
    is_admin: bool | None = strawberry.UNSET
    created_after: datetime | None = strawberry.UNSET
    created_before: datetime | None = strawberry.UNSET
    is_invited: bool | None = strawberry.UNSET

    def rule(self) -> customer_lists.Filter:
        """Return the filter that lists are made by."""
        which = customer_lists.Filter(**self.provided())
        return which._replace(search=self.search or None)


@strawberry.input
class CustomerOrder:
    """How customers are sorted."""

    field: customer_lists.OrderField
    direction: OrderDirection = OrderDirection.ASC

    def rule(self) -> customer_lists.Order:
        """Return the order that lists are made by."""
        return customer_lists.Order(self.field, descending=self.direction is OrderDirection.DESC)


@strawberry.type
class CustomerQuery:
    """Reading customers."""

    @strawberry.field(extensions=requiring(IsAuthenticated(enrols=True)))
    async def me(self, info: Info) -> Customer | None:
        """Return the caller."""
        context = info.context
        found = await context.signed_in(enrols=True)
        return Customer.seen_by(found.caller(context.roles), found.customer)

    @strawberry.field(extensions=requiring(IsAuthenticated))
    async def customer(self, info: Info, id: strawberry.ID) -> Customer | None:
        """Return a customer, None if there is none or the id is no UUID."""
        customer_id = parse_id(id)
        if customer_id is None:
            return None
        caller = await info.context.caller()
        row = await customers.visible_by_id(info.context.db, customer_id, by=caller)
        return Customer.seen_by(caller, row) if row else None

    @strawberry.field(extensions=requiring(IsAuthenticated(by_token=True)))
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
        """Return a page for the caller, read by a statement that also authenticates them."""

        async def page(db: QueryReader, caller: Caller) -> CustomerConnection:
            """Return a page and the list's length, as far as the operation selects them."""
            listing = customer_lists.listing(
                filter.rule() if filter else customer_lists.Filter(),
                order_by.rule() if order_by else customer_lists.Order(),
                reads_private=READ_PRIVATE in caller.permissions,
                caller_id=caller.customer_id,
            )
            window = page_window(first=first, after=after, last=last, before=before)
            selected = cached_per_document(info, _selection)
            rows, count = await selected.read(db, listing, window)
            return CustomerConnection.of(caller, rows, selected.cursors, count)

        return await info.context.read_as_caller(page)


async def load_customer(info: Info, customer_id: UUID | None) -> Customer | None:
    """Return a customer, read in a batch; a deactivated one only if the caller may see them."""
    row = await info.context.load(customers.by_ids, customer_id) if customer_id else None
    if row is None:
        return None
    caller = await info.context.caller()
    return Customer.seen_by(caller, row) if row.is_active or caller.may_see(row.id) else None


def _names(roles: str | None) -> list[str] | None:
    """Return the names of roles one by one; None if they are not shown."""
    return None if roles is None else roles.split()


def _selection(info: Info) -> Selection:
    return Selection.of(partial(selected_fields, info), _columns)


def _columns(fields: frozenset[str]) -> Sequence[str]:
    if fields - COLUMNS - LOADED:  # a feature's field may look at anything
        return sorted(COLUMNS)
    return sorted((fields & COLUMNS) | ({"id"} if fields & LOADED else set()))
