"""The Citus cluster of a test run: one database, which is emptied for each test."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Final

import asyncpg
from alembic import command
from anyio.from_thread import BlockingPortal, start_blocking_portal

from gql_app.cli.distribute import InTurn, Step, steps
from gql_app.db.migrations.branches import VERSION_TABLE
from gql_app.db.migrations.engine import run_on
from gql_app.db.readiness import tables
from tests.databases import TABLES, alembic_config

OPTION: Final = "--distributed"
NEEDED: Final = (
    "This needs a Citus cluster: name an empty database of its coordinator, on which a superuser "
    "has said CREATE EXTENSION citus and added the machines, as "
    "make test-distributed URL=postgresql://postgres@127.0.0.1:5432/tests"
)

IN_USE: Final = "This database has customers, whom the tests would delete: name another."


class NoCluster(Exception):
    """The reason why tests can't use the URL as a cluster."""


class Cluster:
    """A distributed database, with the interface of the other tests' server."""

    def __init__(self, url: str, portal: BlockingPortal) -> None:
        self._url: Final = url
        self._portal: Final = portal
        self._connection: asyncpg.Connection | None = None

    def url(self, _: str = "") -> str:
        """Return the database's URL."""
        return self._url

    def prepare(self) -> None:
        """Create the tables anew, and distribute them. Raises NoCluster."""
        try:
            there = self.fetch("SELECT to_regclass('pg_dist_partition')::text")
            [[customers]] = self.fetch("SELECT to_regclass('customers')::text")
            used = customers and self.fetch("SELECT id FROM customers LIMIT 1")
        except (OSError, ValueError, asyncpg.PostgresError) as why:
            msg = f"{NEEDED} ({type(why).__name__})"
            raise NoCluster(msg) from why
        if there != [("pg_dist_partition",)]:
            raise NoCluster(NEEDED)
        if used:
            raise NoCluster(IN_USE)
        self.clear()
        self.migrate()
        self.distribute()

    def clear(self) -> None:
        """Drop all tables."""
        self.fetch(f"DROP TABLE IF EXISTS {', '.join(TABLES)}, {VERSION_TABLE} CASCADE")

    def migrate(self) -> None:
        """Create the tables."""
        command.upgrade(alembic_config(self._url), "head")

    def distribute(self) -> None:
        """Distribute the tables, as the command distribute does."""
        todo: list[Step | InTurn] = [InTurn(), *steps(frozenset(), [*tables()])]
        for step in todo:
            run_on(self._url, step.run)
            run_on(self._url, step.clean)

    @contextmanager
    def copied(self, template: str = "", kept: object = None) -> Iterator[str]:  # noqa: ARG002 — that of Postgres
        """Yield the URL of the database, emptied."""
        assert not template, "A cluster has one database, which is migrated."
        self.empty()
        yield self._url
        self.empty()

    def empty(self) -> None:
        """Delete all rows, referring tables first."""
        for each in TABLES:
            if self.fetch(f"SELECT 1 FROM {each} LIMIT 1"):  # noqa: S608 — our tables
                self.fetch(f"DELETE FROM {each}")  # noqa: S608 — as above

    def fetch(self, statement: str) -> list[Any]:
        """Return the rows of a statement, as tuples."""
        return self._portal.call(self._fetch, statement)

    def close(self) -> None:
        """Close the connection."""
        if self._connection:
            self._portal.call(self._connection.close)

    async def _fetch(self, statement: str) -> list[Any]:
        if self._connection is None:
            self._connection = await asyncpg.connect(self._url, statement_cache_size=0)
        return [tuple(row) for row in await self._connection.fetch(statement)]


@contextmanager
def cluster(url: str) -> Iterator[Cluster]:
    """Yield a cluster that is prepared for tests. Raises NoCluster."""
    with start_blocking_portal() as portal, closing(Cluster(url, portal)) as found:
        found.prepare()
        yield found
