"""Runs the migrations of the core or a branch: one process at a time, one transaction per step.

On PostgreSQL no step waits for a lock longer than LOCK_TIMEOUT, as other transactions queue behind
it. It is retried until it gets the lock. On SQLite all steps are one transaction.
"""

import logging
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
from gql_app.db.migrations.comparing import compare_default, is_compared, render
from gql_app.db.migrations.engine import run_on
from gql_app.db.migrations.trigrams import SINCE, make_trigram_indexes
from gql_app.db.tables import Row
from gql_app.lib.database import LockTimeout

LOCK: Final = 0x67716C5F617070
"""The advisory lock on PostgreSQL that lets one process migrate at a time."""
PAUSE: Final = 0.2
"""Seconds between attempts to get a lock."""
WAITING: Final = "Others hold a lock on what this migration changes. It goes on when they are done."


def _migrate(connection: Connection) -> None:
    dialect = connection.dialect.name
    branch: Branch | None = context.config.attributes.get("branch")
    context.configure(
        connection=connection,
        # a list: the naming convention of one alone would reach the scripts
        target_metadata=[branch.metadata if branch else Row.metadata],
        version_table=branch.version_table if branch else VERSION_TABLE,
        render_as_batch=True,  # SQLite changes a table by copying it
        transactional_ddl=True,
        transaction_per_migration=dialect == "postgresql",
        compare_type=True,
        compare_server_default=compare_default,
        include_object=partial(is_compared, connection, branch),
        render_item=render,
    )
    with _alone(connection.engine):
        if dialect == "sqlite":
            with context.begin_transaction():
                _run_on_sqlite(connection)
            return
        _run_until_done()
        if branch is None and context.get_context().get_current_heads() >= (SINCE,):
            connection.commit()
            make_trigram_indexes(connection.engine)


def _run_on_sqlite(connection: Connection) -> None:
    """Run the steps; raise CommandError, so that they roll back, if one breaks a foreign key."""
    before = context.get_context().get_current_heads()
    context.run_migrations()
    if context.get_context().get_current_heads() != before:
        dangling = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
        if dangling is not None:
            table, _, other, _ = dangling
            msg = f"rows of {table} would refer to rows of {other} that are not there"
            raise CommandError(msg)


def _run_until_done() -> None:
    """Run the steps; retry one that got no lock, after a pause in which others get it."""
    warned = False
    while True:
        try:
            with context.begin_transaction():
                context.run_migrations()
        except LockTimeout:
            if not warned:
                logging.getLogger(__name__).warning(WAITING)
            warned = True
            time.sleep(PAUSE)
        else:
            return


@contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    """Hold the lock on a separate connection, as a migration may commit in between.

    CREATE INDEX CONCURRENTLY waits for every snapshot. So a waiting process polls for the lock,
    and its holder runs one more statement, which ends the snapshot of the one that got it.
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
