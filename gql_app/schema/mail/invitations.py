"""Invitations: accounts whose owners choose the password themselves."""

import strawberry

from gql_app.accounts import validation
from gql_app.accounts.callers import Authority
from gql_app.accounts.mail.links import LinkKind
from gql_app.accounts.permissions import READ_PRIVATE, WRITE_CUSTOMERS, role_text
from gql_app.errors import Rejected
from gql_app.mail import invitations, mailboxes
from gql_app.schema.authentication import LoginPayload
from gql_app.schema.context import Info
from gql_app.schema.customers import CustomerPayload
from gql_app.schema.inputs import Input
from gql_app.schema.mail.links import NO_MAIL, link_owner
from gql_app.schema.payloads import mutation
from gql_app.schema.permissions import RECENT, Permitted


@strawberry.input
class InviteCustomerInput(Input):
    """A new customer, who is sent a link."""

    name: str
    email: str
    phone: str | None = strawberry.UNSET
    locale: str | None = strawberry.UNSET
    roles: list[str] | None = strawberry.UNSET


@strawberry.type
class InvitationMutation:
    """Inviting customers, and accepting an invitation."""

    @mutation(CustomerPayload, Permitted(WRITE_CUSTOMERS), RECENT)
    async def invite_customer(
        self, info: Info, input: InviteCustomerInput
    ) -> CustomerPayload | None:
        """Add a customer without a password, or invite again one who has not accepted."""
        context, me = info.context, await info.context.signed_in()
        resources, origin = context.resources, context.origin.by(me.customer.id)
        if not resources.mailer.open:
            raise Rejected(NO_MAIL)
        throttle, given = resources.throttle, input.provided()
        limit = throttle.of_account("link", me.customer.id)
        clients = throttle.of_client("link", origin.ip_address)
        await throttle.require_room(context.db, limit, *clients)
        new = await input.checked(validation.check_new, **given, rules=resources.rules)
        current = await mailboxes.by_email(context.db, new.email)
        again = current if current and invitations.awaits_invitation(current) else None
        kept = {"email"} | {name for name in ("roles",) if given.get(name) is None}
        named = {name: value for name, value in given.items() if name not in kept}
        blind = READ_PRIVATE not in me.caller(context.roles).permissions
        changes = validation.check_changes(again, named, resources.rules, blind=blind)
        authority = Authority(
            me,
            permissions=(WRITE_CUSTOMERS,),
            targets=(again.id,) if again else (),
            changes_access=True,
            grants=role_text(new.roles),
            may_remove_admin=again is not None and changes.may_remove_admin,
            limit=limit,
            recent=True,
        )
        customer = await context.write_as(
            authority,
            input.saving(context, invitations.invite),
            new,
            changes,
            throttle,
            again=again and again.id,
            origin=origin,
        )
        return CustomerPayload.of(context, me, customer, f"{customer.name} is invited.")

    @mutation(LoginPayload)
    async def accept_invitation(self, info: Info, token: str, password: str) -> LoginPayload:
        """Set the first password of the link's owner, and sign them in."""
        context, resources = info.context, info.context.resources
        customer = await link_owner(context, LinkKind.INVITATION, token)
        rules = resources.rules
        secret = validation.check_new_password(password, customer, rules, field="password")
        await rules.accept_password(secret, customer.person)
        party = context.origin.by(customer.id).party
        opened = await context.transact(
            invitations.accept,
            token,
            resources.throttle,
            resources.lifetimes,
            password_hash=await resources.passwords.hash(secret, party),
            origin=context.origin,
        )
        return await LoginPayload.of(context, opened)
