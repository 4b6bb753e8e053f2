"""Known clients: from where a customer's sessions were opened or refreshed lately."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import delete, select, tuple_

from gql_app import clock
from gql_app.addresses import client_of
from gql_app.db.engine import Writer
from gql_app.db.rows import insert_or_update
from gql_app.db.tables import KnownClientRow

KNOWN_FOR: Final = timedelta(days=30)
"""How long a client stays known to an account."""
PRECISION: Final = timedelta(days=1)
"""How exactly it is known when a client was seen, so that signing in need not always write."""


def is_known(seen_at: datetime | None) -> bool:
    """Tell whether a client that was last seen then is known still."""
    return seen_at is not None and clock.now() - seen_at < KNOWN_FOR


def is_noted(seen_at: datetime | None, address: str | None) -> bool:
    """Tell whether there is nothing to note of a client that was last seen then."""
    return not address or (seen_at is not None and clock.now() - seen_at < PRECISION)


async def note(db: Writer, customer_id: UUID, address: str | None) -> None:
    """Note that a session was opened or refreshed from an address, unless there is none."""
    if address:
        values = {"customer_id": customer_id, "client": client_of(address)}
        await insert_or_update(db, KnownClientRow, **values, seen_at=clock.now())


async def forget(db: Writer, customer_id: UUID) -> None:
    """Forget every client of a customer."""
    await db.execute(delete(KnownClientRow).where(KnownClientRow.customer_id == customer_id))


async def purge(db: Writer, *, batch: int) -> int:
    """Delete some clients that are not known any more, and return how many."""
    key = tuple_(KnownClientRow.customer_id, KnownClientRow.client)
    some = (
        select(KnownClientRow.customer_id, KnownClientRow.client)
        .where(KnownClientRow.seen_at < clock.now() - KNOWN_FOR)
        .limit(batch)
        .with_for_update(skip_locked=True)
    )
    deleted = await db.execute(
        delete(KnownClientRow).where(key.in_(some)).returning(KnownClientRow.client)
    )
    return len(deleted.all())
