"""Runs the migrations: in one transaction, one process at a time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from gql_app import settings
from gql_app.db.opening import open_engine
from gql_app.db.tables import Row

LOCK: Final = 0x67716C5F617070
"""The advisory lock that migrating processes queue at on PostgreSQL."""
PAUSE: Final = 0.2
"""Seconds after which the lock is asked for again."""


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection.execution_options(gql_app_writes=True),
        target_metadata=Row.metadata,
        render_as_batch=connection.dialect.name != "postgresql",
        transactional_ddl=True,
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


@asynccontextmanager
async def _alone(engine: AsyncEngine) -> AsyncIterator[None]:
    """Hold the lock on a connection of its own, for a migration may commit on the way.

    CREATE INDEX CONCURRENTLY waits for whoever holds a snapshot. So who waits for the lock asks
    again and again, and who has it runs one statement more, which ends the snapshot of the first.
    """
    if engine.dialect.name != "postgresql":
        yield
        return
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="READ COMMITTED")
        lock = text(f"SELECT pg_try_advisory_xact_lock({LOCK})")
        while not (await connection.execute(lock)).scalar_one():
            await connection.rollback()
            await asyncio.sleep(PAUSE)
        await connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        yield


async def _migrate(url: str) -> None:
    engine = open_engine(url, prepared=False)  # each statement runs once
    try:
        async with _alone(engine), engine.connect() as connection:
            await connection.run_sync(_run)
            await connection.commit()
    finally:
        await engine.dispose()


asyncio.run(_migrate(context.config.attributes.get("url") or settings.load().database_url))
