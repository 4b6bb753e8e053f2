"""Verification of addresses: who uses a link has its mailbox, and so the address is proven."""

from datetime import datetime
from typing import Literal, NamedTuple

from gql_app.accounts import addresses, audit, customers, letters, links, registrations, sessions
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.links import LinkKind
from gql_app.accounts.records import CustomerRecord
from gql_app.accounts.throttling import Throttle
from gql_app.accounts.validation import email_keys
from gql_app.errors import Rejected
from gql_app.lib import clock
from gql_app.lib.database import Reader, Transaction
from gql_app.lib.throttling import Limit
from gql_app.mail import email_change


class Described(NamedTuple):
    """What a link that proves an address is about."""

    kind: Literal["account", "change", "registration"]
    """A new account's address, another address of an account, or somebody who is to be one."""
    made_at: datetime
    """When the account was made, or asked for."""


async def described(db: Reader, token: str) -> Described | None:
    """Return what a link that proves an address is about, None if it is not good.

    Raises Rejected if it is too old.
    """
    customer = await links.owner(db, LinkKind.VERIFY_EMAIL, token)
    if customer is None:
        registration = await registrations.find(db, token)
        return registration and Described("registration", registration.created_at)
    return Described("change" if customer.pending_email else "account", customer.created_at)


async def prove(db: Transaction, customer: CustomerRecord, *, origin: Origin) -> CustomerRecord:
    """Return a customer whose address is proven, for a link that was sent to it was used.

    It is so from now on, or from before, and an invitation is answered. The customer is locked
    already, and has the address still. Who wait to be registered with it are gone.
    """
    return await _prove(db, customer, origin._replace(actor_id=customer.id))


async def prove_by_hand(db: Transaction, email: str) -> bool:
    """Prove an address because the operator says so; return whether anybody has it."""
    customer = await customers.by_email(db, email)
    if customer is None:
        return False
    await _prove(db, customer, Origin())
    return True


async def verify(db: Transaction, token: str, *, origin: Origin) -> str:
    """Spend a link, which proves the address that it was sent to; return that.

    A pending address is in force from now on. Raises Rejected if the link is too old, or has been
    spent meanwhile, and with TAKEN if another has the pending address by now.
    """
    customer = await links.spend(db, LinkKind.VERIFY_EMAIL, token)
    if customer.pending_email is None:
        return (await prove(db, customer, origin=origin)).email
    await email_change.complete(db, customer, origin=origin)
    return customer.pending_email


async def request(
    db: Transaction, customer: CustomerRecord, throttle: Throttle, *limits: Limit, origin: Origin
) -> CustomerRecord:
    """Post a link to the address that a customer has yet to prove, if there is one.

    Returns them as they are by now. They are locked already. Raises TooManyAttempts.
    """
    await throttle.count(db, *limits)
    current = await customers.by_id(db, customer.id) or customer
    if is_waiting(current):
        await letters.post_link(db, LinkKind.VERIFY_EMAIL, customer_id=customer.id)
    await audit.record(db, Action.VERIFICATION_REQUESTED, origin, customer_id=customer.id)
    return current


def is_waiting(customer: CustomerRecord) -> bool:
    """Return whether a customer has an address to prove: a pending one, or the one in force."""
    return customer.pending_email is not None or customer.email_verified_at is None


async def decline(db: Transaction, token: str, *, origin: Origin) -> bool:
    """Spend a link that came to somebody who asked for none; return whether an account was shut.

    An address that was pending is so no longer, and the customer keeps the one in force. An account
    that waits for its first proof is nobody's to sign in to any more, admins' as well: its
    sessions, password and links go, and so does the address. It stays active, and its data stays.
    Raises Rejected if the link is too old or spent, or the address was proven since.
    """
    customer = await links.spend(db, LinkKind.VERIFY_EMAIL, token)
    if customer.pending_email is not None:
        await customers.update(db, customer.id, email_change.NOTHING_PENDING, origin=origin)
    elif customer.email_verified_at is not None:
        raise Rejected(links.SPENT)
    else:
        await _shut(db, customer, origin)
    await audit.record(db, Action.EMAIL_DECLINED, origin, customer_id=customer.id)
    return customer.pending_email is None


async def _prove(db: Transaction, customer: CustomerRecord, origin: Origin) -> CustomerRecord:
    """Return a customer whose address is proven."""
    verified_at = customer.email_verified_at or clock.now()
    new = {"email_verified_at": verified_at, "invited_at": None}
    proven = await customers.write(db, customer.id, new)
    await registrations.forget(db, customer.email)
    if customer.email_verified_at is None:
        await audit.record(db, Action.EMAIL_VERIFIED, origin, customer_id=customer.id)
    return proven


async def _shut(db: Transaction, customer: CustomerRecord, origin: Origin) -> None:
    """Take from an account all that it could be signed in to with, and free its address."""
    email = addresses.placeholder(customer.id)
    new = {"email": email, **email_keys(email), "password_hash": "", "invited_at": None}
    await customers.write(db, customer.id, new)
    await letters.void_links(db, customer.id)
    await sessions.end_all(db, customer.id)
    await sessions.forget_clients(db, customer.id)
    kind, fields = Action.CUSTOMER_CHANGED, ["email"]
    await audit.record(db, kind, origin, customer_id=customer.id, fields=fields)
