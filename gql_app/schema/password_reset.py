"""Password resets: a new password for whoever has the old one no more."""

from typing import Final

import strawberry

from gql_app.accounts import password_reset
from gql_app.accounts.audit import Action
from gql_app.accounts.records import CustomerRecord
from gql_app.errors import Fault, Rejected, UserErrorCode
from gql_app.lib.fair_queue import Party
from gql_app.schema.context import Context, Info
from gql_app.schema.payloads import StatusPayload
from gql_app.schema.profile import checked_password, new_hash

_NO_MAIL: Final = Fault(
    UserErrorCode.MAIL_NOT_SET_UP,
    "Mail is not set up on this server, so no link can be sent. Ask an admin.",
)


@strawberry.type
class PasswordResetMutation:
    """Asking for a link, and using it."""

    @strawberry.mutation(
        description="Sends a link to reset a password, good for one use within 30 minutes. The "
        "same answer, in the same time, whether or not the address is known."
    )
    async def request_password_reset(self, info: Info, email: str) -> StatusPayload:
        """Post a letter, which leaves after the commit."""
        context, resources = info.context, info.context.resources
        if not resources.mailer.open:
            return StatusPayload.rejected(context, Rejected(_NO_MAIL))
        try:
            limits = resources.throttle.of_client("reset", context.origin.ip_address)
            await context.require_room(*limits)
            await context.write(
                password_reset.request, email, resources.throttle, origin=context.origin
            )
        except Rejected as why:
            return StatusPayload.rejected(context, why)
        return StatusPayload.success(
            "If there is an account with this address, a letter with a link is on its way."
        )

    @strawberry.mutation(
        description="Sets a new password with the token of a letter's link, which works once, "
        "and ends every session."
    )
    async def reset_password(self, info: Info, token: str, new_password: str) -> StatusPayload:
        """Set a new password of whose link it is."""
        context, resources = info.context, info.context.resources
        try:
            customer = await _owner(context, token)
            secret = checked_password(new_password, customer, resources.rules.service)
            party = Party.of(context.origin.ip_address, customer.id)
            hashed = await new_hash(context, secret, customer, party)
            await context.write(
                password_reset.reset,
                token,
                resources.throttle,
                password_hash=hashed,
                origin=context.origin,
            )
        except Rejected as why:
            return StatusPayload.rejected(context, why)
        return StatusPayload.success(context.done("Your password is set. Sign in with it."))


async def _owner(context: Context, token: str) -> CustomerRecord:
    """Return whose link it is; guesses are counted. Raises Rejected."""
    if not password_reset.may_be_token(token):
        raise Rejected(password_reset.SPENT_LINK)
    throttle = context.resources.throttle
    limits = throttle.of_client("reset with", context.origin.ip_address)
    await context.require_room(*limits)
    customer = await password_reset.resettable(context.db, token)
    if customer is None:
        await context.write(throttle.count, *limits)
        context.guessed(Action.RESET_REFUSED)
        raise Rejected(password_reset.SPENT_LINK)
    return customer
