"""A million customers, made by the database itself, for it is the fastest at it."""

import asyncio
from typing import Final

from sqlalchemy import text

from bench import stores
from bench.people import People
from bench.stores import Store
from gql_app.lib.database import Database

VALUES: Final = """
  'Customer ' || substr(code, 1, 8), 'customer ' || substr(code, 1, 8),
  'c' || n || '@example.com', 'c' || n || '@example.com', '+1 555 000 0000',
  :password_hash, false, true
"""
COLUMNS: Final = "name, name_key, email, email_key, phone, password_hash, is_admin, is_active"
ON_POSTGRESQL: Final = f"""
INSERT INTO customers (id, {COLUMNS}, created_at, updated_at)
SELECT uuidv7(), {VALUES}, now() - n * interval '1 second', now()
FROM (SELECT n, md5(n::text) AS code FROM generate_series(1, :count) AS n) AS crowd
"""
ON_SQLITE: Final = f"""
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers LIMIT :count),
crowd AS MATERIALIZED (SELECT n, lower(hex(randomblob(8))) AS code FROM numbers)
INSERT INTO customers (id, {COLUMNS}, created_at, updated_at)
SELECT lower(hex(randomblob(16))), {VALUES},
  strftime('%Y-%m-%d %H:%M:%S.000000', 'now', '-' || n || ' seconds'),
  strftime('%Y-%m-%d %H:%M:%S.000000', 'now')
FROM crowd
"""


def fill(store: Store, people: People, count: int) -> None:
    """Migrate a database, have people move in, and a crowd after them."""
    stores.fill(store, people)
    asyncio.run(_crowd_in(store, people, count))


async def _crowd_in(store: Store, people: People, count: int) -> None:
    database = Database(store.url)
    statement = ON_SQLITE if store.pid is None else ON_POSTGRESQL
    try:
        async with database.transaction() as db:
            values = {"count": count, "password_hash": people.password_hash}
            await db.execute(text(statement), **values)
            await db.execute(text("ANALYZE"))
    finally:
        await database.close()
