"""The profile: what signed-in customers change about themselves."""

from dataclasses import replace

import strawberry

from gql_app.accounts import checks, credentials, customers
from gql_app.accounts.callers import SignedIn
from gql_app.accounts.records import AnyCustomer
from gql_app.errors import Fault, Rejected, UserErrorCode
from gql_app.schema.context import Context, Info
from gql_app.schema.credentials import LoginPayload
from gql_app.schema.customers import Customer, CustomerPayload
from gql_app.schema.payloads import StatusPayload
from gql_app.schema.permissions import authenticated
from gql_app.security import passwords


@strawberry.input(description="What is left out stays as it is.")
class UpdateMeInput:
    """What to change about oneself."""

    name: str | None = strawberry.UNSET
    phone: str | None = strawberry.field(description="null clears it.", default=strawberry.UNSET)
    email: str | None = strawberry.field(
        description="A new one needs the current password.", default=strawberry.UNSET
    )
    current_password: str | None = strawberry.UNSET

    def given(self) -> dict[str, str | bool | None]:
        """Tell what is to change; null is something given, too."""
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
        """Check, prove a new e-mail address by the password, and change."""
        context, me = info.context, await info.context.signed_in()
        origin = await context.by_caller()
        try:
            changes = checks.check_changes(me.customer, input.given())
            if changes.values.get("email", me.customer.email) != me.customer.email:
                await _prove(context, me.customer, input.current_password or None)
            row = await context.write(customers.update, me.customer.id, changes, origin=origin)
        except Rejected as why:
            return CustomerPayload.rejected(context, why)
        payload = CustomerPayload.success(context.done("Your profile is up to date."))
        payload.customer = Customer.seen_by(SignedIn(row, me.session).caller, row)
        return payload

    @strawberry.mutation(
        description="Ends every session, this one too, and opens a new one: its tokens are "
        "answered.",
        extensions=[authenticated()],
    )
    async def change_password(
        self, info: Info, current_password: str, new_password: str
    ) -> LoginPayload | None:
        """Prove the old password, judge and set the new one."""
        context, customer = info.context, (await info.context.signed_in()).customer
        origin = await context.by_caller()
        try:
            secret = judged(new_password, customer)
            await _prove(context, customer, current_password)
            hashed = await context.resources.passwords.hash(secret)
            opened = await context.write(
                credentials.change_password,
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
        """Prove the password, and remove the caller."""
        context, customer = info.context, (await info.context.signed_in()).customer
        origin = await context.by_caller()
        try:
            await _prove(context, customer, password, field="password")
            await context.write(credentials.delete_oneself, customer, origin=origin)
        except Rejected as why:
            return StatusPayload.rejected(context, why)
        return StatusPayload.success("Your account is gone.")


def judged(new_password: str, customer: AnyCustomer) -> str:
    """Judge a new password, and tell its normal form. Raises Rejected."""
    secret = passwords.normalise(new_password)
    fault = passwords.judge(secret, email=customer.email, name=customer.name)
    if fault:
        raise Rejected(replace(fault, field="new_password"))
    return secret


async def _prove(
    context: Context,
    customer: AnyCustomer,
    password: str | None,
    *,
    field: str = "current_password",
) -> None:
    """Have the caller prove who they are. Raises Rejected, and TooManyAttempts in time."""
    if password is None:
        message = "Give your current password to change this."
        raise Rejected(Fault(UserErrorCode.REQUIRED, message, field))
    resources, context.unbroken = context.resources, True
    proven = await credentials.prove(
        context.read, resources.passwords, resources.throttle, customer, password
    )
    limit = credentials.proof_limit(resources.throttle, customer)
    await context.write(credentials.settle, resources.throttle, limit, proven=proven)
    if not proven:
        raise Rejected(credentials.wrong_password(field))
