"""Waiting until one transaction is blocked by another, for deterministic tests of races."""

import asyncio

from sqlalchemy import text

from gql_app.lib.database import Transaction
from tests.rows import value

WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"
WAITING_ON_CLUSTER = f"SELECT ({WAITING}) + (SELECT count(*) FROM citus_lock_waits)"  # noqa: S608 — as it stands


async def until_it_waits(db: Transaction, task: asyncio.Task[object]) -> None:
    """Wait until a task is done or blocked by a lock; SQLite has only one writer at a time."""
    if db.dialect == "sqlite":
        return
    on_cluster = await value(db, text("SELECT to_regclass('pg_dist_partition') IS NOT NULL"))
    waiting = text(WAITING_ON_CLUSTER if on_cluster else WAITING)
    async with asyncio.timeout(10):
        while not task.done() and not await value(db, waiting):  # noqa: ASYNC110 — a lock sends no event
            await asyncio.sleep(0.01)
