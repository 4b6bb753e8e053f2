"""What is purged in batches is, however PostgreSQL plans it.

A subquery that limits and locks finds other rows each time that it runs, and to join by nested
loops PostgreSQL may run it for every row.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import pytest
from sqlalchemy import text

from gql_app.accounts import audit, sessions
from gql_app.accounts.audit import Action
from gql_app.accounts.throttling import Throttle
from gql_app.db.tables import (
    AuditRow,
    DeletedActorRow,
    KnownClientRow,
    SessionRow,
    ThrottleRow,
)
from gql_app.lib.clock import new_id
from gql_app.lib.database import Database, Transaction
from tests.accounts.rows import customer, store
from tests.rows import add

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
COUNT = 6
PURGES: Mapping[str, Callable[..., Awaitable[int]]] = {
    "throttles": Throttle(key=b"a key", attempts=5, client_attempts=50, window=900).purge,
    "sessions": sessions.purge,
    "clients": sessions.purge_clients,
    "origins": partial(audit.purge, kept=timedelta()),
}


async def leave_traces(db: Transaction, customer_id: UUID) -> None:
    """Insert some rows of each kind that is purged, all of them due."""
    session = {"customer_id": customer_id, "expires_at": LONG_AGO, "ended_at": None}
    session |= {"created_at": LONG_AGO, "last_used_at": LONG_AGO, "audience": None}
    browser = {"ip_address": "192.0.2.1", "user_agent": "a browser"}
    event = {
        "at": LONG_AGO,
        "action": Action.CUSTOMER_CHANGED,
        "actor_id": customer_id,
        "fields": [],
    }
    event |= {"customer_id": None}
    for number in range(COUNT):
        await add(db, SessionRow, id=new_id(), **session, **browser)
        await add(db, AuditRow, id=new_id(), **event, **browser)
        await add(db, ThrottleRow, subject=str(number), times=[], updated_at=LONG_AGO)
        client = {"client": str(number), "seen_at": LONG_AGO}
        await add(db, KnownClientRow, customer_id=customer_id, **client)
    await add(db, DeletedActorRow, actor_id=customer_id, deleted_at=LONG_AGO)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("purged", PURGES)
async def test_no_plan_purges_more_than_a_batch(database: Database, purged: str) -> None:
    (ada,) = await store(database, [customer("Ada Plain")])
    async with database.transaction() as db:
        await leave_traces(db, ada.id)
        for joined in ("hashjoin", "mergejoin", "hashagg", "sort", "material"):
            await db.execute(text(f"SET LOCAL enable_{joined} = off"))
        assert [await PURGES[purged](db, batch=4) for _ in range(2)] == [4, 2]
