"""Keys of customers whom a server of the version before has written, or changed."""

from collections.abc import Sequence

import pytest
from sqlalchemy import select, update

from gql_app.cli import backfill, batches
from gql_app.cli.backfill import Collision
from gql_app.db.tables import CustomerRow
from gql_app.lib.database import Database, Query
from gql_app.lib.text import canonical_email, search_key
from tests.accounts.rows import StoredCustomer, customer, store


def before(name: str, email: str, *, canonical: str | None = None) -> StoredCustomer:
    """Make a row as the version before writes it."""
    row = customer(name, email)
    row.name_key, row.email_canonical = name.casefold(), canonical
    return row


async def keys(database: Database) -> list[tuple[str, str | None]]:
    """Return every customer's keys, by their ids."""
    rows = await database.fetch_all(select(CustomerRow).order_by(CustomerRow.id))
    return [(row.name_key, row.email_canonical) for row in rows]


async def stored(database: Database, rows: Sequence[StoredCustomer]) -> Sequence[StoredCustomer]:
    """Store rows whose ids sort as they stand."""
    for row, row_id in zip(rows, sorted(row.id for row in rows), strict=True):
        row.id = row_id
    return await store(database, rows)


def right(rows: Sequence[StoredCustomer]) -> list[tuple[str, str | None]]:
    """Return what their keys are to be."""
    return [(search_key(row.name), canonical_email(row.email)) for row in rows]


@pytest.fixture(params=[1, 2, 1_000])
def batch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fill in batches of several sizes."""
    monkeypatch.setattr(batches, "BATCH", request.param)


@pytest.mark.usefixtures("batch")
async def test_missing_and_outdated_keys_are_written_and_others_left(database: Database) -> None:
    rows = await stored(
        database,
        [
            before("İSTANBUL", "straße@example.com"),
            customer("Ada", "ada@example.com"),
            before("Bob", "bob@bücher.example.com"),
            before("Eve", "new@example.com", canonical="old@example.com"),
            before("Zoë", "zoe@example.com"),
        ],
    )
    for _ in range(2):
        assert await backfill.fill(database) == []
        assert await keys(database) == right(rows)


@pytest.mark.usefixtures("batch")
async def test_keys_that_were_exchanged_since_are_put_right(database: Database) -> None:
    """Their addresses went round, by a server that left the keys as they were."""
    addresses = ["a@example.com", "b@example.com", "c@example.com"]
    stale = [*addresses[1:], addresses[0]]
    rows = await stored(
        database,
        [
            before(f"Ada {n}", address, canonical=key)
            for n, (address, key) in enumerate(zip(addresses, stale, strict=True))
        ],
    )
    assert await backfill.fill(database) == []
    assert await keys(database) == right(rows)


@pytest.mark.usefixtures("batch")
async def test_customers_of_one_mailbox_are_told_each_time_until_one_has_another(
    database: Database,
) -> None:
    """Their keys of before differ, for one was stored under the domain's A-label."""
    rows = [
        before("Ada", "ada@bücher.example.com"),
        before("Bob", "bob@example.com"),
        before("Eve", "ada@xn--bcher-kva.example.com"),
    ]
    await stored(database, rows)
    told = [Collision(rows[0].id, rows[2].id)]
    assert await backfill.collisions(database) == told
    for _ in range(2):
        assert await backfill.fill(database) == told
        assert await backfill.collisions(database) == told
    assert [key for _, key in await keys(database)] == [
        "ada@xn--bcher-kva.example.com",
        "bob@example.com",
        None,
    ]
    async with database.transaction() as db:
        email = {"email": "eve@example.com", "email_key": "eve@example.com"}
        await db.execute(update(CustomerRow).where(CustomerRow.id == rows[2].id).values(email))
    assert await backfill.fill(database) == []
    assert await backfill.collisions(database) == []


async def test_what_is_changed_while_its_keys_are_made_is_left_alone(
    database: Database,
) -> None:
    [row] = await store(database, [before("Ada", "ada@example.com")])
    read = await database.fetch_all(Query(backfill._KEYS, backfill._Keys._make))  # noqa: SLF001 — between two steps of one rule
    async with database.transaction() as db:
        values = {"name": "Eve", "name_key": "eve"}
        await db.execute(update(CustomerRow).where(CustomerRow.id == row.id).values(values))
    for step in (backfill._renew, backfill._complete):  # noqa: SLF001
        await database.transact(step, read)
    assert await keys(database) == [("eve", None)]
