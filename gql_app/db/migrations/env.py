"""Runs the migrations: in one transaction, one process at a time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine

from gql_app import settings
from gql_app.db.migrations.comparing import is_compared, render
from gql_app.db.opening import open_engine
from gql_app.db.tables import Row

LOCK: Final = 0x67716C5F617070
"""The advisory lock that migrating processes queue at on PostgreSQL."""
PAUSE: Final = 0.2
"""Seconds after which the lock is asked for again."""


def _run(connection: Connection) -> None:
    dialect = connection.dialect.name
    context.configure(
        connection=connection.execution_options(gql_app_writes=True),
        target_metadata=Row.metadata,
        render_as_batch=True,  # SQLite changes a table by copying it
        transactional_ddl=True,
        compare_type=True,
        compare_server_default=True,
        include_object=partial(is_compared, dialect),
        render_item=render,
    )
    with context.begin_transaction():
        before = context.get_context().get_current_heads()
        context.run_migrations()
        if dialect == "sqlite" and context.get_context().get_current_heads() != before:
            _judge_references(connection)


def _let_references_be(connection: DBAPIConnection, _: object) -> None:
    """Switch SQLite's foreign keys off: to replace a table would delete all that refers to it."""
    connection.cursor().execute("PRAGMA foreign_keys = OFF")


def _judge_references(connection: Connection) -> None:
    """Raise CommandError if a row refers to one that is not there."""
    found = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if found is not None:
        msg = f"rows of {found[0]} would refer to rows of {found[2]} that are not there"
        raise CommandError(msg)


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
    if engine.dialect.name == "sqlite":
        event.listen(engine.sync_engine, "connect", _let_references_be)
    try:
        async with _alone(engine), engine.connect() as connection:
            await connection.run_sync(_run)
            await connection.commit()
    finally:
        await engine.dispose()


asyncio.run(_migrate(context.config.attributes.get("url") or settings.load().database_url))
