"""Runs the migrations, ours or a branch's: in one transaction, one process at a time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, text

from gql_app import settings
from gql_app.db.migrations.branches import VERSION_TABLE, Branch
from gql_app.db.migrations.comparing import is_compared, render
from gql_app.db.migrations.engine import run_on
from gql_app.db.tables import Row

LOCK: Final = 0x67716C5F617070
"""The advisory lock that migrating processes queue at on PostgreSQL."""
PAUSE: Final = 0.2
"""Seconds after which the lock is asked for again."""


def _migrate(connection: Connection) -> None:
    dialect = connection.dialect.name
    branch: Branch | None = context.config.attributes.get("branch")
    context.configure(
        connection=connection,
        target_metadata=branch.metadata if branch else Row.metadata,
        version_table=branch.version_table if branch else VERSION_TABLE,
        render_as_batch=True,  # SQLite changes a table by copying it
        transactional_ddl=True,
        compare_type=True,
        compare_server_default=True,
        include_object=partial(is_compared, connection, branch),
        render_item=render,
    )
    with _alone(connection.engine), context.begin_transaction():
        before = context.get_context().get_current_heads()
        context.run_migrations()
        if dialect == "sqlite" and context.get_context().get_current_heads() != before:
            dangling = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
            if dangling is not None:
                table, _, other, _ = dangling
                msg = f"rows of {table} would refer to rows of {other} that are not there"
                raise CommandError(msg)


@contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    """Hold the lock on a connection of its own, for a migration may commit on the way.

    CREATE INDEX CONCURRENTLY waits for whoever holds a snapshot. So who waits for the lock asks
    again and again, and who has it runs one statement more, which ends the snapshot of the first.
    """
    if engine.dialect.name != "postgresql":
        yield
        return
    with engine.connect() as connection:
        connection.execution_options(isolation_level="READ COMMITTED")
        lock = text(f"SELECT pg_try_advisory_xact_lock({LOCK})")
        while not connection.execute(lock).scalar_one():
            connection.rollback()
            time.sleep(PAUSE)
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        yield


run_on(context.config.attributes.get("url") or settings.load().database_url, _migrate)
