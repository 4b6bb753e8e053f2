"""Known clients: from where a customer's sessions were opened or refreshed lately."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Text, Uuid, bindparam, delete, select, tuple_

from gql_app.db.tables import KnownClientRow
from gql_app.lib import clock
from gql_app.lib.database import Query, Transaction, upsert
from gql_app.lib.network.addresses import client_of

KNOWN_FOR: Final = timedelta(days=30)
"""How long a client stays known to an account."""
PRECISION: Final = timedelta(hours=1)
"""How exactly it is known when a client was seen, so that signing in need not always write."""


def is_known(seen_at: datetime | None) -> bool:
    """Return whether a client that was last seen then is still known."""
    return seen_at is not None and clock.now() - seen_at < KNOWN_FOR


async def note(db: Transaction, customer_id: UUID, address: str | None) -> None:
    """Record that a session was opened or refreshed from an address, unless it was lately."""
    if not address:
        return
    client, now = client_of(address), clock.now()
    seen_at = await db.fetch_one(_SEEN_AT, customer_id=customer_id, client=client)
    if seen_at is None or abs(now - seen_at) > PRECISION:  # clocks are set back, too
        await db.execute(_UPSERT, customer_id=customer_id, client=client, seen_at=now)


async def forget(db: Transaction, customer_id: UUID) -> None:
    """Delete every client of a customer."""
    await db.execute(delete(KnownClientRow).where(KnownClientRow.customer_id == customer_id))


async def purge(db: Transaction, *, batch: int) -> int:
    """Delete some clients that are no longer known; return how many."""
    key = tuple_(KnownClientRow.customer_id, KnownClientRow.client)
    some = (
        select(KnownClientRow.customer_id, KnownClientRow.client)
        .where(KnownClientRow.seen_at < clock.now() - KNOWN_FOR)
        .limit(batch)
        .with_for_update(skip_locked=True)
    )
    return await db.execute(delete(KnownClientRow).where(key.in_(some)))


_SEEN_AT: Final[Query[datetime]] = Query(
    select(KnownClientRow.seen_at).where(
        KnownClientRow.customer_id == bindparam("customer_id", type_=Uuid()),
        KnownClientRow.client == bindparam("client", type_=Text()),
    ),
    lambda row: row[0],
)
_UPSERT: Final = upsert(KnownClientRow)
