"""Of a filter, whose index is walked and whose finds what few match, on either database."""

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from gql_app.accounts import audit
from gql_app.accounts.audit import Action
from gql_app.accounts.customer_lists import Filter, Order, OrderField, listing
from gql_app.accounts.records import AuditRecord
from gql_app.lib.clock import new_id
from gql_app.lib.database import Database
from gql_app.lib.pagination import Window
from gql_app.lib.pagination.listing import SAMPLE
from tests.accounts.rows import (
    FREQUENT,
    ORDERS,
    RARE,
    SHORT,
    START,
    StoredCustomer,
    cursor,
    names,
    read,
    statements,
)
from tests.databases import sent

ORDERED = {
    OrderField.CREATED_AT: {"ix_customers_created_at"},
    OrderField.NAME: {"ix_customers_name_key"},
    OrderField.EMAIL: {"customers_email_key_id_name_key_created_at_is_admin_key"},
}


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Walk PostgreSQL's plan from the root."""
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


async def plan_of(
    url: str,
    statement: str,
    values: Sequence[object],
    *,
    analyze: bool = False,
    off: Sequence[str] = ("seqscan",),
) -> list[dict[str, Any]]:
    """Ask PostgreSQL how it would run a statement, were the table too large to read whole."""
    ways = [f"SET LOCAL enable_{way} = off" for way in off]
    how = f"EXPLAIN (FORMAT JSON{', ANALYZE' if analyze else ''})"
    [(plan,)] = await sent(url, *ways, f"{how} {statement}", values=values)
    return list(nodes(json.loads(plan)[0]["Plan"]))


def used(plan: list[dict[str, Any]]) -> set[str]:
    """Name the indexes of a plan, beside the one by which a page's rows are found again."""
    return {node["Index Name"] for node in plan if "Index Name" in node} - {"customers_pkey"}


@pytest.mark.parametrize("shared_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("which", "reads_private", "indexes"),
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
        (Filter(search="zeb bedee"), False, {"ix_customers_name_key_trgm"}),
        (
            Filter(search="zeb bedee"),
            True,
            {"ix_customers_name_key_trgm", "ix_customers_email_key_trgm"},
        ),
        (Filter(is_admin=True), False, {"ix_customers_is_admin"}),
        (Filter(is_invited=True), True, {"ix_customers_invited"}),
        (Filter(created_after=START + timedelta(days=1)), False, {"ix_customers_created_at"}),
    ],
)
async def test_postgresql_walks_the_order_first_and_gathers_by_the_filters_index(
    crowd: tuple[Database, list[StoredCustomer]],
    shared_url: str,
    which: Filter,
    indexes: set[str],
    *,
    reads_private: bool,
) -> None:
    database, [caller, *_] = crowd
    of = listing(which, Order(OrderField.NAME), reads_private=reads_private, caller_id=caller.id)
    with statements() as seen:
        await read(database, of, Window(1))
    scouting = await plan_of(shared_url, *seen[0])
    gathering = await plan_of(shared_url, *seen[2], off=("seqscan", "indexonlyscan"))
    assert used(scouting) == {"ix_customers_name_key"}
    assert used(gathering) == indexes
    assert not [n for n in [*scouting, *gathering] if n["Node Type"] == "Seq Scan"]


