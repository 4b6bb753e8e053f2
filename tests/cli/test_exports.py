"""All customers are read out, page by page, and no more of them than is asked for."""

import pytest

from gql_app.cli import exports
from gql_app.cli.exports import PAGE
from gql_app.lib.database import Database
from tests.accounts.rows import customer, statements, store


async def read(database: Database, *fields: str) -> list[list[tuple[object, ...]]]:
    """Read all pages."""
    return [[tuple(row) for row in page] async for page in exports.pages(database, fields)]


@pytest.mark.parametrize(
    ("count", "sizes"), [(0, []), (1, [1]), (PAGE, [PAGE]), (PAGE + 1, [PAGE, 1])]
)
async def test_everybody_is_there_once_in_the_order_of_ids(
    database: Database, count: int, sizes: list[int]
) -> None:
    stored = await store(database, (customer(f"C {number}") for number in range(count)))
    pages = await read(database, "id", "name")
    assert [len(page) for page in pages] == sizes
    assert [row for page in pages for row in page] == sorted((row.id, row.name) for row in stored)


async def test_no_hash_leaves_the_database_unless_it_is_asked_for(database: Database) -> None:
    await store(database, [customer("Ada")])
    with statements() as seen:
        assert await read(database, "name", "phone") == [[("Ada", None)]]
    assert seen
    assert not [statement for statement, _ in seen if "password_hash" in statement]
