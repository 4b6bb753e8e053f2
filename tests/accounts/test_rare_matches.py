"""Of a filter that few match, a page stays one short walk and one gathering."""

from datetime import timedelta
from itertools import product

import pytest

from gql_app.accounts.customer_lists import Filter, Order, OrderField, listing
from gql_app.accounts.customers import delete
from gql_app.lib.database import Database
from gql_app.lib.pagination import MAX_COUNT, Window
from gql_app.lib.pagination.listing import EVERYTHING, REACH
from tests.accounts.rows import (
    CROWD,
    FREQUENT,
    ORDERS,
    RARE,
    SHORT,
    START,
    StoredCustomer,
    cursor,
    customer,
    in_order,
    names,
    read,
    statements,
    store,
)
from tests.accounts.rows import walk as pages_of
from tests.people import NOWHERE


@pytest.mark.parametrize("which", [RARE, SHORT, Filter(is_admin=True), Filter(is_invited=True)])
async def test_rare_matches_are_found_wherever_they_stand(
    crowd: tuple[Database, list[StoredCustomer]], which: Filter
) -> None:
    database, rare = crowd
    for order, backward in product(ORDERS, (False, True)):
        of = listing(which, order, reads_private=True)
        pages = [page async for page in pages_of(database, of, 1, backward=backward)]
        seen = [row.id for page in (pages[::-1] if backward else pages) for row in page.rows]
        assert seen == [row.id for row in in_order(order, rare)], (order, backward)
        inner = pages[1]
        assert (inner.has_previous, inner.has_next) == (True, True)


@pytest.mark.parametrize("backward", [False, True])
async def test_what_lies_beyond_a_cursor_is_answered_though_its_row_is_gone_and_the_next_far_off(
    changing_crowd: tuple[Database, list[StoredCustomer]], *, backward: bool
) -> None:
    database, rare = changing_crowd
    of = listing(RARE, Order(), reads_private=True)
    there = cursor(of, rare[1])
    async with database.transaction() as db:
        await delete(db, rare[1].id, origin=NOWHERE)
    window = Window(1, backward=True, before=there) if backward else Window(1, after=there)
    page = await read(database, of, window)
    assert names(page.rows) == [rare[0 if backward else 2].name]
    assert (page.has_previous, page.has_next) == (not backward, backward)


@pytest.mark.parametrize("backward", [False, True])
async def test_a_full_page_tells_of_what_is_far_behind_it(
    changing_crowd: tuple[Database, list[StoredCustomer]], *, backward: bool
) -> None:
    database, rare = changing_crowd
    near = [customer(f"Zebedee {n}", seconds=3 * REACH + n) for n in (8, 9, 11, 12)]
    await store(database, near)
    of = listing(RARE, Order(), reads_private=True)
    there = cursor(of, rare[1])
    async with database.transaction() as db:
        for row in (rare[1], *(near[2:] if backward else near[:2])):
            await delete(db, row.id, origin=NOWHERE)
    window = Window(1, backward=True, before=there) if backward else Window(1, after=there)
    page = await read(database, of, window)
    assert names(page.rows) == [near[1 if backward else 2].name]
    assert (page.has_previous, page.has_next) == (True, True)


async def test_only_a_page_of_rare_matches_takes_more_than_one_statement(
    crowd: tuple[Database, list[StoredCustomer]],
) -> None:
    database, _ = crowd
    for which, order, asked in (
        (Filter(), Order(), 1),
        (FREQUENT, Order(), 1),
        (FREQUENT, Order(OrderField.NAME), 1),
        (RARE, Order(), 3),
        (Filter(is_admin=True), Order(), 3),
        (Filter(is_invited=True), Order(), 1),
        (Filter(is_invited=True), Order(OrderField.NAME), 3),
        (Filter(is_invited=False), Order(OrderField.NAME), 1),
        (Filter(search="nobody"), Order(), 3),
        (Filter(created_after=START + timedelta(seconds=CROWD - 1)), Order(), 1),
        (Filter(created_after=START + timedelta(days=1)), Order(), 1),
        (Filter(created_after=START + timedelta(days=1)), Order(OrderField.EMAIL), 3),
    ):
        with statements() as seen:
            await read(database, listing(which, order, reads_private=True), Window(1))
        assert len(seen) == asked, (which, order)


