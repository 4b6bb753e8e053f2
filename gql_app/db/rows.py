"""Rows that are written as they are, past SQLAlchemy's unit of work."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import Select, delete
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import InstrumentedAttribute

from gql_app.db.engine import Writer
from gql_app.db.tables import CustomerRow, Row


async def insert_unless_there(db: Writer, table: type[Row], **values: object) -> None:
    """Insert a row unless one has its key; of several that race, one does.

    Either way the row is held until the transaction ends, so that nobody deletes it meanwhile.
    """
    inserting = sqlite.insert if db.get_bind().dialect.name == "sqlite" else postgresql.insert
    insert = inserting(table).values(values)
    keys = [column.name for column in table.__table__.primary_key]
    itself = {key: insert.excluded[key] for key in keys}
    await db.execute(insert.on_conflict_do_update(index_elements=keys, set_=itself))


async def insert_or_update(db: Writer, table: type[Row], **values: object) -> None:
    """Insert a row, or update the one that has its key."""
    inserting = sqlite.insert if db.get_bind().dialect.name == "sqlite" else postgresql.insert
    insert = inserting(table).values(values)
    keys = [column.name for column in table.__table__.primary_key]
    others = {name: insert.excluded[name] for name in values if name not in keys}
    await db.execute(insert.on_conflict_do_update(index_elements=keys, set_=others))


async def insert_new_customers(db: Writer, rows: Sequence[Mapping[str, object]]) -> set[UUID]:
    """Insert customers but for those whose id or address is taken, and tell the others' ids.

    Who races for one of them waits, and finds it taken; nothing raises.
    """
    if not rows:
        return set()
    inserting = sqlite.insert if db.get_bind().dialect.name == "sqlite" else postgresql.insert
    statement = inserting(CustomerRow).on_conflict_do_nothing().returning(CustomerRow.id)
    return set(await db.scalars(statement, rows))


async def delete_some(
    db: Writer,
    table: type[Row],
    key: InstrumentedAttribute[str] | InstrumentedAttribute[UUID],
    some: Select[str] | Select[UUID],
) -> int:
    """Delete the rows that a SELECT with a LIMIT finds by their keys, and tell how many."""
    deleted = await db.execute(delete(table).where(key.in_(some)).returning(key))
    return len(deleted.all())
