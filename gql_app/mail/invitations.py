"""Invitations: accounts without a password, and links by which their owners choose one."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from sqlalchemy import bindparam, update

from gql_app.accounts import addresses, audit, authentication, customers
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.factors.challenges import Challenge
from gql_app.accounts.mail import letters
from gql_app.accounts.mail.links import LinkKind
from gql_app.accounts.proofs import LINK, Proof
from gql_app.accounts.records import CustomerRecord
from gql_app.accounts.sessions import Lifetimes, Opened
from gql_app.accounts.throttling import Throttle
from gql_app.accounts.validation import Changes, NewCustomer
from gql_app.db.tables import CustomerRow
from gql_app.errors import Rejected
from gql_app.lib import clock
from gql_app.lib.database import Moment, Transaction, any_of
from gql_app.mail import email_verification, mailboxes
from gql_app.security.passwords import NO_PASSWORD


def awaits_invitation(customer: CustomerRecord) -> bool:
    """Return whether an account may be invited: active, with no password and no proven address."""
    unanswered = not customer.has_password and customer.email_verified_at is None
    return unanswered and customer.is_active


async def invite(
    db: Transaction,
    new: NewCustomer,
    changes: Changes,
    throttle: Throttle,
    *,
    again: UUID | None,
    origin: Origin,
) -> CustomerRecord:
    """Create a customer without a password, and post a link to the address.

    `again` is the id of an account with this address that awaits an invitation: it is changed
    instead, and gets a new link. Raises Rejected if the address is taken by another account, or
    the invitation was answered meanwhile, and TooManyAttempts.
    """
    await throttle.count(db, *throttle.of_client("link", origin.ip_address))
    customer = await mailboxes.by_email(db, new.email)
    if customer is None:
        customer = await customers.create(db, new, password_hash=NO_PASSWORD, origin=origin)
    elif customer.id == again and awaits_invitation(customer):
        customer = await customers.update(db, customer.id, changes, origin=origin)
    else:
        raise Rejected(addresses.TAKEN)
    await letters.post_link(db, LinkKind.INVITATION, customer_id=customer.id)
    await db.execute(_INVITE, ids=[customer.id], now=clock.now())
    await audit.record(db, Action.CUSTOMER_INVITED, origin, customer_id=customer.id)
    return customer


async def invite_added(db: Transaction, ids: Iterable[UUID], *, origin: Origin) -> None:
    """Post a link to each of many customers who were just created without a password."""
    invited = list(ids)
    await letters.post_links(db, LinkKind.INVITATION, invited)
    await db.execute(_INVITE, ids=invited, now=clock.now())
    await audit.record_each(db, Action.CUSTOMER_INVITED, origin, invited)


async def accept(
    db: Transaction,
    token: str,
    throttle: Throttle,
    lifetimes: Lifetimes,
    *,
    password_hash: str,
    origin: Origin,
) -> Opened | Challenge:
    """Use a link: set the first password, clear the counts of failures, and open a session.

    Raises Rejected if the link has expired or was spent meanwhile, and TooManyAttempts.
    """
    kind, action = LinkKind.INVITATION, Action.INVITATION_ACCEPTED
    customer = await email_verification.use(db, kind, token, throttle, origin=origin)
    by_owner = origin.by(customer.id)
    await customers.set_password(db, customer, password_hash, action=action, origin=by_owner)
    return await authentication.sign_in_by_other_means(
        db, customer.id, throttle, lifetimes, Proof(LINK), origin=origin
    )


_INVITE: Final = (
    update(CustomerRow)
    .where(any_of(CustomerRow.id, "ids"))
    .values(invited_at=bindparam("now", type_=Moment()))
)
