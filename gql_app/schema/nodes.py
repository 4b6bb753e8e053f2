"""Nodes: any object by its id alone, for callers who may see it."""

import asyncio
from collections.abc import Sequence
from functools import lru_cache
from typing import Final
from uuid import UUID

import strawberry

from gql_app.accounts import audit, sessions
from gql_app.accounts.factors import second_factors
from gql_app.accounts.permissions import READ_AUDIT
from gql_app.db.factor_tables import SecondFactorRow
from gql_app.db.tables import AuditRow, CustomerRow, SessionRow
from gql_app.lib.clock import parse_id
from gql_app.lib.nodes import NodeKind, NodeTables
from gql_app.lib.pagination import MAX_SIZE, InvalidArgument
from gql_app.schema.audit import AuditEvent
from gql_app.schema.context import Info
from gql_app.schema.customers import Customer, load_customer
from gql_app.schema.factors.challenges import SecondFactor
from gql_app.schema.permissions import IsAuthenticated, requiring
from gql_app.schema.sessions import Session
from gql_app.schema.types import Node


@strawberry.type
class NodeQuery:
    """Reading any object by its id."""

    @strawberry.field(extensions=requiring(IsAuthenticated))
    async def node(self, info: Info, id: strawberry.ID) -> Node | None:
        """Return the object of an id, None if there is none."""
        return await _find(info, id)

    @strawberry.field(extensions=requiring(IsAuthenticated))
    async def nodes(self, info: Info, ids: list[strawberry.ID]) -> list[Node | None] | None:
        """Return the objects of some ids, None for each without one; a statement for each type."""
        if len(ids) > MAX_SIZE:
            message = f"ids has {len(ids)}. Ask for at most {MAX_SIZE} at a time."
            raise InvalidArgument(message)
        return await asyncio.gather(*(_find(info, each) for each in ids))


async def _find(info: Info, id: str) -> Node | None:
    key = parse_id(id)
    if key is None:
        return None
    tables = _tables(info.context.resources.extensions.nodes)
    kind = await info.context.load(tables, key)
    return await kind.load(info, key) if kind else None  # type: ignore[return-value]  # of a type that is a Node in the schema


async def _session(info: Info, key: UUID) -> Session | None:
    """Return a living session, if the caller may see the customer's sessions."""
    caller = await info.context.caller()
    row = await info.context.load(sessions.living_by_ids, key)
    is_seen = row is not None and caller.may_see(row.customer_id)
    return Session.of(row, current_id=caller.session_id) if row and is_seen else None


async def _factor(info: Info, key: UUID) -> SecondFactor | None:
    """Return a second factor, if the caller may see the customer's second factors."""
    caller = await info.context.caller()
    row = await info.context.load(second_factors.by_ids, key)
    return SecondFactor.of(row) if row and caller.may_see(row.customer_id) else None


async def _event(info: Info, key: UUID) -> AuditEvent | None:
    """Return an event, if the caller may read the audit."""
    if READ_AUDIT not in (await info.context.caller()).permissions:
        return None
    row = await info.context.load(audit.by_ids, key)
    return AuditEvent.of(row) if row else None


OURS: Final = (
    NodeKind(Customer, CustomerRow.id, load_customer),
    NodeKind(Session, SessionRow.id, _session),
    NodeKind(AuditEvent, AuditRow.id, _event),
    NodeKind(SecondFactor, SecondFactorRow.id, _factor),
)
"""The built-in types that are nodes."""


@lru_cache
def _tables(further: Sequence[NodeKind[Info]]) -> NodeTables[Info]:
    return NodeTables((*OURS, *further))
