"""A table of letters without customers, fresh for each test; and no authorities to load."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from gql_app.lib.database import Database
from tests.databases import Postgres

COLUMNS = """
CREATE TABLE post (
    id {uuid} PRIMARY KEY, attempts INTEGER NOT NULL, due_at {moment} NOT NULL, owner TEXT
)
"""


@pytest.fixture(autouse=True)
def no_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust nobody: to load the system's authorities takes most of the time of a letter."""
    monkeypatch.setenv("SSL_CERT_FILE", os.devnull)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Yield the URL of an empty database for each test, on each engine."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'post.db'}"
    else:
        server: Postgres = request.getfixturevalue("postgres")
        with server.copied("template0") as url:
            yield url


@pytest.fixture
async def post_office(empty_url: str) -> AsyncIterator[Database]:
    """Open a database that has the table."""
    database = Database(empty_url)
    types = {"sqlite": ("CHAR(32)", "DATETIME"), "postgresql": ("UUID", "TIMESTAMPTZ")}
    uuid, moment = types[database.dialect]
    async with database.transaction() as db:
        await db.execute(text(COLUMNS.format(uuid=uuid, moment=moment)))
    yield database
    await database.close()
