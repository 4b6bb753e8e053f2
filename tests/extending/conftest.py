"""Fixtures of the features' tests: the market and a shop on each database, and their people."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from alembic import command

from gql_app.db.migrations.branches import Branch, alembic_config
from gql_app.settings import Settings
from tests.api import Api, running
from tests.databases import sent
from tests.extending import shop as written
from tests.extending.graph import Graph, create_tables, created, graph
from tests.extending.market.api import app, market
from tests.letterbox import Letterbox
from tests.people import Person, add_customer, sign_in


@pytest.fixture(autouse=True)
def created_tables_are_dropped(request: pytest.FixtureRequest) -> Iterator[None]:
    """Drop the tables of features, so that PostgreSQL's database is emptied and not made anew."""
    url = request.getfixturevalue("database_url") if "database_url" in request.fixturenames else ""
    created.clear()
    yield
    if created and url.startswith("postgresql"):
        asyncio.run(sent(url, f"DROP TABLE IF EXISTS {', '.join(created)}"))


@pytest.fixture
def branch() -> Branch:
    """Return the market's migration branch."""
    [branch] = app.merged.extensions.branches
    return branch


@pytest.fixture
def market_settings(settings: Settings, branch: Branch) -> Settings:
    """Return the settings, with the database migrated for the market as well."""
    command.upgrade(alembic_config(settings.database_url, branch), "head")
    return settings


@pytest.fixture
async def market_api(market_settings: Settings) -> AsyncIterator[Api]:
    """Run the market."""
    async with running(market_settings, features=[market]) as api:
        yield api


@pytest.fixture
async def shop(settings: Settings, letterbox: Letterbox) -> AsyncIterator[Graph]:  # noqa: ARG001 — letters go there
    """Run the shop on an empty database."""
    written.happened.clear()
    async with graph(settings, [written.SHOP]) as opened:
        await create_tables(opened.resources.database, written.Base)
        yield opened


@pytest.fixture
async def ada(shop: Graph) -> Person:
    """Sign in a customer without a role."""
    return await sign_in(
        shop.resources,
        await add_customer(shop.resources.database, "Ada Plain", phone="+1 555 0100"),
    )


@pytest.fixture
async def bob(shop: Graph) -> Person:
    """Sign in another customer without a role."""
    return await sign_in(shop.resources, await add_customer(shop.resources.database, "Bob Other"))


@pytest.fixture
async def grace(shop: Graph) -> Person:
    """Sign in an admin."""
    added = await add_customer(shop.resources.database, "Grace Admin", is_admin=True)
    return await sign_in(shop.resources, added)
