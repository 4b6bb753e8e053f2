"""The audit: its events, for callers with the permission to read them."""

from datetime import datetime
from typing import Self

import strawberry
from graphql.pyutils import snake_to_camel

from gql_app.accounts import audit
from gql_app.accounts.permissions import READ_AUDIT
from gql_app.accounts.records import AuditRecord
from gql_app.lib.clock import parse_id
from gql_app.lib.pagination import Page
from gql_app.schema.context import NOBODY, Info, or_null, page_window
from gql_app.schema.customers import Customer, load_customer
from gql_app.schema.permissions import IsAdmin, requiring
from gql_app.schema.types import Node, PageInfo


@strawberry.type
class AuditEvent(Node):
    """An event of the audit."""

    row: strawberry.Private[AuditRecord]
    at: datetime
    action: str
    fields: list[str]
    ip_address: str | None
    user_agent: str | None

    @strawberry.field
    async def actor(self, info: Info) -> Customer | None:
        """Return the customer who acted."""
        return await load_customer(info, self.row.actor_id)

    @strawberry.field
    async def customer(self, info: Info) -> Customer | None:
        """Return the customer who was acted on."""
        return await load_customer(info, self.row.customer_id)

    @classmethod
    def of(cls, row: AuditRecord) -> Self:
        """Return an event, for an admin."""
        return cls(
            row=row,
            id=strawberry.ID(str(row.id)),
            at=row.at,
            action=row.action,
            fields=row.fields
            if row.action.startswith("role:")
            else [snake_to_camel(field, upper=False) for field in row.fields],
            ip_address=row.ip_address,
            user_agent=row.user_agent,
        )


@strawberry.type
class AuditEventEdge:
    """An event, and its cursor in the list."""

    cursor: str
    node: AuditEvent


@strawberry.type
class AuditEventConnection:
    """A page of events."""

    page: strawberry.Private[Page]
    nodes: list[AuditEvent]
    page_info: PageInfo

    @strawberry.field
    def edges(self) -> list[AuditEventEdge]:
        """Return the events with their cursors."""
        return [
            AuditEventEdge(cursor=self.page.cursor(row), node=node)
            for row, node in zip(self.page.rows, self.nodes, strict=True)
        ]


@strawberry.type
class AuditQuery:
    """Reading the audit."""

    @strawberry.field(extensions=requiring(IsAdmin(READ_AUDIT)))
    async def audit_events(
        self,
        info: Info,
        first: int | None = strawberry.UNSET,
        after: str | None = strawberry.UNSET,
        last: int | None = strawberry.UNSET,
        before: str | None = strawberry.UNSET,
        customer_id: strawberry.ID | None = strawberry.UNSET,
        action: str | None = strawberry.UNSET,
    ) -> AuditEventConnection | None:
        """Return a page, read by one statement."""
        window = page_window(first=first, after=after, last=last, before=before)
        named = or_null(customer_id)
        listing = audit.listing(
            customer_id=None if named is None else parse_id(named) or NOBODY,
            action=or_null(action),
        )
        page = await listing.page(await info.context.lists(), window, AuditRecord._fields)
        return AuditEventConnection(
            page=page,
            nodes=[AuditEvent.of(AuditRecord._make(row)) for row in page.rows],
            page_info=PageInfo(**page.info()),
        )
