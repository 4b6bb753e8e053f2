"""Addresses: which ones are unavailable for now.

An address is unavailable while an account has it, or while it is held: the account that had it
proven before may take it back for a week. Until then nobody has another address with its
`email_key` either, which is unique as well.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, delete, select

from gql_app.accounts.records import CustomerRecord
from gql_app.db.tables import CustomerRow, FormerEmailRow
from gql_app.errors import Fault, Rejected, UserErrorCode
from gql_app.lib import clock
from gql_app.lib.database import (
    Batch,
    IntegrityViolation,
    Moment,
    Reader,
    Transaction,
    any_of,
    scalars,
    upsert,
)
from gql_app.lib.text import canonical_email, email_key

HOLD_PERIOD: Final = timedelta(days=7)
"""How long a proven address is held for its former owner, and a change of it can be undone."""
TAKEN: Final = Fault(UserErrorCode.TAKEN, "Another customer has this e-mail address.", "email")


@asynccontextmanager
async def claiming(db: Transaction, email: str | None, customer_id: UUID) -> AsyncIterator[None]:
    """Raise Rejected (TAKEN) where the block gives a customer an unavailable address.

    The block writes their row; whether the address is held is read only after that. The unique
    index has by then waited for any transaction that gives the address up, which also writes that
    it is held: an earlier read might find the address free.
    """
    try:
        yield
    except IntegrityViolation:
        raise Rejected(TAKEN) from None
    if email is not None and await is_held(db, email, customer_id):
        raise Rejected(TAKEN)


async def is_held(db: Reader, email: str, customer_id: UUID | None) -> bool:
    """Return whether an address is held for another customer than this one."""
    holders = await db.fetch_all(_HOLDERS, keys=keys_of(email), now=clock.now())
    return any(holder != customer_id for holder in holders)


async def holder(db: Reader, email: str) -> Any:  # noqa: ANN401 — the columns of _HELD
    """Return the customer for whom an address is held, None if it is not."""
    return await db.fetch_one(_HELD, key=canonical_email(email), now=clock.now())


def keys_of(email: str) -> tuple[str, str, str]:
    """Return all keys by which an address is held, or another one with its `email_key`.

    They are that of its mailbox, that of the mailbox which is spelled as the `email_key`, and one
    for all others with that, which is no address: an undo link is for a mailbox alone.
    """
    folded = canonical_email(email_key(email))
    return canonical_email(email), folded, f"@{folded}"


async def leave(
    db: Transaction, former: CustomerRecord, current: CustomerRecord, *, since: datetime
) -> None:
    """Hold the address that a customer had before the current one, to be able to undo the change.

    An unproven one is not held. A customer's return to an address that is held for them settles
    the changes since, if a link has proven it: neither it nor the later ones are held any more.
    `since` is when the change was requested.
    """
    back = await holder(db, current.email)
    if back and current.email_verified_at:
        await _forget(db, former.id, FormerEmailRow.changed_since >= back.changed_since)
    elif former.email_verified_at:
        held = {
            "customer_id": former.id,
            "email": former.email,
            "changed_since": since,
            "digest": None,
            "held_until": clock.now() + HOLD_PERIOD,
        }
        mailbox, folded, others = keys_of(former.email)
        keys = [mailbox] if mailbox == folded else [mailbox, others]
        await db.execute_many(_HOLD, [{"email_canonical": key, **held} for key in keys])


async def settle(db: Transaction, current: CustomerRecord) -> None:
    """Let nothing be undone from the addresses that a customer had since their current one.

    That is if it is held for them: the operator returned them to it. It stays held, unproven.
    """
    if back := await holder(db, current.email):
        await _forget(db, current.id, FormerEmailRow.changed_since > back.changed_since)


async def _forget(db: Transaction, customer_id: UUID, later: ColumnElement[bool]) -> None:
    """Delete the later ones of the addresses that are held for a customer."""
    await db.execute(delete(FormerEmailRow).where(FormerEmailRow.customer_id == customer_id, later))


IN_FORCE: Final = FormerEmailRow.held_until > bindparam("now", type_=Moment())
"""Whether an address is still held."""
_HELD: Final = (
    select(FormerEmailRow.customer_id, FormerEmailRow.changed_since, CustomerRow.locale)
    .join(CustomerRow, CustomerRow.id == FormerEmailRow.customer_id)
    .where(FormerEmailRow.email_canonical == bindparam("key"), IN_FORCE)
)
_HOLDERS: Final = scalars(
    select(FormerEmailRow.customer_id).where(
        any_of(FormerEmailRow.email_canonical, "keys"), IN_FORCE
    )
)
_HOLD: Final = upsert(FormerEmailRow)
purge: Final = Batch(
    select(FormerEmailRow.email_canonical).where(FormerEmailRow.held_until <= bindparam("before")),
    delete(FormerEmailRow),
).purge
"""Deletes at most a batch of addresses that are no longer held; returns how many."""
