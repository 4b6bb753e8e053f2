"""What the tests of the commands share: a database at noon."""

import pytest

from gql_app.lib.database import Database
from tests.accounts.conftest import NOON
from tests.conftest import SetClock


@pytest.fixture
def noon(database: Database, set_clock: SetClock) -> Database:
    """Open a database at noon."""
    set_clock(NOON)
    return database
