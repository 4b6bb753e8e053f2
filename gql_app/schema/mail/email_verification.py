"""E-mail addresses: proving, declining and changing them, by links in letters."""

from functools import partial
from typing import Any, Final

import strawberry

from gql_app.accounts.callers import Authority
from gql_app.accounts.mail import links
from gql_app.errors import Refused, Rejected, UserErrorCode
from gql_app.mail import email_change, email_verification, registration_links
from gql_app.mail.registration_links import Save
from gql_app.schema.authentication import RegisterInput
from gql_app.schema.context import Info
from gql_app.schema.mail.links import NO_MAIL, find_by_token
from gql_app.schema.payloads import StatusPayload, mutation
from gql_app.schema.permissions import IsAuthenticated
from gql_app.security.tokens import UNDO, VERIFY


@strawberry.type
class EmailVerificationMutation:
    """Requesting, using and declining links that prove an address."""

    @mutation(StatusPayload, IsAuthenticated)
    async def request_email_verification(self, info: Info) -> StatusPayload | None:
        """Queue a letter to the caller's address that is to be proven."""
        context, me = info.context, await info.context.signed_in()
        origin, resources = context.origin.by(me.customer.id), context.resources
        if not resources.mailer.open:
            raise Rejected(NO_MAIL)
        throttle, client = resources.throttle, context.origin.ip_address
        limits = (
            throttle.of_account("link", me.customer.id),
            *throttle.of_client("link", client),
        )
        await throttle.require_room(context.db, *limits)
        customer = await context.write_as(
            Authority(me), email_verification.request, me.customer, throttle, *limits, origin=origin
        )
        waits = email_verification.is_waiting(customer)
        return StatusPayload.success(_ON_ITS_WAY if waits else _PROVEN_ALREADY)

    @mutation(StatusPayload)
    async def verify_email(self, info: Info, token: str) -> StatusPayload:
        """Prove the address that a link was sent to, and put it in force."""
        context, origin = info.context, info.context.origin
        found = await find_by_token(context, VERIFY, token, email_verification.described)
        if found.kind == "registration":
            return await _register(info, token)
        try:
            email = await context.transact(email_verification.verify, token, origin=origin)
        except Rejected as why:
            if isinstance(why, Refused) or UserErrorCode.TAKEN not in why.codes:
                raise
            await context.transact(email_change.abandon, token, origin=origin)
            raise Rejected(links.SPENT) from None
        return StatusPayload.success(f"{email} is confirmed.")

    @mutation(StatusPayload)
    async def decline_email(self, info: Info, token: str) -> StatusPayload:
        """Decline the account or change for the address that a link was sent to."""
        context, origin = info.context, info.context.origin
        found = await find_by_token(context, VERIFY, token, email_verification.described)
        if found.kind == "registration":
            if not await context.transact(registration_links.decline, token, origin=origin):
                raise Rejected(links.SPENT)
            return StatusPayload.success(_NOBODY)
        shut = await context.transact(email_verification.decline, token, origin=origin)
        return StatusPayload.success(_SHUT if shut else _NOT_CHANGED)

    @mutation(StatusPayload)
    async def undo_email_change(self, info: Info, token: str) -> StatusPayload:
        """Restore an account's previous address, and end all sessions."""
        context = info.context
        await find_by_token(context, UNDO, token, email_change.undoable)
        try:
            customer = await context.transact(email_change.undo, token, origin=context.origin)
        except Rejected as why:
            if isinstance(why, Refused) or UserErrorCode.TAKEN not in why.codes:
                raise
            raise Rejected(links.SPENT) from None
        advice = _RESET if customer.has_password else _SET_ANOTHER
        message = f"Your e-mail address is {customer.email} again, and every session was ended."
        return StatusPayload.success(context.with_note(f"{message} {advice}"))


async def _register(info: Info, token: str) -> StatusPayload:
    """Create the account of a registration, whose address is proven. Raises Rejected."""
    context = info.context
    customer = await context.transact(
        registration_links.complete,
        token,
        _saving_stored(info),
        context.resources.throttle,
        origin=context.origin,
    )
    if customer is None:
        raise Rejected(links.SPENT)
    message = (
        f"Welcome, {customer.name}: {customer.email} is confirmed. Sign in with your password."
    )
    return StatusPayload.success(message)


def _saving_stored(info: Info) -> Save:
    """Return what saves the stored fields of features once a customer has proven the address."""
    kind: Any = info.schema.get_type_by_name(RegisterInput.__name__)
    save: Save = partial(kind.origin.save_stored, info)
    return save


_ON_ITS_WAY: Final = "A letter with a link is on its way. Use the link to confirm your address."
_PROVEN_ALREADY: Final = "Your e-mail address is confirmed already, so no letter was sent."
_SHUT: Final = "Nobody can sign in to this account any more, and it has your address no longer."
_NOBODY: Final = "Nobody was registered with your address."
_NOT_CHANGED: Final = "Your address is used by nobody's account: the change was cancelled."
_RESET: Final = "If others may know your password, reset it now."
_SET_ANOTHER: Final = "There is no password any more: reset it to sign in."
