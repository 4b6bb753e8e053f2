"""Mailboxes: the customer who has an address, or for whom it is held."""

from collections.abc import Collection
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import select

from gql_app.accounts import addresses
from gql_app.accounts.records import CUSTOMER, CustomerRecord, has_address
from gql_app.db.tables import CustomerRow, FormerEmailRow
from gql_app.lib import clock
from gql_app.lib.database import Query, Reader, any_of, scalars
from gql_app.lib.text import canonical_email, email_key_of, mailbox_key


class Owner(NamedTuple):
    """The owner of an address."""

    id: UUID
    locale: str | None


async def by_email(db: Reader, email: str, *, hold: bool = False) -> CustomerRecord | None:
    """Return the customer who has an address, however it is typed; None if there is none.

    With `hold` they can't be deleted or get another address until the transaction ends.
    """
    key = mailbox_key(email)
    if key is None:
        return None
    # Either key may be outdated, if a server of the version before has changed the address since.
    rows = await db.fetch_all(_BY_EMAIL[hold], key=key, former_key=email_key_of(key))
    return next((customer for customer in rows if canonical_email(customer.email) == key), None)


async def owner(db: Reader, email: str, customer_id: UUID | None) -> Owner | None:
    """Return another customer who has a mailbox, or for whom it is held, None if there is none."""
    key = canonical_email(email)
    for row in await _owners(db, key):
        if row.id != customer_id and canonical_email(row.email) == key:
            return Owner(row.id, row.locale)
    holder = await addresses.holder(db, email)
    if holder is None or holder.customer_id == customer_id:
        return None
    return Owner(holder.customer_id, holder.locale)


async def is_taken(db: Reader, email: str, customer_id: UUID | None) -> bool:
    """Return whether an address is unavailable to a customer; only a write settles it for good.

    It may be that of another mailbox with the same `email_key`: see validation.email_keys().
    """
    if any(row.id != customer_id for row in await _owners(db, canonical_email(email))):
        return True
    return await addresses.is_held(db, email, customer_id)


async def held_among(db: Reader, keys: Collection[str]) -> set[str]:
    """Return those of some keys of addresses, as of addresses.keys_of(), that are held."""
    return set(await db.fetch_all(_HELD_AMONG, keys=keys, now=clock.now()))


async def _owners(db: Reader, key: str) -> list[Any]:
    """Return the id, address and locale of each customer that either key of an address finds."""
    return await db.fetch_all(_OWNERS, key=key, former_key=email_key_of(key))


_OF_EMAIL: Final = (
    select(*CUSTOMER).where(has_address()).order_by(CustomerRow.email_canonical.is_(None))
)
"""The customers of an address; one with a stored canonical key comes first."""
_BY_EMAIL: Final = {
    hold: Query(statement, CustomerRecord._make)
    for hold, statement in (
        (False, _OF_EMAIL),
        (True, _OF_EMAIL.with_for_update(read=True, key_share=True)),
    )
}
_OWNERS: Final = select(CustomerRow.id, CustomerRow.email, CustomerRow.locale).where(has_address())
_HELD_AMONG: Final = scalars(
    select(FormerEmailRow.email_canonical).where(
        any_of(FormerEmailRow.email_canonical, "keys"), addresses.IN_FORCE
    )
)
