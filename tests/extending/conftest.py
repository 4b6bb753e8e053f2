"""What these tests share: databases that the market's migrations have seen, and its API."""

from collections.abc import AsyncIterator

import pytest
from alembic import command

from gql_app.db.migrations.branches import Branch, alembic_config
from gql_app.settings import Settings
from tests.api import Api, running
from tests.extending.market.api import app, market


@pytest.fixture
def branch() -> Branch:
    """Give the market's migrations."""
    [branch] = app.merged.branches
    return branch


@pytest.fixture
def market_settings(settings: Settings, branch: Branch) -> Settings:
    """Migrate a database for the market as well."""
    command.upgrade(alembic_config(settings.database_url, branch), "head")
    return settings


@pytest.fixture
async def market_api(market_settings: Settings) -> AsyncIterator[Api]:
    """Run the market."""
    async with running(market_settings, features=[market]) as api:
        yield api
