"""Exports: all customers, page by page, as an import takes them."""

from collections.abc import AsyncIterator, Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import Integer, Uuid, bindparam, func, select

from gql_app.accounts import audit
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.records import columns
from gql_app.db.tables import CustomerRow
from gql_app.lib.database import Query, Reader, Transaction

PAGE: Final = 1_000
"""Customers that are read at a time."""
_COUNT: Final = Query(select(func.count()).select_from(CustomerRow), lambda row: int(row[0]))

Values = Sequence[object]


async def count(db: Reader) -> int:
    """Return the number of customers."""
    [number] = await db.fetch_all(_COUNT)
    return number


async def pages(db: Reader, fields: Sequence[str]) -> AsyncIterator[Sequence[Values]]:
    """Yield these columns of every customer, page by page, by id: that is the oldest first.

    No column that is not asked for leaves the database.
    """
    read = columns(CustomerRow, ["id", *fields])
    page = select(*read).order_by(CustomerRow.id).limit(bindparam("size", type_=Integer()))
    beyond = Query(page.where(CustomerRow.id > bindparam("after", type_=Uuid())), tuple)
    rows = await db.fetch_all(Query(page, tuple), size=PAGE)
    while rows:
        yield [row[1:] for row in rows]
        after: UUID = rows[-1][0]
        rows = await db.fetch_all(beyond, size=PAGE, after=after)


async def record(db: Transaction, fields: Sequence[str]) -> None:
    """Record in the audit that all customers are read, and which of their fields."""
    await audit.record(db, Action.CUSTOMERS_EXPORTED, Origin(), fields=fields)
