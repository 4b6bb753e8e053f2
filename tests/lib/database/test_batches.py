"""Batches: no more rows than asked for, none that is locked or meant no longer, and each once."""

import asyncio

import pytest
from sqlalchemy import bindparam, delete, select, update

from gql_app.lib.database import Batch, Database
from tests.lib.database.people import COUNT, NAMES, PATIENCE, PersonRow, add, once, rename

FORMER = select(PersonRow.id).where(PersonRow.name.startswith(bindparam("prefix")))
DELETE = Batch(FORMER, delete(PersonRow))
RETIRE = Batch(
    select(PersonRow.name, PersonRow.id).where(PersonRow.is_active).order_by(PersonRow.name),
    update(PersonRow).values(is_active=False),
)


async def test_batches_take_what_is_meant_and_nothing_else(database: Database) -> None:
    await once(database, lambda tx: add(tx, *(f"former {n}" for n in range(5)), "Ada", "Bob"))
    counts = [
        await once(database, lambda tx: DELETE.apply(tx, batch=2, prefix="former"))
        for _ in range(4)
    ]
    assert counts == [2, 2, 1, 0]
    assert await database.fetch_all(NAMES) == ["Ada", "Bob"]


async def test_rows_of_several_key_columns_are_changed_in_their_order(database: Database) -> None:
    await once(database, lambda tx: add(tx, "Cid", "Ada", "Bob"))
    assert await once(database, lambda tx: RETIRE.apply(tx, batch=2)) == 2
    active = select(PersonRow.name).where(PersonRow.is_active)
    assert await database.fetch_all(active) == [("Cid",)]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_what_another_holds_is_passed_over_and_nobody_waits(database: Database) -> None:
    ids = await once(database, lambda tx: add(tx, *(f"former {n}" for n in range(4))))
    async with asyncio.timeout(PATIENCE), database.transaction() as other:
        await rename(other, ids[0], "Ada")
        assert await once(database, lambda tx: DELETE.apply(tx, batch=3, prefix="former")) == 2
        assert await once(database, lambda tx: DELETE.apply(tx, batch=3, prefix="former")) == 1
        assert await once(database, lambda tx: DELETE.apply(tx, batch=3, prefix="former")) == 0
    assert await database.fetch_all(NAMES) == ["Ada"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_several_at_once_take_each_row_once(database: Database) -> None:
    await once(database, lambda tx: add(tx, *(f"former {n}" for n in range(60))))

    async def take() -> int:
        total = 0
        while count := await once(database, lambda tx: DELETE.apply(tx, batch=7, prefix="former")):
            total += count
        return total

    async with asyncio.timeout(PATIENCE):
        assert sum(await asyncio.gather(take(), take(), take())) == 60
    assert await database.fetch_one(COUNT) == 0
