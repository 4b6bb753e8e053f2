"""Verification of e-mail addresses: the use of a link sent to an address proves it."""

from datetime import datetime
from typing import Final, Literal, NamedTuple
from uuid import UUID

from gql_app.accounts import audit, customers, sessions
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.mail import letters, links
from gql_app.accounts.mail.links import LinkKind
from gql_app.accounts.records import CustomerRecord
from gql_app.accounts.throttling import Throttle
from gql_app.accounts.validation import NOTHING_PENDING, Changes, email_keys
from gql_app.errors import Rejected
from gql_app.factors import changes as factors
from gql_app.lib import clock
from gql_app.lib.database import Reader, Transaction
from gql_app.lib.rate_limits import Limit
from gql_app.lib.text import canonical_email
from gql_app.mail import email_change, link_tokens, mailboxes, registration_links

_DECLINED: Final = "@declined.invalid"
"""The domain of placeholders for declined addresses; .invalid is never registered (RFC 2606)."""


class Described(NamedTuple):
    """The subject of a link that proves an address."""

    kind: Literal["account", "change", "registration"]
    """The address of a new account, a change of address, or a registration that waits."""
    made_at: datetime
    """The time at which the account was created, or its registration requested."""


async def described(db: Reader, token: str) -> Described | None:
    """Return the subject of a link that proves an address, None if it is invalid.

    Raises Rejected if the link has expired.
    """
    customer = await link_tokens.owner(db, LinkKind.VERIFY_EMAIL, token)
    if customer is None:
        registration = await registration_links.find(db, token)
        return registration and Described("registration", registration.created_at)
    return Described("change" if customer.pending_email else "account", customer.created_at)


async def prove(db: Transaction, customer: CustomerRecord, *, origin: Origin) -> CustomerRecord:
    """Mark a customer's current address as proven after its link was used; return the customer.

    An earlier time of proof is kept, an invitation counts as answered and its link is void, and
    waiting registrations with the address are deleted. The customer is locked already, and still
    has the address.
    """
    await letters.void_links(db, customer.id, [LinkKind.INVITATION])
    return await _prove(db, customer, origin.by(customer.id), invited_at=None)


async def use(
    db: Transaction, kind: LinkKind, token: str, throttle: Throttle, *, origin: Origin
) -> CustomerRecord:
    """Spend a link that gives access, which proves the address; return the customer.

    The account is locked first, and then its counts of failed passwords, which are cleared. Raises
    Rejected if the link has expired or was spent meanwhile.
    """
    customer = await link_tokens.spend(db, kind, token)
    account = canonical_email(customer.email)
    await throttle.clear(db, *throttle.locks(account, customer.id, origin.ip_address))
    return await prove(db, customer, origin=origin)


async def prove_by_hand(db: Transaction, email: str) -> bool:
    """Mark an address as proven, for the operator; return whether an account has it.

    An invitation stays open, as its owner has not answered it.
    """
    customer = await mailboxes.by_email(db, email, hold=True)
    if customer is None:
        return False
    await _prove(db, customer, Origin())
    return True


async def verify(db: Transaction, token: str, *, origin: Origin) -> str:
    """Spend a link, which proves the address that it was sent to; return the address.

    A pending address becomes the current one. Raises Rejected if the link has expired or was spent
    meanwhile, and with TAKEN if another account has the pending address by now.
    """
    customer = await link_tokens.spend(db, LinkKind.VERIFY_EMAIL, token)
    if customer.pending_email is None:
        return (await prove(db, customer, origin=origin)).email
    await email_change.complete(db, customer, origin=origin)
    return customer.pending_email


async def request(
    db: Transaction, customer: CustomerRecord, throttle: Throttle, *limits: Limit, origin: Origin
) -> CustomerRecord:
    """Post a link to the unproven address of a customer, if there is one; return the customer.

    The customer is locked already, and read again. Raises TooManyAttempts.
    """
    await throttle.count(db, *limits)
    current = await customers.by_id(db, customer.id) or customer
    if is_waiting(current):
        await letters.post_link(db, LinkKind.VERIFY_EMAIL, customer_id=customer.id)
        await audit.record(db, Action.VERIFICATION_REQUESTED, origin, customer_id=customer.id)
    return current


def is_waiting(customer: CustomerRecord) -> bool:
    """Return whether a customer has an unproven address: a pending one, or the current one."""
    return customer.pending_email is not None or customer.email_verified_at is None


async def decline(db: Transaction, token: str, *, origin: Origin) -> bool:
    """Spend an unrequested link, for its recipient; return whether an account was closed.

    A pending address is dropped, and the current one stays. An account whose first address is
    unproven can't be signed in to any more, also an admin's: its sessions, password, factors, links
    and address are removed. It stays active, and its data stays. Raises Rejected if the link has
    expired or was spent, or the address was proven since.
    """
    customer = await link_tokens.spend(db, LinkKind.VERIFY_EMAIL, token)
    if customer.pending_email is not None:
        await customers.update(db, customer.id, Changes(NOTHING_PENDING), origin=origin)
    elif customer.email_verified_at is not None:
        raise Rejected(links.SPENT)
    else:
        await _close_account(db, customer, origin)
    await audit.record(db, Action.EMAIL_DECLINED, origin, customer_id=customer.id)
    return customer.pending_email is None


def placeholder(customer_id: UUID) -> str:
    """Return the placeholder address of a customer who has none; no letter is sent to it."""
    return f"{customer_id}{_DECLINED}"


def is_placeholder(email: str) -> bool:
    """Return whether an address is a placeholder."""
    return email.endswith(_DECLINED)


async def _prove(
    db: Transaction, customer: CustomerRecord, origin: Origin, **answered: None
) -> CustomerRecord:
    """Mark a customer's current address as proven, and clear other columns."""
    new = {"email_verified_at": customer.email_verified_at or clock.now(), **answered}
    proven = await customers.write(db, customer.id, new)
    await registration_links.forget(db, customer.email)
    if customer.email_verified_at is None:
        await audit.record(db, Action.EMAIL_VERIFIED, origin, customer_id=customer.id)
    return proven


async def _close_account(db: Transaction, customer: CustomerRecord, origin: Origin) -> None:
    """Remove all credentials and sessions of an account, and free its address."""
    email = placeholder(customer.id)
    new = {"email": email, **email_keys(email), "password_hash": "", "invited_at": None}
    closed = await customers.write(db, customer.id, new)
    await letters.void_links(db, customer.id, [LinkKind.VERIFY_EMAIL, LinkKind.INVITATION])
    await factors.revoke(db, closed, origin=origin)
    await sessions.end_all(db, customer.id)
    await sessions.forget_clients(db, customer.id)
    kind, fields = Action.CUSTOMER_CHANGED, ["email"]
    await audit.record(db, kind, origin, customer_id=customer.id, fields=fields)
