"""Addresses: whose each is, and who may not have it for now.

Nobody may have an address that an account has, or that is held: an account had it and had it
proven, and may take it back for a week.
"""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, delete, select, update

from gql_app.accounts.records import CustomerRecord, has_address
from gql_app.db.tables import CustomerRow, FormerEmailRow
from gql_app.errors import Fault, Rejected, UserErrorCode
from gql_app.lib import clock
from gql_app.lib.database import (
    Batch,
    IntegrityViolation,
    Moment,
    Query,
    Reader,
    Transaction,
    any_of,
    upsert,
)
from gql_app.lib.text import canonical_email, email_key_of

HOLD_PERIOD: Final = timedelta(days=7)
"""How long a proven address is held for whom had it, and a change of it can be undone."""
TAKEN: Final = Fault(UserErrorCode.TAKEN, "Another customer has this e-mail address.", "email")
_DECLINED: Final = "@declined.invalid"
"""The domain of those whose address was somebody else's; of .invalid nobody is (RFC 2606)."""


class Owner(NamedTuple):
    """Whose an address is."""

    id: UUID
    locale: str | None


@asynccontextmanager
async def claiming(db: Transaction, email: str | None, customer_id: UUID) -> AsyncIterator[None]:
    """Raise Rejected (TAKEN) where the block gives a customer an address that they can't have.

    The block writes their row; whether the address is held is asked after that. The unique index of
    addresses has by then waited for whoever was leaving it, and it is they who write down, in the
    same transaction, that it is held: who asked before might see it as nobody's.
    """
    try:
        yield
    except IntegrityViolation:
        raise Rejected(TAKEN) from None
    if email is not None and await is_held(db, email, customer_id):
        raise Rejected(TAKEN)


async def owner(db: Reader, email: str, customer_id: UUID | None) -> Owner | None:
    """Return which other customer has a mailbox, or for whom it is held, if anybody."""
    key = canonical_email(email)
    for row in await _owners(db, key):
        if row.id != customer_id and canonical_email(row.email) == key:
            return Owner(row.id, row.locale)
    holder = await db.fetch_one(_HELD, key=key, now=clock.now())
    if holder is None or holder.customer_id == customer_id:
        return None
    return Owner(holder.customer_id, holder.locale)


async def is_taken(db: Reader, email: str, customer_id: UUID) -> bool:
    """Return whether a customer can't have an address; only to have it written shows that for good.

    It may be that of another mailbox with the same `email_key`: see validation.email_keys().
    """
    owners = await _owners(db, canonical_email(email))
    return any(row.id != customer_id for row in owners) or await is_held(db, email, customer_id)


async def is_held(db: Reader, email: str, customer_id: UUID | None) -> bool:
    """Return whether an address is held for somebody other than a customer."""
    holder = await db.fetch_one(_HELD, key=canonical_email(email), now=clock.now())
    return holder is not None and holder.customer_id != customer_id


async def held_among(db: Reader, keys: Collection[str]) -> set[str]:
    """Return those keys of mailboxes (email_canonical) that are held for somebody."""
    return set(await db.fetch_all(_HELD_AMONG, keys=keys, now=clock.now()))


async def leave(db: Transaction, former: CustomerRecord, email: str, *, since: datetime) -> None:
    """Hold the address that a customer had before another, so that the change can be undone.

    An unproven one is not held. Who goes back to an address that is held for them has settled what
    came after it: neither it nor those of after it are held any more. `since` is when the change
    was asked for.
    """
    back = await db.fetch_one(_HELD, key=canonical_email(email), now=clock.now())
    if back:
        later = FormerEmailRow.changed_since >= back.changed_since
        theirs = FormerEmailRow.customer_id == former.id
        await db.execute(delete(FormerEmailRow).where(theirs, later))
    elif former.email_verified_at:
        await db.execute(
            _HOLD,
            email_canonical=canonical_email(former.email),
            customer_id=former.id,
            email=former.email,
            changed_since=since,
            digest=None,
            held_until=clock.now() + HOLD_PERIOD,
        )


async def issue_undo(
    db: Transaction, customer_id: UUID | None, email: str, digest: str | None
) -> bool:
    """Make the token of a digest undo a change; return whether the address of before is held."""
    held = (
        FormerEmailRow.email_canonical == canonical_email(email),
        FormerEmailRow.customer_id == customer_id,
    )
    return bool(await db.execute(update(FormerEmailRow).where(*held).values(digest=digest)))


async def purge(db: Transaction, *, batch: int) -> int:
    """Delete some addresses that are held no longer; return how many."""
    return await _PURGE.apply(db, now=clock.now(), batch=batch)


def placeholder(customer_id: UUID) -> str:
    """Return the address of a customer who has none: no letter goes there."""
    return f"{customer_id}{_DECLINED}"


def is_placeholder(email: str) -> bool:
    """Return whether an address stands for none."""
    return email.endswith(_DECLINED)


async def _owners(db: Reader, key: str) -> list[Any]:
    """Return the id and the address of each customer whom either key of an address finds."""
    return await db.fetch_all(_OWNERS, key=key, former_key=email_key_of(key))


_OWNERS: Final = select(CustomerRow.id, CustomerRow.email, CustomerRow.locale).where(has_address())
_IN_FORCE: Final = FormerEmailRow.held_until > bindparam("now", type_=Moment())
_HELD: Final = (
    select(FormerEmailRow.customer_id, FormerEmailRow.changed_since, CustomerRow.locale)
    .join(CustomerRow, CustomerRow.id == FormerEmailRow.customer_id)
    .where(FormerEmailRow.email_canonical == bindparam("key"), _IN_FORCE)
)
_HELD_AMONG: Final[Query[str]] = Query(
    select(FormerEmailRow.email_canonical).where(
        any_of(FormerEmailRow.email_canonical, "keys"), _IN_FORCE
    ),
    lambda row: row[0],
)
_HOLD: Final = upsert(FormerEmailRow)
_PURGE: Final = Batch(
    select(FormerEmailRow.email_canonical).where(
        FormerEmailRow.held_until <= bindparam("now", type_=Moment())
    ),
    delete(FormerEmailRow),
)
