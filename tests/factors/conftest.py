"""Fixtures of the second factors' tests: a signed-in customer at a fixed time."""

from datetime import UTC, datetime

import pytest

from gql_app.accounts.sessions import SignedIn
from gql_app.lib.database import Database
from tests.conftest import SetClock
from tests.factors.people import signed_in

NOON = datetime(2030, 1, 31, 12, 0, 5, tzinfo=UTC)


@pytest.fixture
def noon(database: Database, set_clock: SetClock) -> Database:
    """Return a database, with the clock set to noon."""
    set_clock(NOON)
    return database


@pytest.fixture
async def ada(noon: Database) -> SignedIn:
    """Add Ada, and open a session."""
    return await signed_in(noon)
