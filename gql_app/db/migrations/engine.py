"""The engine of migrations, that of SQLAlchemy; nothing else uses it."""

from collections.abc import Callable
from typing import Final, TypeVar

from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from gql_app.lib import signals
from gql_app.lib.database import Servers, Unavailable, sqlite_file, unavailable
from gql_app.lib.setting_types import SQLITE

BUSY_TIMEOUT: Final = 30
"""Seconds to wait for a locked SQLite file."""
LOCK_TIMEOUT: Final = "1s"
"""The lock timeout on PostgreSQL; other transactions queue behind one that waits."""
R = TypeVar("R")


def run_on(url: str, work: Callable[[Connection], R]) -> R:
    """Return the result of `work` on a connection to a database, after a commit.

    Values are kept out of errors. Raises Unavailable if the database can't be used.
    """
    if not url.startswith(SQLITE):
        return signals.run(_on_postgresql(url, work))
    engine = create_engine(
        URL.create("sqlite", database=str(sqlite_file(url).absolute())),
        poolclass=NullPool,
        connect_args={"timeout": BUSY_TIMEOUT, "isolation_level": None},  # transactions are ours
        hide_parameters=True,
    )
    event.listen(engine, "handle_error", _translate)
    event.listen(engine, "connect", _prepare_sqlite)
    # It takes the write lock first: a transaction that starts by reading may fail to get it.
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    with engine.begin() as connection:
        return work(connection)


async def _on_postgresql(url: str, work: Callable[[Connection], R]) -> R:
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=Servers(url, prepared=False).connect,  # each statement runs once
        poolclass=NullPool,
        hide_parameters=True,
    )
    event.listen(engine.sync_engine, "handle_error", _translate)
    event.listen(engine.sync_engine, "begin", _limit_waiting)
    async with engine.connect() as connection:
        result = await connection.run_sync(work)
        await connection.commit()
        return result


def _prepare_sqlite(connection: DBAPIConnection, _: object) -> None:
    """Set WAL, and no foreign keys: replacing a table would delete all rows that refer to it."""
    connection.cursor().execute("PRAGMA journal_mode = WAL")
    connection.cursor().execute("PRAGMA foreign_keys = OFF")


def _limit_waiting(connection: Connection) -> None:
    """Set the lock timeout, except with AUTOCOMMIT.

    What runs so, such as CREATE INDEX CONCURRENTLY, blocks no others while it waits.
    """
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")


def _translate(context: ExceptionContext) -> Unavailable | None:
    """Return the Unavailable that SQLAlchemy is to raise for a driver's error, if it is one."""
    error = context.original_exception
    return unavailable(error) or (unavailable(error.__cause__) if error.__cause__ else None)
