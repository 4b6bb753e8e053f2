"""Addresses: which ones are unavailable for now.

An address is unavailable while an account has it, or while it is held: the account that had it
proven before may take it back for a week.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, delete, select

from gql_app.accounts.records import CustomerRecord
from gql_app.db.tables import CustomerRow, FormerEmailRow
from gql_app.errors import Fault, Rejected, UserErrorCode
from gql_app.lib import clock
from gql_app.lib.database import Batch, IntegrityViolation, Moment, Reader, Transaction, upsert
from gql_app.lib.text import canonical_email

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
    held = await holder(db, email)
    return held is not None and held.customer_id != customer_id


async def holder(db: Reader, email: str) -> Any:  # noqa: ANN401 — the columns of _HELD
    """Return the customer for whom an address is held, None if it is not."""
    return await db.fetch_one(_HELD, key=canonical_email(email), now=clock.now())


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


IN_FORCE: Final = FormerEmailRow.held_until > bindparam("now", type_=Moment())
"""Whether an address is still held."""
_HELD: Final = (
    select(FormerEmailRow.customer_id, FormerEmailRow.changed_since, CustomerRow.locale)
    .join(CustomerRow, CustomerRow.id == FormerEmailRow.customer_id)
    .where(FormerEmailRow.email_canonical == bindparam("key"), IN_FORCE)
)
_HOLD: Final = upsert(FormerEmailRow)
purge: Final = Batch(
    select(FormerEmailRow.email_canonical).where(FormerEmailRow.held_until <= bindparam("before")),
    delete(FormerEmailRow),
).purge
"""Deletes at most a batch of addresses that are no longer held; returns how many."""
