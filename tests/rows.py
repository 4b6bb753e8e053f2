"""Rows that tests write and read without the rules."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeVar, overload

from sqlalchemy import Insert, Select, TextClause, bindparam, insert, inspect, select, update

from gql_app.db.tables import Row
from gql_app.lib.database import Query, Reader, Transaction, insert_row

T = TypeVar("T")


async def add(db: Transaction, table: type[Row], **values: object) -> None:
    """Insert one row."""
    await db.execute(insert(table).values(values))


async def add_all(db: Transaction, table: type[Row], rows: Sequence[Mapping[str, object]]) -> None:
    """Insert rows that have a value for each column."""
    await db.execute_many(_insert(table), rows)


async def change(db: Transaction, table: type[Row], key: object, **values: object) -> None:
    """Change the one row that has a primary key."""
    (column,) = inspect(table).primary_key
    assert await db.execute(update(table).where(column == key).values(values)) == 1


async def get_row(db: Reader, table: type[Row], key: object, *, for_update: bool = False) -> Any:  # noqa: ANN401 — a named tuple of the table's columns
    """Return the row that has a primary key, with every column; None if there is none."""
    return await db.fetch_one(_select(table, for_update=for_update), key=key)


@cache
def _insert(table: type[Row]) -> Insert:
    """Return an INSERT of every column, always the same, so that it is compiled once."""
    return insert_row(table)


@cache
def _select(table: type[Row], *, for_update: bool) -> Select[Any]:
    """Return a SELECT of the row of a primary key, always the same, so that it is compiled once."""
    (column,) = inspect(table).primary_key
    found = select(table).where(column == bindparam("key"))
    return found.with_for_update() if for_update else found


@overload
async def column(db: Reader, statement: Select[T]) -> list[T]: ...
@overload
async def column(db: Reader, statement: TextClause) -> list[Any]: ...
async def column(db: Reader, statement: Select[Any] | TextClause) -> list[Any]:
    """Return the values of a SELECT of one column."""
    return await db.fetch_all(Query(statement, lambda row: row[0]))


@overload
async def value(db: Reader, statement: Select[T]) -> T: ...
@overload
async def value(db: Reader, statement: TextClause) -> Any: ...  # noqa: ANN401 — whatever it finds
async def value(db: Reader, statement: Select[Any] | TextClause) -> Any:
    """Return the only value of a SELECT."""
    (found,) = await column(db, statement)
    return found
