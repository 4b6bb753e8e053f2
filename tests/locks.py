"""Seeing that one transaction waits for another, so that a race needs no luck."""

import asyncio

from sqlalchemy import text

from gql_app.lib.database import Transaction
from tests.rows import value


async def until_it_waits(db: Transaction, task: asyncio.Task[object]) -> None:
    """Wait until a task is done or waits for what is held; SQLite lets no second writer begin."""
    if db.dialect == "sqlite":
        return
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    async with asyncio.timeout(10):
        while not task.done() and not await value(db, waiting):  # noqa: ASYNC110 — a lock sends no event
            await asyncio.sleep(0.01)
