"""Sessions: where a customer is signed in, and signing out."""

from datetime import datetime
from typing import Self
from uuid import UUID

import strawberry

from gql_app.accounts import sessions
from gql_app.accounts.audit import Action
from gql_app.accounts.records import AnySession
from gql_app.errors import Fault, Rejected, UserErrorCode
from gql_app.schema.context import Info
from gql_app.schema.payloads import StatusPayload
from gql_app.schema.permissions import authenticated
from gql_app.security.ids import parse_id


@strawberry.type(description="A sign-in that is still good.")
class Session:
    """A sign-in that is still good."""

    id: strawberry.ID
    created_at: datetime
    last_used_at: datetime = strawberry.field(description="To the minute.")
    expires_at: datetime
    ip_address: str | None = strawberry.field(description="Where it was signed in from.")
    user_agent: str | None = strawberry.field(description="The program it was signed in with.")
    is_current: bool = strawberry.field(description="Whether this request is of this session.")

    @classmethod
    def of(cls, row: AnySession, *, current_id: UUID) -> Self:
        """Show a session to its customer or an admin."""
        return cls(
            id=strawberry.ID(str(row.id)),
            created_at=row.created_at,
            last_used_at=row.last_used_at,
            expires_at=row.expires_at,
            ip_address=row.ip_address,
            user_agent=row.user_agent,
            is_current=row.id == current_id,
        )


@strawberry.type
class SessionMutation:
    """Ending sessions."""

    @strawberry.mutation(
        description="Ends this session: its token is refused from now on.",
        extensions=[authenticated()],
    )
    async def logout(self, info: Info) -> StatusPayload | None:
        """End the caller's session."""
        caller, origin = await info.context.caller(), await info.context.by_caller()
        await info.context.write(
            sessions.end,
            caller.session_id,
            of=caller.customer_id,
            origin=origin,
            action=Action.LOGOUT,
        )
        return StatusPayload.success("You are signed out.")

    @strawberry.mutation(
        description="Ends one of the caller's sessions; admins end anybody's.",
        extensions=[authenticated()],
    )
    async def end_session(self, info: Info, id: strawberry.ID) -> StatusPayload | None:
        """End a session; another's is as unknown as one that never was."""
        caller, origin = await info.context.caller(), await info.context.by_caller()
        session_id = parse_id(id)
        whose = None if caller.is_admin else caller.customer_id
        ended = session_id is not None and await info.context.write(
            sessions.end, session_id, of=whose, origin=origin
        )
        if ended:
            return StatusPayload.success("The session has ended.")
        unknown = Fault(UserErrorCode.NOT_FOUND, "There is no such session.", "id")
        return StatusPayload.rejected(info.context, Rejected(unknown))

    @strawberry.mutation(
        description="Ends every session of the caller but this one.",
        extensions=[authenticated()],
    )
    async def end_other_sessions(self, info: Info) -> StatusPayload | None:
        """End the caller's other sessions."""
        caller, origin = await info.context.caller(), await info.context.by_caller()
        count = await info.context.write(
            sessions.end_others, caller.session_id, of=caller.customer_id, origin=origin
        )
        return StatusPayload.success(f"{count} other sessions have ended.")
