"""Databases with one table, fresh for each test."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gql_app.lib.database import Database
from tests.databases import Postgres
from tests.lib.database.people import make_table


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Return the URL of an empty database for each test, on each engine."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Return the URL of an SQLite file."""
    return f"sqlite:///{tmp_path / 'test.db'}"


@pytest.fixture
def postgresql_url(postgres: Postgres) -> Iterator[str]:
    """Yield the URL of a PostgreSQL database."""
    with postgres.copied("template0") as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Open a database that has the table."""
    database = Database(database_url)
    await make_table(database)
    yield database
    await database.close()


@pytest.fixture
async def postgresql(postgresql_url: str) -> AsyncIterator[Database]:
    """Open a PostgreSQL database with a small connection pool."""
    database = Database(postgresql_url, connections=3, pool_timeout=1)
    await make_table(database)
    yield database
    await database.close()


@pytest.fixture
async def sqlite(sqlite_url: str) -> AsyncIterator[Database]:
    """Open an SQLite file with few connections for reading."""
    database = Database(sqlite_url, connections=2)
    await make_table(database)
    yield database
    await database.close()
