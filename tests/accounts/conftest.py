"""Fixtures of the rules' tests: a database at a fixed time, with a customer in it."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from gql_app.accounts.records import CustomerRecord
from gql_app.lib.database import Database
from gql_app.lib.pagination.listing import REACH
from gql_app.resources import Resources
from tests.accounts.rows import CROWD, START, StoredCustomer, customer, store
from tests.conftest import SetClock
from tests.databases import Postgres, copied_sqlite
from tests.people import add_customer

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def noon(resources: Resources, set_clock: SetClock) -> Database:
    """Return a database, with the clock set to noon."""
    set_clock(NOON)
    return resources.database


@pytest.fixture
async def ada(noon: Database) -> CustomerRecord:
    """Add a customer who gets letters."""
    return await add_customer(noon, "Ada Müller 🦊", "ada@example.com")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Yield the URL of a database, on each engine, for the tests of a file that only read."""
    if request.param == "sqlite":
        template = request.getfixturevalue("sqlite_template")
        yield copied_sqlite(template, tmp_path_factory.mktemp("shared"))
    else:
        server: Postgres = request.getfixturevalue("postgres")
        with server.copied() as url:
            yield url


@pytest.fixture(scope="module")
async def shared_database(anyio_backend: str, shared_url: str) -> AsyncIterator[Database]:
    """Open the database that the tests of a file share."""
    assert anyio_backend == "asyncio"
    database = Database(shared_url)
    yield database
    await database.close()


@pytest.fixture(scope="module")
async def crowd(shared_database: Database) -> tuple[Database, list[StoredCustomer]]:
    """Store the crowd once, for tests that only read it."""
    return shared_database, await store_crowd(shared_database)


@pytest.fixture
async def changing_crowd(database: Database) -> tuple[Database, list[StoredCustomer]]:
    """Store a crowd for one test, which changes it."""
    return database, await store_crowd(database)


async def store_crowd(database: Database) -> list[StoredCustomer]:
    """Store many customers; three of them, far apart, are named Zebedee, admins and invited."""
    people = [customer(f"Customer-{n}", seconds=n) for n in range(CROWD)]
    rare = [customer(f"{letter} Zebedee {letter}", seconds=n) for n, letter in enumerate("Dcx")]
    for row, seconds in zip(rare, (REACH // 2, 3 * REACH + 10, CROWD), strict=True):
        row.is_admin, row.invited_at = True, START
        row.created_at = START + timedelta(seconds=seconds)
        row.email = row.email_key = row.email_canonical = f"{CROWD}{row.email_key}"
    await store(database, [*people, *rare])
    async with database.transaction() as db:
        await db.execute(text("ANALYZE"))
    return rare
