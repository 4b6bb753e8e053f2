"""Administration: admins create, change and delete customers."""

from dataclasses import field

import strawberry

from gql_app.accounts import customers, validation
from gql_app.accounts.callers import admin_authority, check_permissions
from gql_app.accounts.permissions import WRITE_CUSTOMERS, role_text
from gql_app.accounts.records import Person
from gql_app.lib.clock import parse_id
from gql_app.mail import email_change
from gql_app.schema.context import NOBODY, Info
from gql_app.schema.customers import CustomerPayload
from gql_app.schema.inputs import Input
from gql_app.schema.payloads import Payload, mutation
from gql_app.schema.permissions import RECENT, IsAdmin
from gql_app.security.passwords import NO_PASSWORD


@strawberry.input
class CreateCustomerInput(Input):
    """A new customer."""

    name: str
    email: str
    password: str | None = field(default=strawberry.UNSET, repr=False)
    phone: str | None = strawberry.UNSET
    is_admin: bool = False
    roles: list[str] | None = strawberry.UNSET
    locale: str | None = strawberry.UNSET


@strawberry.input
class UpdateCustomerInput(Input):
    """What to change about a customer."""

    name: str | None = strawberry.UNSET
    phone: str | None = strawberry.UNSET
    email: str | None = strawberry.UNSET
    is_admin: bool | None = strawberry.UNSET
    is_active: bool | None = strawberry.UNSET
    password: str | None = field(default=strawberry.UNSET, repr=False)
    roles: list[str] | None = strawberry.UNSET
    locale: str | None = strawberry.UNSET


@strawberry.type
class DeleteCustomerPayload(Payload):
    """The answer to a deletion, with the id of the deleted customer."""

    deleted_id: strawberry.ID | None = None


@strawberry.type
class AdministrationMutation:
    """Mutations of customers by admins."""

    @mutation(CustomerPayload, IsAdmin(WRITE_CUSTOMERS), RECENT)
    async def create_customer(
        self, info: Info, input: CreateCustomerInput
    ) -> CustomerPayload | None:
        """Add a customer."""
        context, me = info.context, await info.context.signed_in()
        origin = context.origin.by(me.customer.id)
        rules = context.resources.rules
        new = await input.checked(validation.check_new, **input.provided(), rules=rules)
        hashed = NO_PASSWORD
        if new.password:
            await rules.accept_password(new.password, Person(new.name, new.email))
            hashed = await context.resources.passwords.hash(new.password, origin.party)
        customer = await context.write_as(
            admin_authority(me, grants=role_text(new.roles)),
            input.saving(context, customers.create),
            new,
            password_hash=hashed,
            origin=origin,
        )
        return CustomerPayload.of(context, me, customer, f"{customer.name} is now a customer.")

    @mutation(CustomerPayload, IsAdmin(WRITE_CUSTOMERS), RECENT)
    async def update_customer(
        self, info: Info, id: strawberry.ID, input: UpdateCustomerInput
    ) -> CustomerPayload | None:
        """Change a customer."""
        context, me = info.context, await info.context.signed_in()
        origin = context.origin.by(me.customer.id)
        customer_id, new = parse_id(id) or NOBODY, input.provided()
        customers.refuse_own(customer_id, new, by=me.customer.id)
        current = await customers.by_id(context.db, customer_id)
        if current is None:
            raise customers.not_found()
        rules, hashed = context.resources.rules, None
        if "password" in new:  # which is compared with the address
            asked = admin_authority(me, targets=(customer_id,), changes_access=True)
            await check_permissions(context.db, asked, context.roles)
        blind = not me.caller(context.roles).may_see(customer_id)
        changes = await input.checked(validation.check_changes, current, new, rules, blind=blind)
        if changes.password is not None:
            await rules.accept_password(changes.password, changes.person(current))
            hashed = await context.resources.passwords.hash(changes.password, origin.party)
        authority = admin_authority(
            me,
            targets=(customer_id,),
            changes_access=changes.access,
            grants=role_text(changes.roles_after(frozenset())),
            may_remove_admin=changes.may_remove_admin,
        )
        customer = await context.write_as(
            authority,
            input.saving(context, email_change.update),
            customer_id,
            changes,
            password_hash=hashed,
            origin=origin,
            waits=context.resources.verification != "off",
        )
        message = f"{customer.name} is up to date."
        return CustomerPayload.of(context, me, customer, message, changes)

    @mutation(DeleteCustomerPayload, IsAdmin(WRITE_CUSTOMERS), RECENT)
    async def delete_customer(self, info: Info, id: strawberry.ID) -> DeleteCustomerPayload | None:
        """Delete a customer."""
        context, me = info.context, await info.context.signed_in()
        origin = context.origin.by(me.customer.id)
        customer_id = parse_id(id) or NOBODY
        customers.refuse_own(customer_id, ["id"], by=me.customer.id)
        authority = admin_authority(
            me, targets=(customer_id,), changes_access=True, may_remove_admin=True
        )
        await context.write_as(authority, customers.delete, customer_id, origin=origin)
        deleted = strawberry.ID(str(customer_id))
        return DeleteCustomerPayload.success("The customer is gone.", deleted_id=deleted)
