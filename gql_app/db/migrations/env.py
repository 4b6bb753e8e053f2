"""Runs the migrations: in one transaction, one process at a time."""

import asyncio
from typing import Final

from alembic import context
from sqlalchemy import Connection, text

from gql_app import settings
from gql_app.db.opening import open_engine
from gql_app.db.tables import Row

LOCK: Final = 0x67716C5F617070
"""The advisory lock that migrating processes queue at on PostgreSQL."""


def _run(connection: Connection) -> None:
    postgresql = connection.dialect.name == "postgresql"
    connection.execution_options(gql_app_writes=True)
    context.configure(
        connection=connection,
        target_metadata=Row.metadata,
        render_as_batch=not postgresql,
        transactional_ddl=True,
        compare_type=True,
    )
    with context.begin_transaction():
        if postgresql:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
        context.run_migrations()


async def _migrate(url: str) -> None:
    engine = open_engine(url, prepared=False)  # each statement runs once
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_run)
            await connection.commit()
    finally:
        await engine.dispose()


asyncio.run(_migrate(context.config.attributes.get("url") or settings.load().database_url))
