"""Deactivated accounts: whoever may not read private fields does not see them, in any way."""

import pytest

from gql_app.accounts import customers
from gql_app.accounts.customer_lists import Filter, Order, OrderField, listing
from gql_app.db.tables import CustomerRow
from gql_app.lib.database import Database
from gql_app.lib.pagination import Window
from tests.accounts.rows import CROWD, FREQUENT, RARE, SHORT, StoredCustomer, names, store, walk
from tests.accounts.rows import customer as made
from tests.people import caller_of
from tests.rows import change

ANYBODYS = [
    Order(field, descending=down)
    for field in (OrderField.CREATED_AT, OrderField.NAME)
    for down in (False, True)
]


@pytest.fixture(scope="module")
async def half(shared_database: Database) -> tuple[Database, list[StoredCustomer]]:
    """Store twenty customers, of whom each other one is deactivated."""
    rows = [made(f"Zebedee {n:02}", seconds=n) for n in range(20)]
    for row in rows[::2]:
        row.is_active = False
    return shared_database, await store(shared_database, rows)


@pytest.mark.parametrize("order", ANYBODYS)
@pytest.mark.parametrize("which", [Filter(), RARE, SHORT, Filter(is_admin=False)])
@pytest.mark.parametrize("backward", [False, True])
async def test_no_page_shows_them_and_every_other_one_once(
    half: tuple[Database, list[StoredCustomer]], order: Order, which: Filter, *, backward: bool
) -> None:
    database, rows = half
    of = listing(which, order, reads_private=False, caller_id=rows[1].id)
    pages = [names(page.rows) async for page in walk(database, of, 3, backward=backward)]
    seen = [name for page in (pages[::-1] if backward else pages) for name in page]
    active = [row.name for row in rows[1::2]]
    assert seen == (active[::-1] if order.descending else active)
    assert [len(page) for page in pages] == [3, 3, 3, 1]


@pytest.mark.parametrize("which", [Filter(), RARE, SHORT, Filter(is_admin=False)])
async def test_no_count_counts_them(
    half: tuple[Database, list[StoredCustomer]], which: Filter
) -> None:
    database, rows = half
    for reads_private, caller, count in (
        (True, rows[1], 20),
        (False, rows[1], 10),
        (False, rows[0], 11),  # oneself one always sees
    ):
        of = listing(which, Order(), reads_private=reads_private, caller_id=caller.id)
        assert await of.count(database) == count


async def test_by_id_they_are_nobody_but_to_admins_and_themselves(
    half: tuple[Database, list[StoredCustomer]],
) -> None:
    database, [gone, active, *_] = half
    for reads_private, caller, seen in (
        (True, active, True),
        (False, active, False),
        (False, gone, True),
    ):
        by = caller_of(caller.id, "admin" if reads_private else "")
        found = await customers.visible_by_id(database, gone.id, by=by)
        assert (found is not None) == seen
    assert await customers.visible_by_id(database, active.id, by=caller_of(gone.id))


async def test_rare_matches_are_found_among_many_of_them(
    changing_crowd: tuple[Database, list[StoredCustomer]],
) -> None:
    database, rare = changing_crowd
    async with database.transaction() as db:
        await change(db, CustomerRow, rare[1].id, is_active=False)
    of = listing(RARE, Order(), reads_private=False, caller_id=None)
    pages = [names(page.rows) async for page in walk(database, of, 1, backward=False)]
    assert pages == [[rare[0].name], [rare[2].name]]
    everybody = listing(FREQUENT, Order(), reads_private=False, caller_id=None)
    assert await everybody.count(database) == CROWD
    assert len((await everybody.page(database, Window(500), ["id"])).rows) == 500
