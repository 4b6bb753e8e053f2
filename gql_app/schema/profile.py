"""The profile: what signed-in customers change about themselves."""

from contextlib import nullcontext
from dataclasses import field, replace

import strawberry

from gql_app.accounts import authentication, customers, validation
from gql_app.accounts.audit import Action
from gql_app.accounts.callers import Authority
from gql_app.accounts.records import CustomerRecord
from gql_app.accounts.sessions import SignedIn
from gql_app.errors import Fault, Rejected, UserErrorCode
from gql_app.lib.rate_limits import Limit
from gql_app.mail import email_change
from gql_app.schema.authentication import LoginPayload
from gql_app.schema.context import Context, Info, or_null
from gql_app.schema.customers import CustomerPayload
from gql_app.schema.inputs import Input
from gql_app.schema.payloads import StatusPayload, mutation
from gql_app.schema.permissions import IsAuthenticated, IsRecentlyAuthenticated


@strawberry.input
class UpdateMeInput(Input):
    """What to change about the caller."""

    name: str | None = strawberry.UNSET
    phone: str | None = strawberry.UNSET
    email: str | None = strawberry.UNSET
    current_password: str | None = field(default=strawberry.UNSET, repr=False)
    locale: str | None = strawberry.UNSET


@strawberry.type
class ProfileMutation:
    """What signed-in customers change about themselves."""

    @mutation(CustomerPayload, IsAuthenticated)
    async def update_me(self, info: Info, input: UpdateMeInput) -> CustomerPayload | None:
        """Change the caller; a new e-mail address needs the current password."""
        context, me = info.context, await info.context.signed_in()
        origin, new = context.origin.by(me.customer.id), input.provided()
        password = new.pop("current_password", None)
        rules = context.resources.rules
        changes = await input.checked(validation.check_changes, me.customer, new, rules)
        moves = "email" in changes.values
        authority = await change_authority(context, me, "access" if moves else "change")
        async with context.limit_taken_answers(me.customer.id) if moves else nullcontext():
            if moves:
                await context.require_recent()
                authority = await _prove(context, authority, password)
            customer = await context.write_as(
                authority,
                input.saving(context, email_change.update),
                me.customer.id,
                changes,
                origin=origin,
                waits=context.resources.verification != "off",
                reports_taken=context.resources.verification != "require",
            )
        return CustomerPayload.of(context, me, customer, "Your profile is up to date.", changes)

    @mutation(LoginPayload, IsRecentlyAuthenticated)
    async def change_password(
        self, info: Info, current_password: str | None = strawberry.UNSET, *, new_password: str
    ) -> LoginPayload | None:
        """Set the caller's password, whether or not there is one already."""
        context, me = info.context, await info.context.signed_in()
        origin, customer = context.origin.by(me.customer.id), me.customer
        secret = validation.check_new_password(new_password, customer, context.resources.rules)
        authority = await change_authority(context, me, "access")
        authority = await _prove(context, authority, or_null(current_password))
        hashed = await new_hash(context, secret, customer)
        opened = await context.write_as(
            authority,
            customers.change_password,
            customer,
            me.session,
            context.resources.lifetimes,
            password_hash=hashed,
            origin=origin,
        )
        message = context.with_note("Your password is changed.")
        return await LoginPayload.of(context, opened, message)

    @mutation(StatusPayload, IsRecentlyAuthenticated)
    async def delete_me(
        self, info: Info, password: str | None = strawberry.UNSET
    ) -> StatusPayload | None:
        """Delete the caller."""
        context, me = info.context, await info.context.signed_in()
        origin = context.origin.by(me.customer.id)
        authority = Authority(me, may_remove_admin=True)
        authority = await _prove(context, authority, or_null(password), field="password")
        try:
            await context.write_as(authority, customers.delete, me.customer.id, origin=origin)
        except Rejected as why:  # the input has no id
            without_field = (
                replace(each, field=None) if each.field == "id" else each for each in why.faults
            )
            raise Rejected(*without_field) from None
        return StatusPayload.success("Your account is gone.")


async def change_authority(context: Context, me: SignedIn, kind: str, *further: Limit) -> Authority:
    """Return the authority to change the caller's own account. Raises TooManyAttempts.

    It is for "access" or another "change", whose limits are apart: a stolen token alone does not
    use up that of access. Further limits are checked as well, and counted by the rule.
    """
    throttle = context.resources.throttle
    limit = throttle.of_account(kind, me.customer.id)
    await throttle.require_room(context.db, limit, *further)
    return Authority(me, limit=limit)


async def new_hash(context: Context, secret: str, customer: CustomerRecord) -> str:
    """Return the hash of a new password. Raises Rejected if it is the current one, or refused."""
    passwords, rules = context.resources.passwords, context.resources.rules
    await rules.accept_password(secret, customer.person, field="new_password")
    party = context.origin.by(customer.id).party
    if customer.has_password and await passwords.verify(secret, customer.password_hash, party):
        message = "This is your password already. Choose another."
        raise Rejected(Fault(UserErrorCode.INVALID, message, "new_password"))
    return await passwords.hash(secret, party)


async def _prove(
    context: Context,
    authority: Authority,
    password: str | None,
    *,
    field: str = "current_password",
) -> Authority:
    """Return the authority of a caller whose password is right, if they have one. Raises Rejected.

    It requires a recent proof of identity, too.
    """
    authority = replace(authority, recent=True)
    if not authority.me.customer.has_password:
        return replace(authority, password_field=field)
    return await prove_password(context, authority, password, field=field)


async def prove_password(
    context: Context, authority: Authority, password: str | None, *, field: str
) -> Authority:
    """Return the authority of a caller whose password is right. Raises Rejected."""
    me, resources = authority.me, context.resources
    typed = authentication.check_typed(password, field, what="your current password")
    context.shield()
    attempt = await authentication.check_own_password(
        context.db,
        resources.passwords,
        resources.throttle,
        me.customer,
        typed,
        origin=context.origin,
    )
    unproven = Authority(me, enrols=authority.enrols)
    await context.write_as(unproven, authentication.settle, resources.throttle, attempt)
    if not attempt.succeeded:
        context.note_guess(Action.PROOF_FAILED, me.customer.id)
        raise Rejected(authentication.wrong_password(field))
    return replace(authority, password_field=field)
