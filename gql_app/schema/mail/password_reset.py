"""Password reset: a link in a letter, by which a new password is set."""

import strawberry

from gql_app.accounts import validation
from gql_app.accounts.mail.links import LinkKind
from gql_app.errors import Rejected
from gql_app.mail import access_links
from gql_app.schema.context import Info
from gql_app.schema.mail.links import NO_MAIL, link_owner
from gql_app.schema.payloads import StatusPayload, mutation
from gql_app.schema.profile import new_hash


@strawberry.type
class PasswordResetMutation:
    """Requesting a link, and using it."""

    @mutation(StatusPayload)
    async def request_password_reset(self, info: Info, email: str) -> StatusPayload:
        """Queue a letter, which is sent after the commit."""
        context, resources = info.context, info.context.resources
        if not resources.mailer.open:
            raise Rejected(NO_MAIL)
        throttle, origin = resources.throttle, context.origin
        await throttle.require_room(context.db, *throttle.of_client("reset", origin.ip_address))
        kind = LinkKind.PASSWORD_RESET
        await context.transact(access_links.request, kind, email, throttle, origin=origin)
        return StatusPayload.success(
            "If there is an account with this address, a letter with a link is on its way."
        )

    @mutation(StatusPayload)
    async def reset_password(
        self,
        info: Info,
        token: str,
        new_password: str,
    ) -> StatusPayload:
        """Set a new password for the link's owner."""
        context, resources = info.context, info.context.resources
        customer = await link_owner(context, LinkKind.PASSWORD_RESET, token)
        secret = validation.check_new_password(new_password, customer, resources.rules)
        hashed = await new_hash(context, secret, customer)
        await context.transact(
            access_links.reset,
            token,
            resources.throttle,
            password_hash=hashed,
            origin=context.origin,
        )
        return StatusPayload.success(context.with_note("Your password is set. Sign in with it."))
