"""Fixtures of the rules' tests: a database at a fixed time, with a customer in it."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from gql_app.accounts.records import CustomerRecord
from gql_app.lib.database import Database
from gql_app.lib.pagination.listing import REACH
from gql_app.resources import Resources
from tests.accounts.rows import CROWD, START, StoredCustomer, customer, store
from tests.conftest import SetClock
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


@pytest.fixture
async def crowd(database: Database) -> tuple[Database, list[StoredCustomer]]:
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
    return database, rare