async def test_private_columns_stay_hidden_however_a_page_is_found(
    crowd: tuple[Database, list[StoredCustomer]],
) -> None:
    database, [first, own, _] = crowd
    for which, (size, asked) in product((RARE, SHORT), ((500, 1), (2, 3))):
        of = listing(which, Order(), reads_private=False, caller_id=own.id)
        with statements() as seen:
            page = await read(database, of, Window(size, after=cursor(of, first)))
        assert len(seen) == asked, (which, size)
        assert [row.email for row in page.rows] == [own.email, None]


async def test_the_end_of_a_list_takes_no_more_than_one_statement(
    crowd: tuple[Database, list[StoredCustomer]],
) -> None:
    database, _ = crowd
    of = listing(FREQUENT, Order(), reads_private=True)
    last = await read(database, of, Window(2, backward=True))
    with statements() as seen:
        page = await read(database, of, Window(5, after=cursor(of, last.rows[0])))
    assert (names(page.rows), len(seen)) == (names(last.rows[1:]), 1)


@pytest.mark.parametrize("search", ["customer-8", "r-8"])
async def test_what_many_match_but_nobody_near_is_walked_to(
    crowd: tuple[Database, list[StoredCustomer]], search: str
) -> None:
    database, rare = crowd
    of = listing(Filter(search=search), Order(), reads_private=True)
    with statements() as seen:
        page = await read(database, of, Window(1, after=cursor(of, rare[1])))
    (near, _), _, (far, reaches) = seen
    assert (far, EVERYTHING in reaches) == (near, True)
    assert names(page.rows) == ["Customer-800"]
    assert (page.has_previous, page.has_next) == (True, True)


async def test_what_many_match_is_found_wherever_they_stand(
    crowd: tuple[Database, list[StoredCustomer]],
) -> None:
    database, _ = crowd
    for order in ORDERS:
        everybody = listing(Filter(), order, reads_private=True)
        expected = [
            name
            async for page in pages_of(database, everybody, 500, backward=False)
            for name in names(page.rows)
            if "r-8" in name
        ]
        of = listing(Filter(search="r-8"), order, reads_private=True)
        for backward in (False, True):
            pages = [
                names(page.rows) async for page in pages_of(database, of, 3, backward=backward)
            ]
            seen = [name for page in (pages[::-1] if backward else pages) for name in page]
            assert seen == expected, (order, backward)


async def test_a_list_is_counted_so_far_and_no_further(
    crowd: tuple[Database, list[StoredCustomer]],
) -> None:
    database, rare = crowd
    everybody = listing(Filter(), Order(), reads_private=True)
    total = CROWD + len(rare)
    for most, counted in ((total + 1, total), (total, total), (total - 1, total - 1), (1, 1)):
        assert await everybody.count(database, most) == counted
    assert await listing(RARE, Order(), reads_private=True).count(database) == len(rare)
    with statements() as seen:
        await everybody.count(database)
    [(_, values)] = seen
    assert values[0] == MAX_COUNT


async def test_a_count_is_right_however_frequent_a_text_seems(
    crowd: tuple[Database, list[StoredCustomer]],
) -> None:
    database, _ = crowd
    counts = (
        ("cus", 200, 200),
        ("customer", CROWD + 1, CROWD),
        ("customer-8", 400, 111),  # of a sample many are called so, of all not so many
        ("r-8", 400, 111),
        ("zebedee", 200, 3),
        ("zebedee", 2, 2),
        ("ze", 200, 3),
        ("nobody", 200, 0),
    )
    for order, (search, most, counted) in product(ORDERS, counts):
        found = await listing(Filter(search=search), order, reads_private=True).count(
            database, most
        )
        assert found == counted, (order, search)
