"""What the tests of features share: a shop on each database, and its people."""

from collections.abc import AsyncIterator

import pytest

from gql_app.settings import Settings
from tests.extending import shop as written
from tests.extending.graph import Graph, create_tables, graph
from tests.letterbox import Letterbox
from tests.people import Person, add_customer, sign_in


@pytest.fixture
async def shop(settings: Settings, letterbox: Letterbox) -> AsyncIterator[Graph]:  # noqa: ARG001 — letters go there
    """Run the shop on an empty database."""
    written.happened.clear()
    async with graph(settings, [written.SHOP]) as opened:
        await create_tables(opened.resources.database, written.Base)
        yield opened


@pytest.fixture
async def ada(shop: Graph) -> Person:
    """Sign in a plain customer."""
    return await sign_in(
        shop.resources,
        await add_customer(shop.resources.database, "Ada Plain", phone="+1 555 0100"),
    )


@pytest.fixture
async def bob(shop: Graph) -> Person:
    """Sign in another plain customer."""
    return await sign_in(shop.resources, await add_customer(shop.resources.database, "Bob Other"))


@pytest.fixture
async def grace(shop: Graph) -> Person:
    """Sign in an admin."""
    added = await add_customer(shop.resources.database, "Grace Admin", is_admin=True)
    return await sign_in(shop.resources, added)
