"""Customers: what is shown of them, and to whom."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Self, TypeVar
from uuid import UUID

import strawberry

from gql_app.accounts import customers
from gql_app.accounts.callers import Caller
from gql_app.accounts.records import AnyCustomer
from gql_app.schema.context import Info
from gql_app.schema.payloads import Payload
from gql_app.schema.permissions import authenticated
from gql_app.schema.sessions import Session
from gql_app.security.ids import parse_id

_T = TypeVar("_T")
PRIVATE: Final = "For the customer themself and for admins; null for anyone else."


@strawberry.type(description="A person with an account.")
class Customer:
    """A person with an account, as one caller sees them."""

    caller: strawberry.Private[Caller]
    id: strawberry.ID
    name: str
    email: str | None = strawberry.field(description=PRIVATE)
    phone: str | None = strawberry.field(description=PRIVATE)
    is_active: bool | None = strawberry.field(description=PRIVATE)
    is_admin: bool
    created_at: datetime
    updated_at: datetime

    @classmethod
    def seen_by(cls, caller: Caller, row: AnyCustomer) -> Self:
        """Show a customer, whose private fields are null for whom they don't concern."""
        private = caller.may_see(row.id)
        return cls(
            caller=caller,
            id=strawberry.ID(str(row.id)),
            name=row.name,
            email=row.email if private else None,
            phone=row.phone if private else None,
            is_active=row.is_active if private else None,
            is_admin=row.is_admin,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )

    @classmethod
    def of_row(cls, caller: Caller, columns: Sequence[str], values: Sequence[Any]) -> Self:
        """Show what was read of a customer for this caller; nobody looks at the rest."""
        read: dict[str, Any] = dict(zip(columns, values, strict=True))
        for name in read.keys() & MOMENTS:
            read[name] = datetime.fromisoformat(read[name])
        return cls(
            caller=caller,
            **{name: read.get(name) for name in COLUMNS},  # type: ignore[arg-type]
        )

    @strawberry.field(description=f"Those that are still good, the newest first. {PRIVATE}")
    async def sessions(self, info: Info) -> list[Session] | None:
        """List the living sessions, in one statement for a whole page of customers."""
        customer_id = UUID(self.id)
        if not self.caller.may_see(customer_id):
            return None
        rows = await info.context.sessions_of.load(customer_id)
        return [Session.of(row, current_id=self.caller.session_id) for row in rows]


COLUMNS: Final = frozenset(
    {"id", "name", "email", "phone", "is_active", "is_admin", "created_at", "updated_at"}
)
"""Fields of a customer that are columns of the same name."""
MOMENTS: Final = frozenset({"created_at", "updated_at"})
"""Those of them that a page has as text."""


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
        found = await info.context.signed_in()
        return Customer.seen_by(found.caller, found.customer)

    @strawberry.field(
        description="One customer; null where there is no such customer, or one who is "
        "deactivated, but for admins.",
        extensions=[authenticated()],
    )
    async def customer(self, info: Info, id: strawberry.ID) -> Customer | None:
        """Find a customer; an id that is no UUID is simply nobody's."""
        customer_id = parse_id(id)
        if customer_id is None:
            return None
        caller = await info.context.caller()
        async with info.context.read() as db:
            row = await customers.seen(
                db, customer_id, by_admin=caller.is_admin, caller_id=caller.customer_id
            )
        return Customer.seen_by(caller, row) if row else None


def or_null(value: _T | None) -> _T | None:
    """Take what a client left out for null."""
    return None if value is strawberry.UNSET else value
