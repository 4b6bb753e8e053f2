"""Windows and pages: each row once, and the truth about what lies on either side."""

from itertools import product
from uuid import UUID

import pytest

from gql_app.accounts.customer_lists import Order
from gql_app.accounts.customers import delete
from gql_app.lib.database import Database
from gql_app.lib.pagination import Window
from tests.accounts.rows import (
    COLUMNS,
    ORDERS,
    PageRead,
    StoredCustomer,
    cursor,
    customer,
    everybody,
    in_order,
    read,
    statements,
    store,
    told,
    walk,
)
from tests.people import NOWHERE

Shown = tuple[list[UUID], bool, bool]


async def crowd(database: Database) -> list[StoredCustomer]:
    """Store 22 customers, many of the same name or moment."""
    people = [customer(name, seconds=n // 5) for n, name in enumerate("ABCDEF" * 3)]
    return await store(database, [*people, *(customer("a") for _ in range(4))])


@pytest.mark.parametrize("order", ORDERS)
async def test_walking_all_pages_sees_each_customer_once(database: Database, order: Order) -> None:
    rows = await crowd(database)
    of = everybody(order)
    for size, backward in product((1, 7, 500), (False, True)):
        pages = [page.rows async for page in walk(database, of, size, backward=backward)]
        seen = [row.id for page in (pages[::-1] if backward else pages) for row in page]
        assert seen == [row.id for row in in_order(order, rows)]
        assert len(pages) == -(-len(rows) // size)


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("order", ORDERS)
async def test_walking_sees_each_customer_once_while_others_are_inserted_and_removed(
    database: Database, order: Order, *, backward: bool
) -> None:
    rows = await crowd(database)
    seen: list[StoredCustomer] = []
    inserted = 0
    async for page in walk(database, everybody(order), 3, backward=backward):
        seen += page.rows[::-1] if backward else page.rows
        if inserted < 24:
            inserted += 6
            await store(database, (customer(name, seconds=n) for n, name in enumerate("AaCcZz")))
            async with database.transaction() as db:
                for row_id in {page.rows[0].id, page.rows[-1].id}:
                    await delete(db, row_id, origin=NOWHERE)
    ids = [row.id for row in seen]
    assert len(ids) == len(set(ids))
    assert {row.id for row in rows} <= set(ids)
    assert seen == in_order(order, seen)[:: -1 if backward else 1]


def model(
    line: list[UUID], living: set[UUID], window: Window, after: UUID | None, before: UUID | None
) -> Shown:
    """Work out a page from the line that everybody stands in, those who have left too."""
    start = line.index(after) + 1 if after else 0
    stop = line.index(before) if before else len(line)
    page = [one for one in line[start:stop] if one in living]
    page = page[-window.size :] if window.backward else page[: window.size]
    if page:
        start, stop = line.index(page[0]), line.index(page[-1]) + 1
    return page, not living.isdisjoint(line[:start]), not living.isdisjoint(line[stop:])


@pytest.mark.parametrize("order", ORDERS)
async def test_every_window_shows_what_a_sorted_list_would(
    database: Database, order: Order
) -> None:
    rows = await store(database, (customer(name, seconds=n // 2) for n, name in enumerate("aAbb")))
    gone = await store(database, [customer("a"), customer("b", seconds=1)])
    async with database.transaction() as db:
        for row in gone:
            await delete(db, row.id, origin=NOWHERE)
    of = everybody(order)
    cursors: dict[UUID | None, str | None] = {row.id: cursor(of, row) for row in (*rows, *gone)}
    cursors[None] = None
    line = [row.id for row in in_order(order, [*rows, *gone])]
    living = {row.id for row in rows}
    marks = [None, *line]
    for after, before, size, backward in product(marks, marks, (1, 2), (False, True)):
        window = Window(size, backward, cursors[after], cursors[before])
        page = told(await of.page(database, window, COLUMNS))
        shown = [row.id for row in page.rows], page.has_previous, page.has_next
        assert shown == model(line, living, window, after, before)


@pytest.mark.parametrize("backward", [False, True])
async def test_a_page_of_nobody_has_nothing_on_either_side(
    database: Database, *, backward: bool
) -> None:
    page = await read(database, everybody(), Window(backward=backward))
    assert page == PageRead([], has_previous=False, has_next=False)
    assert await everybody().count(database) == 0


async def test_a_page_takes_one_statement_and_so_does_a_count(database: Database) -> None:
    rows = await crowd(database)
    of = everybody()
    window = Window(5, after=cursor(of, rows[3]), before=cursor(of, rows[-1]))
    with statements() as seen:
        await of.page(database, window, COLUMNS)
    assert len(seen) == 1
    with statements() as seen:
        assert await of.count(database) == len(rows)
    assert len(seen) == 1
