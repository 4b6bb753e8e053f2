"""Somebody can always administer: the last active admin stays one."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import combinations_with_replacement
from uuid import UUID

import pytest
from sqlalchemy import delete, func, select

from gql_app.accounts import customers
from gql_app.accounts.validation import Changes
from gql_app.db.tables import CustomerRow
from gql_app.errors import Rejected
from gql_app.lib.database import Database, Transaction
from tests.people import NOWHERE, add_customer
from tests.rows import value

Change = Callable[[Transaction, UUID], Awaitable[object]]
ROUNDS = 5


async def demote(db: Transaction, customer_id: UUID) -> None:
    """Make an admin a plain customer."""
    await customers.update(db, customer_id, Changes({"is_admin": False}), origin=NOWHERE)


async def deactivate(db: Transaction, customer_id: UUID) -> None:
    """Shut a customer out."""
    await customers.update(db, customer_id, Changes({"is_active": False}), origin=NOWHERE)


async def remove(db: Transaction, customer_id: UUID) -> None:
    """Remove a customer."""
    await customers.delete(db, customer_id, origin=NOWHERE)


CHANGES: list[Change] = [remove, demote, deactivate]


async def unseat(database: Database, change: Change, customer_id: UUID) -> str | None:
    """Try a change in a transaction of its own; return the code it is rejected with."""
    try:
        async with database.transaction() as db:
            await change(db, customer_id)
    except Rejected as why:
        [fault] = why.faults
        assert fault.field == "id"
        return fault.code
    return None


async def active_admins(database: Database) -> int:
    """Count those who can administer."""
    statement = select(func.count()).where(CustomerRow.is_admin, CustomerRow.is_active)
    return await value(database, statement)


@pytest.mark.parametrize("change", CHANGES)
async def test_the_last_active_admin_stays_one(database: Database, change: Change) -> None:
    last = await add_customer(database, "Ada", is_admin=True)
    retired = await add_customer(database, "Bob", is_admin=True)
    assert await unseat(database, deactivate, retired.id) is None
    await add_customer(database, "Carla Plain")
    assert await unseat(database, change, last.id) == "LAST_ADMIN"
    row = await customers.by_id(database, last.id)
    assert row is not None
    assert (row.is_admin, row.is_active, row.updated_at) == (True, True, last.updated_at)


@pytest.mark.parametrize("change", CHANGES)
async def test_an_admin_who_is_not_the_last_may_go(database: Database, change: Change) -> None:
    first = await add_customer(database, "Ada", is_admin=True)
    await add_customer(database, "Bob", is_admin=True)
    assert await unseat(database, change, first.id) is None
    assert await active_admins(database) == 1


@pytest.mark.parametrize("change", CHANGES)
async def test_plain_and_retired_customers_may_go_beside_the_last_admin(
    database: Database, change: Change
) -> None:
    await add_customer(database, "Ada", is_admin=True)
    retired = await add_customer(database, "Bob", is_admin=True)
    plain = await add_customer(database, "Carla Plain")
    assert await unseat(database, deactivate, retired.id) is None
    assert await unseat(database, change, retired.id) is None
    assert await unseat(database, change, plain.id) is None
    assert await active_admins(database) == 1


@pytest.mark.parametrize(
    "values", [{"name": "Augusta", "name_key": "augusta"}, {"is_admin": True, "is_active": True}]
)
async def test_the_last_admin_may_change_in_other_ways(
    database: Database, values: dict[str, str | bool | None]
) -> None:
    last = await add_customer(database, "Ada", is_admin=True)
    async with database.transaction() as db:
        await customers.update(db, last.id, Changes(values), origin=NOWHERE)
    assert await active_admins(database) == 1


@pytest.mark.parametrize(("one", "another"), list(combinations_with_replacement(CHANGES, 2)))
async def test_of_two_who_race_to_unseat_the_last_two_admins_one_wins(
    database: Database, one: Change, another: Change
) -> None:
    for _ in range(ROUNDS):
        async with database.transaction() as db:
            await db.execute(delete(CustomerRow))
        ada = await add_customer(database, "Ada", is_admin=True)
        bob = await add_customer(database, "Bob", is_admin=True)
        ends = await asyncio.gather(
            unseat(database, one, ada.id), unseat(database, another, bob.id)
        )
        assert sorted(map(str, ends)) == ["LAST_ADMIN", "None"]
        assert await active_admins(database) == 1


async def test_of_ten_who_race_to_unseat_ten_admins_nine_win(database: Database) -> None:
    admins = [await add_customer(database, f"Admin{n}", is_admin=True) for n in range(10)]
    ends = await asyncio.gather(
        *(unseat(database, CHANGES[n % 3], row.id) for n, row in enumerate(admins))
    )
    assert sorted(map(str, ends)) == ["LAST_ADMIN"] + ["None"] * 9
    assert await active_admins(database) == 1
