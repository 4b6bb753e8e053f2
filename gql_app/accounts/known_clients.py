"""Known clients: from where a customer's sessions were opened or refreshed lately."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import CTE, Insert, Text, bindparam, delete, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from gql_app import clock
from gql_app.db.deeds import Made
from gql_app.db.engine import Writer
from gql_app.db.rows import insert_or_update
from gql_app.db.tables import KnownClientRow, Moment
from gql_app.lib.network.addresses import client_of

KNOWN_FOR: Final = timedelta(days=30)
"""How long a client stays known to an account."""
PRECISION: Final = timedelta(hours=1)
"""How exactly it is known when a client was seen, so that signing in need not always write."""


def is_known(seen_at: datetime | None) -> bool:
    """Tell whether a client that was last seen then is known still."""
    return seen_at is not None and clock.now() - seen_at < KNOWN_FOR


def noted(address: str | None) -> dict[str, object]:
    """Return the values that noting() is done with."""
    return {
        "client": client_of(address) if address else None,
        "stale": clock.now() - PRECISION,
    }


def noting(session: Made) -> Insert:
    """Describe how the client is noted by whom a session is opened, unless it was lately."""
    inserting = postgresql.insert if isinstance(session, CTE) else sqlite.insert
    client = bindparam("client", type_=Text())
    seen = select(session.c.customer_id, client, session.c.created_at).where(client.is_not(None))
    insert = inserting(KnownClientRow).from_select(["customer_id", "client", "seen_at"], seen)
    return insert.on_conflict_do_update(
        index_elements=["customer_id", "client"],
        set_={"seen_at": insert.excluded.seen_at},
        where=KnownClientRow.seen_at < bindparam("stale", type_=Moment()),
    )


async def note(db: Writer, customer_id: UUID, address: str | None) -> None:
    """Note that a session was refreshed from an address, unless there is none."""
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
