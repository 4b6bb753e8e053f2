"""Reading of all customers in batches, each by one query."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import Integer, Select, Uuid, bindparam

from gql_app.db.tables import CustomerRow
from gql_app.lib.database import Query
from gql_app.lib.pagination import QueryReader

R = TypeVar("R", bound=Sequence[Any])
BATCH: Final = 1_000
"""Customers per query."""
_FIRST: Final = UUID(int=0)
"""Sorts before the id of every customer; it is never a customer's, and imports refuse it."""


async def by_id(
    db: QueryReader, customers: Select[*tuple[Any, ...]], build: Callable[[Sequence[Any]], R]
) -> AsyncIterator[list[R]]:
    """Yield batches of customers, built of rows whose first column is the id, in order of ids."""
    beyond = customers.where(CustomerRow.id > bindparam("after", type_=Uuid()))
    page = beyond.order_by(CustomerRow.id).limit(bindparam("size", type_=Integer()))
    query, after = Query(page, build), _FIRST
    while rows := await db.fetch_all(query, size=BATCH, after=after):
        yield rows
        after = rows[-1][0]
        await asyncio.sleep(0)  # if it is cancelled: a read of SQLite may not wait for anything
