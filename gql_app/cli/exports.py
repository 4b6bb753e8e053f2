"""Exports: all customers, page by page, as an import takes them."""

from collections.abc import AsyncIterator, Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import Integer, Uuid, bindparam, func, select

from gql_app.accounts import audit
from gql_app.accounts.audit import Action, Origin
from gql_app.accounts.records import columns
from gql_app.db.engine import Writer
from gql_app.db.questions import Question, Reader
from gql_app.db.tables import CustomerRow

PAGE: Final = 1_000
"""Customers that are read at a time."""
_COUNT: Final = Question(select(func.count()).select_from(CustomerRow), lambda row: int(row[0]))

Values = Sequence[object]


async def count(db: Reader) -> int:
    """Count the customers there are."""
    [found] = await db.ask(_COUNT)
    return found


async def pages(db: Reader, fields: Sequence[str]) -> AsyncIterator[Sequence[Values]]:
    """Read these columns of every customer by their ids, which sort by when they were made.

    No column that is not asked for leaves the database.
    """
    read = columns(CustomerRow, ["id", *fields])
    page = select(*read).order_by(CustomerRow.id).limit(bindparam("size", type_=Integer()))
    beyond = Question(page.where(CustomerRow.id > bindparam("after", type_=Uuid())), tuple)
    rows = await db.ask(Question(page, tuple), size=PAGE)
    while rows:
        yield [row[1:] for row in rows]
        after: UUID = rows[-1][0]
        rows = await db.ask(beyond, size=PAGE, after=after)


def record(db: Writer, fields: Sequence[str]) -> None:
    """Record that all customers are read out, and which of their fields are."""
    audit.record(db, Action.CUSTOMERS_EXPORTED, Origin(), fields=fields)
