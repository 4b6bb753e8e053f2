"""All customers are read out, page by page, and no more of them than is asked for."""

import json
from io import BytesIO

import pytest

from gql_app.cli.batches import BATCH
from gql_app.cli.exports import export
from gql_app.lib.database import Database
from tests.accounts.rows import customer, statements, store


async def read(database: Database, *fields: str) -> list[list[object]]:
    """Return the values of all customers."""
    to = BytesIO()
    count = await export(database, to, "jsonl", [*fields], quiet=True)
    lines = [json.loads(line) for line in to.getvalue().splitlines()]
    assert len(lines) == count
    assert all(tuple(line) == fields for line in lines)
    return [[*line.values()] for line in lines]


@pytest.mark.parametrize(("count", "pages"), [(0, 0), (1, 1), (BATCH, 1), (BATCH + 1, 2)])
async def test_everybody_is_there_once_in_the_order_of_ids(
    database: Database, count: int, pages: int
) -> None:
    stored = await store(database, (customer(f"C {number}") for number in range(count)))
    with statements() as seen:
        rows = await read(database, "id", "name")
    assert rows == sorted([str(row.id), row.name] for row in stored)
    assert len([sql for sql, _ in seen if "LIMIT" in sql]) == pages + 1


async def test_no_hash_leaves_the_database_unless_it_is_asked_for(database: Database) -> None:
    await store(database, [customer("Ada")])
    with statements() as seen:
        assert await read(database, "name", "phone") == [["Ada", None]]
    assert seen
    assert not [statement for statement, _ in seen if "password_hash" in statement]
