"""Sessions: those of a customer, ending them, and the state of a request's token."""

from datetime import datetime
from typing import Self
from uuid import UUID

import strawberry

from gql_app.accounts import sessions
from gql_app.accounts.audit import Action
from gql_app.accounts.callers import Authority
from gql_app.accounts.permissions import END_SESSIONS
from gql_app.accounts.records import SessionRecord
from gql_app.errors import (
    AdminRequired,
    Fault,
    Rejected,
    TokenExpired,
    TokenReason,
    Unauthenticated,
    UserErrorCode,
)
from gql_app.lib.clock import parse_id
from gql_app.lib.text import counted
from gql_app.schema.context import NOBODY, Info, or_null
from gql_app.schema.payloads import StatusPayload, mutation
from gql_app.schema.permissions import IsAuthenticated
from gql_app.schema.types import Node
from gql_app.security.tokens import Claims, Identity

strawberry.enum(TokenReason)


@strawberry.type
class Session(Node):
    """A living session."""

    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    authenticated_at: datetime
    methods: list[str]
    ip_address: str | None
    user_agent: str | None
    is_current: bool

    @classmethod
    def of(cls, row: SessionRecord, *, current_id: UUID) -> Self:
        """Return a session, for its customer or an admin."""
        return cls(
            id=strawberry.ID(str(row.id)),
            created_at=row.created_at,
            last_used_at=row.last_used_at,
            expires_at=row.expires_at,
            authenticated_at=row.authenticated_at,
            methods=(row.methods or "").split(),
            ip_address=row.ip_address,
            user_agent=row.user_agent,
            is_current=row.id == current_id,
        )


@strawberry.type
class TokenReport:
    """The state of the token that came with a request."""

    valid: bool
    reason: TokenReason | None = None
    message: str
    issued_at: datetime | None = None
    expires_at: datetime | None = None
    key_id: str | None = None

    @classmethod
    def of(cls, presented: Identity | Exception | None, why: Unauthenticated | None) -> Self:
        """Return why a token is refused, or that it is valid.

        Its claims are shown only if it is genuine.
        """
        report = cls(
            valid=why is None,
            reason=why.reason if why else None,
            message=why.message if why else "The token is good.",
        )
        if isinstance(presented, Claims | TokenExpired):
            report.issued_at, report.expires_at = presented.issued_at, presented.expires_at
            report.key_id = presented.key_id
        return report


@strawberry.type
class TokenQuery:
    """Reading the state of the request's token."""

    @strawberry.field
    async def token(self, info: Info) -> TokenReport:
        """Return a report on the token, checked as by every protected field."""
        try:
            await info.context.caller(enrols=True)
        except Unauthenticated as why:
            return TokenReport.of(info.context.presented, why)
        return TokenReport.of(info.context.presented, None)


@strawberry.type
class SessionMutation:
    """Ending sessions."""

    @mutation(StatusPayload, IsAuthenticated(enrols=True))
    async def logout(self, info: Info) -> StatusPayload | None:
        """End the caller's session."""
        me = await info.context.signed_in(enrols=True)
        origin = info.context.origin.by(me.customer.id)
        await info.context.write_as(
            Authority(me, enrols=True),
            sessions.end,
            me.session.id,
            of=me.customer.id,
            origin=origin,
            action=Action.LOGOUT,
        )
        return StatusPayload.success("You are signed out.")

    @mutation(StatusPayload, IsAuthenticated)
    async def end_session(self, info: Info, id: strawberry.ID) -> StatusPayload | None:
        """End a session; without the permission, another customer's is NOT_FOUND."""
        me = await info.context.signed_in()
        origin = info.context.origin.by(me.customer.id)
        session_id, caller = parse_id(id) or NOBODY, await info.context.caller()
        ends_any = END_SESSIONS in caller.permissions
        whose = None if ends_any else me.customer.id
        [session] = await sessions.living_by_ids(info.context.db, [session_id])
        of_another = ends_any and session is not None and session.customer_id != me.customer.id
        if of_another:
            await info.context.require_recent()
        permissions = [END_SESSIONS] if ends_any else []
        authority = Authority(me, permissions=permissions, as_admin=True, recent=of_another)
        ended = await info.context.write_as(
            authority, sessions.end, session_id, of=whose, origin=origin
        )
        if not ended:
            raise Rejected(Fault(UserErrorCode.NOT_FOUND, "There is no such session.", "id"))
        return StatusPayload.success("The session has ended.")

    @mutation(StatusPayload, IsAuthenticated)
    async def end_other_sessions(self, info: Info) -> StatusPayload | None:
        """End the caller's other sessions."""
        me = await info.context.signed_in()
        origin = info.context.origin.by(me.customer.id)
        count = await info.context.write_as(
            Authority(me), sessions.end_others, me.session.id, of=me.customer.id, origin=origin
        )
        return StatusPayload.success(
            f"{counted(count, 'other session has', 'other sessions have')} ended."
        )

    @mutation(StatusPayload, IsAuthenticated)
    async def end_all_sessions(
        self,
        info: Info,
        customer_id: strawberry.ID | None = strawberry.UNSET,
    ) -> StatusPayload | None:
        """End all sessions of the caller or, with the permission, of another customer."""
        me = await info.context.signed_in()
        origin = info.context.origin.by(me.customer.id)
        given = or_null(customer_id)
        whose = me.customer.id if given is None else parse_id(given) or NOBODY
        needed = (END_SESSIONS,) if whose != me.customer.id else ()
        if needed and END_SESSIONS not in me.caller(info.context.roles).permissions:
            raise AdminRequired(END_SESSIONS)
        if needed:
            await info.context.require_recent()
        authority = Authority(
            me, permissions=needed, as_admin=True, targets=(whose,), recent=bool(needed)
        )
        count = await info.context.write_as(authority, sessions.end_all_of, whose, origin=origin)
        return StatusPayload.success(f"{counted(count, 'session has', 'sessions have')} ended.")
