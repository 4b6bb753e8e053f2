"""How the engine that writes is opened, and how SQLite's transactions begin and end."""

import time
from typing import Final

from sqlalchemy import AdaptedConnection, Connection, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from gql_app.db.faults import Busy, translate
from gql_app.db.postgres import Servers
from gql_app.db.sqlite import BUSY_TIMEOUT
from gql_app.settings import SQLITE

CONNECTIONS: Final = 10
"""Connections that one process reads with; as many again write."""
POOL_TIMEOUT: Final = 5
"""Seconds that anybody waits for one of them."""
BUSY_STEP_MS: Final = 500
"""Milliseconds that it waits at a time, for nothing ends a wait within SQLite sooner."""


def open_engine(
    url: str,
    *,
    connections: int = CONNECTIONS,
    pool_timeout: float = POOL_TIMEOUT,
    prepared: bool = True,
) -> AsyncEngine:
    """Make the engine for a `sqlite:///` or `postgresql://` URL, which writes go through.

    Values are kept out of errors and logs, for they may be passwords' hashes. What shows that
    the database can't be used is raised as Unavailable.
    """
    if url.startswith(SQLITE):
        engine = create_async_engine(
            make_url(url).set(drivername="sqlite+aiosqlite"),
            connect_args={"timeout": BUSY_TIMEOUT},
            hide_parameters=True,
            pool_size=connections,
            pool_timeout=pool_timeout,
            max_overflow=0,
        )
        event.listen(engine.sync_engine, "handle_error", translate)
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        event.listen(engine.sync_engine, "invalidate", _interrupt_sqlite)
        return engine

    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=Servers(url, prepared=prepared).connect,
        hide_parameters=True,
        pool_size=connections,
        pool_timeout=pool_timeout,
        max_overflow=0,
    )
    event.listen(engine.sync_engine, "handle_error", translate)
    return engine


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    """Take transactions into our own hands; let readers and a writer work side by side."""
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_STEP_MS}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """Take the writer's lock first: one that starts by reading may not get it later."""
    patience = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        except Busy:
            if time.monotonic() > patience:
                raise
        else:
            return


def _interrupt_sqlite(connection: DBAPIConnection, *_: object) -> None:
    """End the statement of a connection that is given up: its thread knows of no cancelling."""
    assert isinstance(connection, AdaptedConnection)  # noqa: S101 — for mypy
    connection.run_async(lambda driver: driver.interrupt())
