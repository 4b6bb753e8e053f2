"""Administration: what admins do to customers."""

import strawberry

from gql_app.accounts import customers, validation
from gql_app.accounts.callers import Authority
from gql_app.lib.clock import parse_id
from gql_app.schema.context import NOBODY, Info, admin
from gql_app.schema.customers import Customer, CustomerPayload, provided
from gql_app.schema.payloads import StatusPayload, mutation


@strawberry.input
class CreateCustomerInput:
    """A customer to be."""

    name: str = strawberry.field(description="1 to 200 characters.")
    email: str
    password: str = strawberry.field(
        description="10 to 200 characters, not a common one, and without their name or address."
    )
    phone: str | None = strawberry.UNSET
    is_admin: bool = False


@strawberry.input(description="What is left out stays as it is.")
class UpdateCustomerInput:
    """What to change about a customer."""

    name: str | None = strawberry.UNSET
    phone: str | None = strawberry.field(description="null clears it.", default=strawberry.UNSET)
    email: str | None = strawberry.UNSET
    is_admin: bool | None = strawberry.UNSET
    is_active: bool | None = strawberry.field(
        description="false ends all of the customer's sessions.", default=strawberry.UNSET
    )
    password: str | None = strawberry.field(
        description="Ends all of the customer's sessions.", default=strawberry.UNSET
    )


@strawberry.type
class AdministrationMutation:
    """Writing customers, which admins do."""

    @mutation(CustomerPayload, "Adds a customer.", admin())
    async def create_customer(
        self, info: Info, input: CreateCustomerInput
    ) -> CustomerPayload | None:
        """Add a customer."""
        context, me = info.context, await info.context.signed_in()
        origin = await context.by_caller()
        new = validation.check_new(**provided(input), rules=context.resources.rules)
        hashed = await context.resources.passwords.hash(new.password, origin.party)
        customer = await context.write_as(
            Authority(me, admin=True),
            customers.create,
            new,
            password_hash=hashed,
            origin=origin,
        )
        return CustomerPayload.success(
            f"{customer.name} is now a customer.", customer=Customer.seen_by(me.caller, customer)
        )

    @mutation(
        CustomerPayload,
        "Changes a customer, but not one's own e-mail address or password. The last "
        "active admin stays one.",
        admin(),
    )
    async def update_customer(
        self, info: Info, id: strawberry.ID, input: UpdateCustomerInput
    ) -> CustomerPayload | None:
        """Change a customer."""
        context, me = info.context, await info.context.signed_in()
        origin = await context.by_caller()
        customer_id, new = parse_id(id) or NOBODY, provided(input)
        customers.refuse_own(customer_id, new, by=me.customer.id)
        current = await customers.by_id(context.db, customer_id)
        if current is None:
            raise customers.not_found()
        changes = validation.check_changes(current, new, context.resources.rules)
        hashed = changes.password and await context.resources.passwords.hash(
            changes.password, origin.party
        )
        customer = await context.write_as(
            Authority(me, admin=True, targets=(customer_id,), unseats=changes.may_remove_admin),
            customers.update,
            customer_id,
            changes,
            password_hash=hashed,
            origin=origin,
        )
        message = context.done(f"{customer.name} is up to date.")
        return CustomerPayload.success(message, customer=Customer.seen_by(me.caller, customer))

    @mutation(
        StatusPayload,
        "Removes a customer and ends their sessions, but not oneself. The last active admin stays.",
        admin(),
    )
    async def delete_customer(self, info: Info, id: strawberry.ID) -> StatusPayload | None:
        """Delete a customer."""
        me, origin = await info.context.signed_in(), await info.context.by_caller()
        customer_id = parse_id(id) or NOBODY
        customers.refuse_own(customer_id, ["id"], by=me.customer.id)
        authority = Authority(me, admin=True, targets=(customer_id,), unseats=True)
        await info.context.write_as(authority, customers.delete, customer_id, origin=origin)
        return StatusPayload.success("The customer is gone.")
