"""What the tests of the rules share: a database at noon, and somebody in it."""

from datetime import UTC, datetime

import pytest

from gql_app.db.engine import Database
from gql_app.db.tables import CustomerRow
from gql_app.resources import Resources
from tests.conftest import SetClock
from tests.people import add_customer

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def noon(resources: Resources, set_clock: SetClock) -> Database:
    """Open a database at noon."""
    set_clock(NOON)
    return resources.database


@pytest.fixture
async def ada(noon: Database) -> CustomerRow:
    """Add a customer whom letters are for."""
    return await add_customer(noon, "Ada Müller 🦊", "ada@example.com")
