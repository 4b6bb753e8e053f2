"""The profile: what customers change about themselves, signed in or by a link in a letter."""

from contextlib import nullcontext
from dataclasses import replace
from typing import Final
from uuid import UUID

import strawberry

from gql_app.accounts import authentication, customers, password_reset, validation
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.callers import Authority
from gql_app.accounts.records import CustomerRecord
from gql_app.accounts.sessions import SignedIn
from gql_app.errors import Fault, Rejected, UserErrorCode
from gql_app.lib.database import Transaction
from gql_app.lib.fair_queue import Party
from gql_app.lib.throttling import Limit
from gql_app.schema.authentication import LoginPayload
from gql_app.schema.context import Context, Info
from gql_app.schema.customers import Customer, CustomerPayload
from gql_app.schema.payloads import StatusPayload
from gql_app.schema.permissions import authenticated
from gql_app.security.passwords import check_new_password

_NO_MAIL: Final = Fault(
    UserErrorCode.MAIL_NOT_SET_UP,
    "Mail is not set up on this server, so no link can be sent. Ask an admin.",
)


@strawberry.input(description="What is left out stays as it is.")
class UpdateMeInput:
    """What to change about oneself."""

    name: str | None = strawberry.UNSET
    phone: str | None = strawberry.field(description="null clears it.", default=strawberry.UNSET)
    email: str | None = strawberry.field(
        description="A new one needs the current password.", default=strawberry.UNSET
    )
    current_password: str | None = strawberry.UNSET

    def changes(self) -> dict[str, str | bool | None]:
        """Return what is to change by the field's name; null is a value, too."""
        return {
            name: value
            for name, value in vars(self).items()
            if value is not strawberry.UNSET and name != "current_password"
        }


@strawberry.type
class ProfileMutation:
    """What signed-in customers change about themselves."""

    @strawberry.mutation(
        description="Changes one's own name, phone or e-mail address.",
        extensions=[authenticated()],
    )
    async def update_me(self, info: Info, input: UpdateMeInput) -> CustomerPayload | None:
        """Change the caller; a new e-mail address needs the current password."""
        context, me = info.context, await info.context.signed_in()
        throttle, origin = context.resources.throttle, await context.by_caller()
        try:
            rules = context.resources.rules
            changes = validation.check_changes(me.customer, input.changes(), rules)
            limit = await _room_to_change(context, me.customer)
            authority, moves = Authority(me), "email" in changes.values
            answers = throttle.of_taken(origin.ip_address, me.customer.id)
            telling = context.limited(answers, code=UserErrorCode.TAKEN)
            async with telling if moves else nullcontext():
                if moves:
                    authority = await _prove(context, me, input.current_password or None)
                customer = await context.write_as(
                    authority,
                    throttle.limited,
                    [limit],
                    customers.update,
                    me.customer.id,
                    changes,
                    origin=origin,
                )
        except Rejected as why:
            return CustomerPayload.rejected(context, why)
        payload = CustomerPayload.success(context.done("Your profile is up to date."))
        payload.customer = Customer.seen_by(SignedIn(customer, me.session).caller, customer)
        return payload

    @strawberry.mutation(
        description="Ends every session, this one too, and opens a new one: its tokens are "
        "answered.",
        extensions=[authenticated()],
    )
    async def change_password(
        self, info: Info, current_password: str, new_password: str
    ) -> LoginPayload | None:
        """Set a new password of the caller's."""
        context, me = info.context, await info.context.signed_in()
        origin, customer = await context.by_caller(), me.customer
        try:
            secret = _checked_password(new_password, customer, context.resources.rules.service)
            limit = await _room_to_change(context, customer)
            authority = await _prove(context, me, current_password)
            hashed = await _new_hash(context, secret, customer, origin.party)
            opened = await context.write_as(
                authority,
                context.resources.throttle.limited,
                [limit],
                customers.change_password,
                customer,
                context.resources.lifetimes,
                password_hash=hashed,
                origin=origin,
            )
        except Rejected as why:
            return LoginPayload.rejected(context, why)
        message = context.done("Your password is changed.")
        return LoginPayload.signed_in(context, customer, opened, message)

    @strawberry.mutation(
        description="Removes oneself, with the password. The last active admin stays.",
        extensions=[authenticated()],
    )
    async def delete_me(self, info: Info, password: str) -> StatusPayload | None:
        """Delete the caller."""
        context, me = info.context, await info.context.signed_in()
        origin = await context.by_caller()
        try:
            proven = await _prove(context, me, password, field="password")
            authority = replace(proven, unseats=True)
            await context.write_as(authority, _delete_oneself, me.customer.id, origin=origin)
        except Rejected as why:
            return StatusPayload.rejected(context, why)
        return StatusPayload.success("Your account is gone.")


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
            secret = _checked_password(new_password, customer, resources.rules.service)
            party = Party.of(context.origin.ip_address, customer.id)
            hashed = await _new_hash(context, secret, customer, party)
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


def _checked_password(new_password: str, customer: CustomerRecord, service: str) -> str:
    """Return the normal form of a new password. Raises Rejected if it is a bad one."""
    secret = check_new_password(
        new_password, email=customer.email, name=customer.name, service=service
    )
    if isinstance(secret, Fault):
        raise Rejected(replace(secret, field="new_password"))
    return secret


async def _delete_oneself(db: Transaction, customer_id: UUID, *, origin: Origin) -> None:
    """Delete the caller. Raises Rejected, about no field, for the input has no id."""
    try:
        await customers.delete(db, customer_id, origin=origin)
    except Rejected as why:
        raise Rejected(*(replace(fault, field=None) for fault in why.faults)) from None


async def _room_to_change(context: Context, customer: CustomerRecord) -> Limit:
    """Return the limit that a change of oneself counts against. Raises TooManyAttempts."""
    limit = context.resources.throttle.of_account("change", customer.id)
    await context.require_room(limit)
    return limit


async def _new_hash(context: Context, secret: str, customer: CustomerRecord, party: Party) -> str:
    """Return the hash of a new password. Raises Rejected if it is the one in force."""
    passwords = context.resources.passwords
    if await passwords.verify(secret, customer.password_hash, party):
        message = "This is your password already. Choose another."
        raise Rejected(Fault(UserErrorCode.INVALID, message, "new_password"))
    return await passwords.hash(secret, party)


async def _prove(
    context: Context,
    me: SignedIn,
    password: str | None,
    *,
    field: str = "current_password",
) -> Authority:
    """Return the authority of a caller whose password is right. Raises Rejected."""
    if password is None:
        message = "Give your current password to change this."
        raise Rejected(Fault(UserErrorCode.REQUIRED, message, field))
    resources = context.resources
    context.shield()
    attempt = await authentication.prove(
        context.db,
        resources.passwords,
        resources.throttle,
        me.customer,
        password,
        origin=context.origin,
    )
    await context.write_as(Authority(me), authentication.settle, resources.throttle, attempt)
    if not attempt.proven:
        context.guessed(Action.PROOF_FAILED, me.customer.id)
        raise Rejected(authentication.wrong_password(field))
    return Authority(me, proven=field)


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
