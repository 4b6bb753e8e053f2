"""Fixtures of the commands' tests: a database at a fixed time."""

import pytest

from gql_app.lib.database import Database
from tests.accounts.conftest import NOON
from tests.conftest import SetClock


@pytest.fixture
def noon(database: Database, set_clock: SetClock) -> Database:
    """Return a database, with the clock set to noon."""
    set_clock(NOON)
    return database
