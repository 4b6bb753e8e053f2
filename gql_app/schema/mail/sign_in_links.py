"""Sign-in by link: requesting one, and using it."""

from typing import Final

import strawberry

from gql_app.accounts.mail.links import LinkKind
from gql_app.errors import Fault, Rejected, UserErrorCode
from gql_app.mail import access_links
from gql_app.schema.authentication import LoginPayload
from gql_app.schema.context import Context, Info
from gql_app.schema.mail.links import link_owner
from gql_app.schema.payloads import StatusPayload, mutation
from gql_app.security.tokens import ENROLMENT

_NOT_ENABLED: Final = Fault(
    UserErrorCode.NOT_ENABLED, "This server sends no links to sign in. Sign in another way."
)


@strawberry.type
class SignInLinkMutation:
    """Requesting a link, and using it."""

    @mutation(StatusPayload)
    async def request_sign_in_link(self, info: Info, email: str) -> StatusPayload:
        """Queue a letter, which is sent after the commit."""
        context, throttle = info.context, info.context.resources.throttle
        _require_enabled(context)
        origin = context.origin
        await throttle.require_room(context.db, *throttle.of_client("link", origin.ip_address))
        kind = LinkKind.SIGN_IN
        await context.transact(access_links.request, kind, email, throttle, origin=origin)
        return StatusPayload.success(
            "If there is an account with this address, a letter with a link is on its way."
        )

    @mutation(LoginPayload)
    async def sign_in_by_link(self, info: Info, token: str) -> LoginPayload:
        """Open a session for the link's owner."""
        context, resources = info.context, info.context.resources
        kind = LinkKind.ENROLMENT if token.startswith(ENROLMENT) else LinkKind.SIGN_IN
        if kind is LinkKind.SIGN_IN:
            _require_enabled(context)
        await link_owner(context, kind, token)
        opened = await context.transact(
            access_links.sign_in,
            kind,
            token,
            resources.throttle,
            resources.lifetimes,
            origin=context.origin,
        )
        return await LoginPayload.of(context, opened)


def _require_enabled(context: Context) -> None:
    """Raise Rejected if this server sends no such links."""
    if not context.resources.settings.sign_in_links:
        raise Rejected(_NOT_ENABLED)
