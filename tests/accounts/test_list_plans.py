"""Every order of customers is an index walk, on either database."""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy import text

from gql_app.accounts.customer_lists import Order, OrderField
from gql_app.cli.samples import INSERT, batches
from gql_app.lib.database import Database
from gql_app.lib.pagination import Window
from tests.accounts.rows import ORDERS, cursor, everybody, read, statements
from tests.databases import sent

INDEXES = {
    OrderField.CREATED_AT: {"ix_customers_created_at"},
    OrderField.NAME: {"ix_customers_name_key"},
    OrderField.EMAIL: {
        "customers_email_key_id_name_key_created_at_is_admin_key",
        "sqlite_autoindex_customers_2",
    },
}
BOUNDS = [(False, False), (True, False), (False, True), (True, True)]


@pytest.fixture(scope="module")
async def crowd(shared_database: Database) -> Database:
    """Fill a database with so many that an index pays."""
    async with shared_database.transaction() as db:
        for rows in batches(2000, password_hash="", seed=1):
            await db.execute_many(INSERT, rows)
        await db.execute(text("ANALYZE"))
    return shared_database


async def pages(
    database: Database, order: Order
) -> AsyncIterator[tuple[Window, str, Sequence[object]]]:
    """Read pages at every kind of place, and tell the statement that each of them took."""
    of = everybody(order)
    rows = (await read(database, of, Window(500))).rows
    for backward in (False, True):
        for after, before in BOUNDS:
            window = Window(
                50,
                backward=backward,
                after=cursor(of, rows[100]) if after else None,
                before=cursor(of, rows[400]) if before else None,
            )
            with statements() as seen:
                await read(database, of, window)
            [(statement, values)] = seen
            yield window, statement, values


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Walk PostgreSQL's plan from the root."""
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


async def walks_on_sqlite(database: Database, url: str, order: Order) -> None:
    """Assert that the page is one index walk, which starts and stops at its cursors."""
    async for window, statement, values in pages(database, order):
        plan = await sent(url, f"EXPLAIN QUERY PLAN {statement}", values=values)
        assert all("INDEX" in step for _, _, _, step in plan if "customers" in step)
        pages_of = [at for at, _, _, step in plan if step.startswith("MATERIALIZE")] or [0]
        [step] = [step for _, parent, _, step in plan if parent == pages_of[0]]
        [index] = [name for name in INDEXES[order.field] if f"USING INDEX {name}" in step]
        assert index
        bounds = (window.after is not None) + (window.before is not None)
        assert step.count("?") // len(everybody(order).query.keys) == bounds
        assert step.startswith("SEARCH" if bounds else "SCAN")


async def walks_on_postgresql(database: Database, url: str, order: Order) -> None:
    """Assert that an index feeds the page's limit in order, from cursor to cursor."""
    async for window, statement, values in pages(database, order):
        [(plan,)] = await sent(url, f"EXPLAIN (FORMAT JSON) {statement}", values=values)
        root = json.loads(plan)[0]["Plan"]
        limits = [node for node in nodes(root) if node["Node Type"] == "Limit"]
        [limit] = [node for node in limits if node.get("Parent Relationship") != "InitPlan"]
        [walk] = limit["Plans"]
        assert walk["Node Type"] == "Index Scan"
        assert walk["Index Name"] in INDEXES[order.field]
        backward = order.descending != window.backward
        assert walk["Scan Direction"] == ("Backward" if backward else "Forward")
        bounds = (window.after is not None) + (window.before is not None)
        assert sum(map(walk.get("Index Cond", "").count, "<>")) == bounds
        assert "Filter" not in walk
        assert not [node for node in nodes(root) if node["Node Type"] == "Seq Scan"]


@pytest.mark.parametrize("order", ORDERS)
async def test_every_page_of_every_order_walks_an_index(
    crowd: Database, shared_url: str, order: Order
) -> None:
    walks = {"sqlite": walks_on_sqlite, "postgresql": walks_on_postgresql}
    await walks[crowd.dialect](crowd, shared_url, order)