@pytest.mark.parametrize("shared_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("order", ORDERS)
async def test_postgresql_walks_an_orders_index_and_reads_rows_of_a_page_alone(
    crowd: tuple[Database, list[StoredCustomer]], shared_url: str, order: Order
) -> None:
    database, rare = crowd
    all_at_once = Filter("ze", is_admin=False, created_before=START + timedelta(days=1))
    words = Filter(search="bedee ze x")
    for which, reads_private in product(
        (RARE, words, Filter(is_admin=True), all_at_once), (True, order.field is OrderField.EMAIL)
    ):
        of = listing(which, order, reads_private=reads_private, caller_id=rare[0].id)
        middle = cursor(of, rare[1])
        for window in (Window(1, after=middle), Window(1, before=middle, backward=True)):
            with statements() as seen:
                await read(database, of, window)
            scouting = await plan_of(shared_url, *seen[0])
            walks = [n for n in scouting if n.get("Index Name") in ORDERED[order.field]]
            assert {node["Node Type"] for node in walks} == {"Index Only Scan"}
            assert used(scouting) == ORDERED[order.field]


async def plan_on_sqlite(
    url: str, statement: str, values: Sequence[object]
) -> list[tuple[int, str]]:
    """Ask SQLite how it would run a statement: each step, and below which other."""
    plan = await sent(url, f"EXPLAIN QUERY PLAN {statement}", values=values)
    return [(parent, detail) for _, parent, _, detail in plan]


@pytest.mark.parametrize("cursors", [0, 1])
@pytest.mark.parametrize("descending", [False, True])
async def test_whoever_is_invited_is_found_by_an_index_of_theirs(
    crowd: tuple[Database, list[StoredCustomer]],
    shared_url: str,
    cursors: int,
    *,
    descending: bool,
) -> None:
    database, rare = crowd
    order = Order(descending=descending)
    of = listing(Filter(is_invited=True), order, reads_private=True)
    window = Window(1, after=cursor(of, rare[1]) if cursors else None)
    with statements() as seen:
        page = await read(database, of, window)
    [statement] = seen
    invited = [row.name for row in (rare[::-1] if descending else rare)]
    assert names(page.rows) == [invited[2 * cursors]]
    if database.dialect == "sqlite":
        plan = await plan_on_sqlite(shared_url, *statement)
        assert all("INDEX ix_customers_invited" in step for _, step in plan if "customers" in step)
    else:
        assert used(await plan_of(shared_url, *statement)) == {"ix_customers_invited"}


@pytest.mark.parametrize("field", [OrderField.CREATED_AT, OrderField.NAME])
@pytest.mark.parametrize("is_invited", [True, False])
async def test_whoever_may_not_read_who_is_invited_is_looked_up_themself(
    crowd: tuple[Database, list[StoredCustomer]],
    shared_url: str,
    field: OrderField,
    *,
    is_invited: bool,
) -> None:
    database, [_, caller, _] = crowd
    which = Filter(is_invited=is_invited)
    of = listing(which, Order(field), reads_private=False, caller_id=caller.id)
    with statements() as seen:
        page = await read(database, of, Window(50))
    [statement] = seen
    assert names(page.rows) == ([caller.name] if is_invited else [])
    if database.dialect == "sqlite":
        [step] = [s for _, s in await plan_on_sqlite(shared_url, *statement) if "customers" in s]
        assert step == "SEARCH customers USING INDEX sqlite_autoindex_customers_1 (id=?)"
    else:
        plan = await plan_of(shared_url, *statement)
        assert "customers_pkey" in {node.get("Index Name") for node in plan}
        assert used(plan) == set()


@pytest.mark.parametrize("shared_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("reads_private", [True, False])
@pytest.mark.parametrize("field", [OrderField.CREATED_AT, OrderField.NAME])
async def test_sqlite_walks_an_orders_index_and_reads_rows_of_a_page_alone(
    crowd: tuple[Database, list[StoredCustomer]],
    shared_url: str,
    field: OrderField,
    *,
    reads_private: bool,
) -> None:
    """The index of addresses is part of SQLite's table, so that it holds nothing else."""
    database, [caller, *_] = crowd
    order = Order(field)
    of = listing(RARE, order, reads_private=reads_private, caller_id=caller.id)
    with statements() as seen:
        await read(database, of, Window(1))
    scouting, _, gathering = [await plan_on_sqlite(shared_url, *each) for each in seen]
    [index] = ORDERED[order.field]
    tables = [step for _, step in scouting if "customers" in step]
    assert tables[0] == f"SCAN customers USING COVERING INDEX {index}"
    for plan in (scouting, gathering):
        read_by = [step for _, step in plan if "customers" in step and "COVERING" not in step]
        assert read_by == ["SEARCH customers USING INDEX sqlite_autoindex_customers_1 (id=?)"]


@pytest.mark.parametrize("shared_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("order", ORDERS)
async def test_sqlite_walks_the_order_without_sorting_the_table(
    crowd: tuple[Database, list[StoredCustomer]], shared_url: str, order: Order
) -> None:
    database, _ = crowd
    with statements() as seen:
        await read(database, listing(FREQUENT, order, reads_private=True), Window(1))
    [scouting] = seen
    plan = await plan_on_sqlite(shared_url, *scouting)
    tables = [step for _, step in plan if "customers" in step]
    assert tables
    assert all("USING" in step and "INDEX" in step for step in tables)
    sorted_at = [parent for parent, step in plan if "TEMP B-TREE" in step]
    assert sorted_at == [0], "only the page itself is sorted, not what it is looked for among"


@pytest.mark.parametrize("shared_url", ["postgresql"], indirect=True)
async def test_a_count_reads_no_more_rows_than_it_may_answer(
    crowd: tuple[Database, list[StoredCustomer]], shared_url: str
) -> None:
    database, _ = crowd
    with statements() as seen:
        await listing(Filter(), Order(), reads_private=True).count(database, 7)
    plan = await plan_of(shared_url, *seen[0], analyze=True)
    [scan] = [node for node in plan if "Scan" in node["Node Type"]]
    assert scan["Actual Rows"] == 7


@pytest.mark.parametrize("shared_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("order", [Order(), Order(OrderField.EMAIL)])
async def test_postgresql_counts_what_a_sample_says_is_frequent_without_its_index(
    crowd: tuple[Database, list[StoredCustomer]], shared_url: str, order: Order
) -> None:
    database, rare = crowd
    for which, looks in ((FREQUENT, [1, 1, 0]), (RARE, [1, 0, 1])):
        with statements() as seen:
            await listing(which, order, reads_private=True).count(database, 200)
        plan = await plan_of(shared_url, *seen[0], analyze=True)
        parts = [node for node in plan if node.get("Parent Relationship") == "InitPlan"]
        assert [node["Actual Loops"] for node in parts] == looks, "a sample, the nearest, all"
        [sample] = [n for n in plan if n.get("Index Name") == "customers_pkey"]
        assert sample["Actual Rows"] <= SAMPLE
        nearest = next(n for n in plan if n.get("Index Name") in ORDERED[order.field])
        assert nearest["Actual Rows"] <= 200 + len(rare)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("has_customer", "action", "index"),
    [
        (False, None, "ix_audit_events_at"),
        (False, Action.LOGIN.value, "ix_audit_events_action"),
        (True, None, "ix_audit_events_customer_id"),
        (True, Action.LOGIN.value, "ix_audit_events_customer_id"),
    ],
)
async def test_sqlite_finds_audited_events_by_what_fewest_share(
    database: Database, database_url: str, action: str | None, index: str, *, has_customer: bool
) -> None:
    """Most events may be of one action; SQLite is not told, as nobody collects statistics."""
    customer_id = new_id() if has_customer else None
    of = audit.listing(customer_id=customer_id, action=action)
    middle = of.cursor([START, new_id()])
    for window in (Window(1), Window(1, after=middle), Window(1, before=middle, backward=True)):
        with statements() as seen:
            await of.page(database, window, AuditRecord._fields)
        [page] = seen
        steps = [s for _, s in await plan_on_sqlite(database_url, *page) if "audit_events" in s]
        assert steps
        assert all(f"INDEX {index}" in step for step in steps)


@pytest.mark.parametrize("shared_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("action", [None, Action.LOGIN.value])
async def test_audited_events_of_one_customer_or_action_are_a_walk(
    crowd: tuple[Database, list[StoredCustomer]], shared_url: str, action: str | None
) -> None:
    database, rare = crowd
    customer_id = rare[0].id if action is None else None
    of = audit.listing(customer_id=customer_id, action=action)
    with statements() as seen:
        await of.page(database, Window(1), AuditRecord._fields)
    [page] = seen
    walks = [node for node in await plan_of(shared_url, *page) if "Index Name" in node]
    index = f"ix_audit_events_{'customer_id' if action is None else 'action'}"
    assert [node["Index Name"] for node in walks] == [index]
