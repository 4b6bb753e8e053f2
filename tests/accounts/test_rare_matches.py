"""Of a filter that few match, a page stays one short walk and one gathering."""

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from gql_app.accounts import audit
from gql_app.accounts.audit import Action
from gql_app.accounts.customer_lists import Filter, Order, OrderField, listing
from gql_app.accounts.customers import delete
from gql_app.accounts.paging import MAX_COUNT, REACH, Window
from gql_app.accounts.records import AuditRecord
from gql_app.db.engine import Database
from gql_app.db.tables import CustomerRow
from tests.accounts.rows import (
    ORDERS,
    START,
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

CROWD = 6 * REACH
"""More than are looked at for a page of one."""
RARE = Filter(search="zebedee")
SHORT = Filter(search="ze")
FREQUENT = Filter(search="cus")
OTHERS = [order for order in ORDERS if order.field is not OrderField.CREATED_AT]


@pytest.fixture
async def crowd(database: Database) -> tuple[Database, list[CustomerRow]]:
    """Store many customers, of whom three are called Zebedee and are admins, far apart."""
    people = [customer(f"Customer {n}", seconds=n) for n in range(CROWD)]
    rare = [customer(f"{letter} Zebedee {letter}", seconds=n) for n, letter in enumerate("Dcx")]
    for row, seconds in zip(rare, (REACH // 2, 3 * REACH + 10, CROWD), strict=True):
        row.is_admin = True
        row.created_at = START + timedelta(seconds=seconds)
        row.email = row.email_key = f"{CROWD}{row.email_key}"
    await store(database, [*people, *rare])
    async with database.write() as db:
        await db.execute(text("ANALYZE"))
    return database, rare


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("which", [RARE, SHORT, Filter(is_admin=True)])
@pytest.mark.parametrize("order", ORDERS)
async def test_rare_matches_are_found_wherever_they_stand(
    crowd: tuple[Database, list[CustomerRow]], order: Order, which: Filter, *, backward: bool
) -> None:
    database, rare = crowd
    of = listing(which, order, by_admin=True)
    pages = [page async for page in pages_of(database, of, 1, backward=backward)]
    seen = [row.id for page in (pages[::-1] if backward else pages) for row in page.rows]
    assert seen == [row.id for row in in_order(order, rare)]
    inner = pages[1]
    assert (inner.has_previous, inner.has_next) == (True, True)


@pytest.mark.parametrize("backward", [False, True])
async def test_what_lies_beyond_a_cursor_is_told_though_its_row_is_gone_and_the_next_far_off(
    crowd: tuple[Database, list[CustomerRow]], *, backward: bool
) -> None:
    database, rare = crowd
    of = listing(RARE, Order(), by_admin=True)
    there = cursor(of, rare[1])
    async with database.write() as db:
        await delete(db, rare[1].id, origin=NOWHERE)
    window = Window(1, backward=True, before=there) if backward else Window(1, after=there)
    page = await read(database, of, window)
    assert names(page.rows) == [rare[0 if backward else 2].name]
    assert (page.has_previous, page.has_next) == (not backward, backward)


@pytest.mark.parametrize("backward", [False, True])
async def test_a_full_page_tells_of_what_is_far_behind_it(
    crowd: tuple[Database, list[CustomerRow]], *, backward: bool
) -> None:
    database, rare = crowd
    near = [customer(f"Zebedee {n}", seconds=3 * REACH + n) for n in (8, 9, 11, 12)]
    await store(database, near)
    of = listing(RARE, Order(), by_admin=True)
    there = cursor(of, rare[1])
    async with database.write() as db:
        for row in (rare[1], *(near[2:] if backward else near[:2])):
            await delete(db, row.id, origin=NOWHERE)
    window = Window(1, backward=True, before=there) if backward else Window(1, after=there)
    page = await read(database, of, window)
    assert names(page.rows) == [near[1 if backward else 2].name]
    assert (page.has_previous, page.has_next) == (True, True)


@pytest.mark.parametrize(
    ("which", "order", "asked"),
    [
        (Filter(), Order(), 1),
        (FREQUENT, Order(), 1),
        (FREQUENT, Order(OrderField.NAME), 1),
        (RARE, Order(), 2),
        (Filter(is_admin=True), Order(), 2),
        (Filter(search="nobody"), Order(), 2),
        (Filter(created_after=START + timedelta(seconds=CROWD - 1)), Order(), 1),
        (Filter(created_after=START + timedelta(days=1)), Order(), 1),
        (Filter(created_after=START + timedelta(days=1)), Order(OrderField.EMAIL), 2),
    ],
)
async def test_only_a_page_of_rare_matches_takes_a_second_statement(
    crowd: tuple[Database, list[CustomerRow]], which: Filter, order: Order, asked: int
) -> None:
    database, _ = crowd
    with statements() as seen:
        await read(database, listing(which, order, by_admin=True), Window(1))
    assert len(seen) == asked


@pytest.mark.parametrize(("size", "asked"), [(500, 1), (2, 2)])
@pytest.mark.parametrize("which", [RARE, SHORT])
async def test_private_columns_stay_hidden_however_a_page_is_found(
    crowd: tuple[Database, list[CustomerRow]], which: Filter, size: int, asked: int
) -> None:
    database, [first, own, _] = crowd
    of = listing(which, Order(), by_admin=False, caller_id=own.id)
    with statements() as seen:
        page = await read(database, of, Window(size, after=cursor(of, first)))
    assert len(seen) == asked
    assert [row.email for row in page.rows] == [own.email, None]


async def test_the_end_of_a_list_takes_no_second_statement(
    crowd: tuple[Database, list[CustomerRow]],
) -> None:
    database, _ = crowd
    of = listing(FREQUENT, Order(), by_admin=True)
    last = await read(database, of, Window(2, backward=True))
    with statements() as seen:
        page = await read(database, of, Window(5, after=cursor(of, last.rows[0])))
    assert (names(page.rows), len(seen)) == (names(last.rows[1:]), 1)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Walk PostgreSQL's plan from the root."""
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


async def plan_of(
    url: str, statement: str, values: Sequence[object], *, analyze: bool = False
) -> list[dict[str, Any]]:
    """Ask PostgreSQL how it would run a statement, were the table too large to read whole."""
    database = Database(url)
    async with database.engine.connect() as connection:
        await connection.execute(text("SET LOCAL enable_seqscan = off"))
        how = f"EXPLAIN (FORMAT JSON{', ANALYZE' if analyze else ''})"
        [(plan,)] = (await connection.exec_driver_sql(f"{how} {statement}", tuple(values))).all()
    await database.close()
    return list(nodes((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]))


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("which", "by_admin", "indexes"),
    [
        (RARE, False, {"ix_customers_name_key_trgm"}),
        (RARE, True, {"ix_customers_name_key_trgm", "ix_customers_email_key_trgm"}),
        (Filter(search="%"), False, {"ix_customers_name_key_grams"}),
        (
            Filter(search="xé"),
            True,
            {"ix_customers_name_key_grams", "ix_customers_email_key_grams"},
        ),
        (SHORT, False, {"ix_customers_name_key_grams"}),
        (SHORT, True, {"ix_customers_name_key_grams", "ix_customers_email_key_grams"}),
        (Filter(search="z"), False, {"ix_customers_name_key_grams"}),
        (Filter(is_admin=True), False, {"ix_customers_is_admin"}),
        (Filter(created_after=START + timedelta(days=1)), False, {"ix_customers_created_at"}),
    ],
)
async def test_postgresql_walks_the_order_first_and_gathers_by_the_filters_index(
    crowd: tuple[Database, list[CustomerRow]],
    database_url: str,
    which: Filter,
    indexes: set[str],
    *,
    by_admin: bool,
) -> None:
    database, _ = crowd
    of = listing(which, Order(OrderField.NAME), by_admin=by_admin)
    with statements() as seen:
        await read(database, of, Window(1))
    scouting, gathering = [await plan_of(database_url, *each) for each in seen]
    walks = [node for node in scouting if "Index Name" in node]
    assert {node["Index Name"] for node in walks} == {"ix_customers_name_key"}
    assert {node["Node Type"] for node in walks} <= {"Index Scan", "Index Only Scan"}
    assert {node["Index Name"] for node in gathering if "Index Name" in node} == indexes
    assert not [n for n in [*scouting, *gathering] if n["Node Type"] == "Seq Scan"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("order", ORDERS)
async def test_sqlite_walks_the_order_without_sorting_the_table(
    crowd: tuple[Database, list[CustomerRow]], order: Order
) -> None:
    database, _ = crowd
    with statements() as seen:
        await read(database, listing(FREQUENT, order, by_admin=True), Window(1))
    [(statement, values)] = seen
    async with database.engine.connect() as connection:
        plan = (
            await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(values))
        ).all()
    tables = [row.detail for row in plan if "customers" in row.detail]
    assert tables
    assert all("USING" in detail and "INDEX" in detail for detail in tables)
    sorted_at = [row.parent for row in plan if "TEMP B-TREE" in row.detail]
    assert sorted_at == [0], "only the page itself is sorted, not what it is looked for among"


async def test_a_list_is_counted_so_far_and_no_further(
    crowd: tuple[Database, list[CustomerRow]],
) -> None:
    database, rare = crowd
    everybody = listing(Filter(), Order(), by_admin=True)
    total = CROWD + len(rare)
    async with database.read() as db:
        for most, counted in ((total + 1, total), (total, total), (total - 1, total - 1), (1, 1)):
            assert await everybody.count(db, most) == counted
        assert await listing(RARE, Order(), by_admin=True).count(db) == len(rare)
        with statements() as seen:
            await everybody.count(db)
    [(_, values)] = seen
    assert values[0] == MAX_COUNT


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_count_reads_no_more_rows_than_it_may_answer(
    crowd: tuple[Database, list[CustomerRow]], database_url: str
) -> None:
    database, _ = crowd
    with statements() as seen:
        async with database.read() as db:
            await listing(Filter(), Order(), by_admin=True).count(db, 7)
    plan = await plan_of(database_url, *seen[0], analyze=True)
    [scan] = [node for node in plan if "Scan" in node["Node Type"]]
    assert scan["Actual Rows"] == 7


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("action", [None, Action.LOGIN.value])
async def test_audited_events_of_one_customer_or_action_are_a_walk(
    crowd: tuple[Database, list[CustomerRow]], database_url: str, action: str | None
) -> None:
    database, rare = crowd
    customer_id = rare[0].id if action is None else None
    of = audit.listing(customer_id=customer_id, action=action)
    with statements() as seen:
        async with database.read() as db:
            await of.page(db, Window(1), AuditRecord._fields)
    [page] = seen
    walks = [node for node in await plan_of(database_url, *page) if "Index Name" in node]
    index = f"ix_audit_events_{'customer_id' if action is None else 'action'}"
    assert [node["Index Name"] for node in walks] == [index]
