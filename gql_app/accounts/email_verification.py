"""Verification of addresses: whose link is used has the mailbox, and so the address is proven."""

from datetime import datetime
from typing import Literal, NamedTuple

from gql_app.accounts import audit, customers, links
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.links import LinkKind
from gql_app.accounts.records import CustomerRecord
from gql_app.lib import clock
from gql_app.lib.database import Reader, Transaction


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
        return None
    return Described("change" if customer.pending_email else "account", customer.created_at)


async def prove(db: Transaction, customer: CustomerRecord, *, origin: Origin) -> CustomerRecord:
    """Return a customer whose address is proven, for a link that was sent to it was used.

    It is so from now on, or from before, and an invitation is answered. The customer is locked
    already, and has the address still.
    """
    by_owner = origin._replace(actor_id=customer.id)
    now = clock.now()
    new = {"email_verified_at": customer.email_verified_at or now, "invited_at": None}
    proven = await customers.write(db, customer.id, new)
    if customer.email_verified_at is None:
        await audit.record(db, Action.EMAIL_VERIFIED, by_owner, customer_id=customer.id)
    return proven
