"""A table for the tests, and access to the database without the package."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, TypeVar
from uuid import UUID, uuid4

import asyncpg
from sqlalchemy import (
    JSON,
    Float,
    ForeignKey,
    Integer,
    Text,
    Uuid,
    bindparam,
    func,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import INTEGER
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gql_app.lib.database import Database, Moment, Query, Transaction, insert_row, sqlite_file

R = TypeVar("R")
PATIENCE: Final = 30
"""Time-out in seconds."""
AT: Final = datetime(2030, 1, 31, 23, 59, 59, 1, tzinfo=UTC)
COLUMNS: Final = """
CREATE TABLE people (
    id {uuid} PRIMARY KEY,
    name TEXT NOT NULL,
    email TEXT UNIQUE,
    is_active BOOLEAN NOT NULL,
    joined_at {moment} NOT NULL,
    tags JSON NOT NULL,
    boss_id {uuid} REFERENCES people (id)
)
"""


class Row(DeclarativeBase):
    """The base of all tables."""

    type_annotation_map: ClassVar = {datetime: Moment, str: Text()}


class PersonRow(Row):
    """A person."""

    __tablename__ = "people"

    id: Mapped[UUID] = mapped_column(Uuid(), primary_key=True)
    name: Mapped[str]
    email: Mapped[str | None] = mapped_column(unique=True)
    is_active: Mapped[bool] = mapped_column(default=True)
    joined_at: Mapped[datetime]
    tags: Mapped[list[str]] = mapped_column(JSON)
    boss_id: Mapped[UUID | None] = mapped_column(Uuid(), ForeignKey("people.id"))


INSERT: Final = insert_row(PersonRow)
ONE: Final = Query(select(literal_column("1", Integer())), tuple)
COUNT: Final = Query(select(func.count()).select_from(PersonRow), lambda row: int(row[0]))
NAMES: Final = Query(select(PersonRow.name).order_by(PersonRow.name), lambda row: str(row[0]))
PID: Final = Query(select(func.pg_backend_pid(type_=INTEGER)), lambda row: int(row[0]))
SLEEP: Final = Query(
    select(func.pg_backend_pid(type_=INTEGER), func.pg_sleep(bindparam("seconds", type_=Float()))),
    lambda row: int(row[0]),
)
_RENAME: Final = (
    update(PersonRow)
    .where(PersonRow.id == bindparam("person_id", type_=Uuid()))
    .values(name=bindparam("new_name", type_=Text()))
)


def person(name: str, **values: object) -> dict[str, object]:
    """Return the values of a person's row."""
    others: dict[str, object] = {
        "email": None,
        "is_active": True,
        "joined_at": AT,
        "tags": [],
        "boss_id": None,
    }
    return {"id": uuid4(), "name": name, **others, **values}


async def add(transaction: Transaction, *names: str) -> list[UUID]:
    """Add people by name, and return their ids."""
    rows = [person(name) for name in names]
    await transaction.execute_many(INSERT, rows)
    return [UUID(str(row["id"])) for row in rows]


async def rename(transaction: Transaction, person_id: UUID, name: str) -> None:
    """Change a person's name."""
    await transaction.execute(_RENAME, person_id=person_id, new_name=name)


async def once(database: Database, rule: Callable[[Transaction], Awaitable[R]]) -> R:
    """Run a function in one transaction, and return its result."""
    async with database.transaction() as transaction:
        return await rule(transaction)


async def make_table(database: Database) -> None:
    """Create the table."""
    on_sqlite = database.dialect == "sqlite"
    types = ("CHAR(32)", "DATETIME") if on_sqlite else ("UUID", "TIMESTAMPTZ")
    async with database.transaction() as transaction:
        await transaction.execute(text(COLUMNS.format(uuid=types[0], moment=types[1])))


async def past(url: str, sql: str, *values: object) -> list[tuple[Any, ...]]:
    """Run a statement by a separate connection of the driver, and return its rows."""
    if url.startswith("sqlite:"):
        with closing(sqlite3.connect(sqlite_file(url))) as driver, driver:
            return driver.execute(sql, values).fetchall()
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(sql, *values)]
    finally:
        await connection.close()


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition is true, by polling."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 — it sends no event
            await asyncio.sleep(0.01)


async def until_found(url: str, sql: str) -> list[Any]:
    """Wait until a statement returns rows, and return their first columns."""
    async with asyncio.timeout(PATIENCE):
        while not (rows := await past(url, sql)):  # noqa: ASYNC110 — a server sends no event
            await asyncio.sleep(0.01)
    return [row[0] for row in rows]


async def terminate(url: str, pids: set[int]) -> None:
    """Terminate connections of PostgreSQL on the server."""
    for pid in pids:
        await past(url, "SELECT pg_terminate_backend($1)", pid)
    async with asyncio.timeout(PATIENCE):
        while pids & (await activity(url)).keys():  # noqa: ASYNC110 — an end sends no event
            await asyncio.sleep(0.01)


async def activity(url: str) -> dict[int, str]:
    """Return the state of each other connection to a PostgreSQL database, by process id."""
    rows = await past(
        url,
        "SELECT pid, state FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid() AND query NOT LIKE '%pg_stat%'",
    )
    return {int(pid): str(state) for pid, state in rows}


async def until_at_work(url: str, count: int) -> set[int]:
    """Wait until this many connections are active, and return their process ids."""
    async with asyncio.timeout(PATIENCE):
        while True:
            at_work = {pid for pid, state in (await activity(url)).items() if state != "idle"}
            if len(at_work) == count:
                return at_work
            await asyncio.sleep(0.01)


async def until_it_waits(url: str, database: Database, task: asyncio.Task[Any]) -> None:
    """Wait until a task is done or waits for a lock; SQLite has only one writer at a time."""
    if database.dialect == "sqlite":
        await until(lambda: task.done() or database.use["write"]["in_use"] > 1)
        return
    async with asyncio.timeout(PATIENCE):
        while not task.done():
            if await past(url, "SELECT pid FROM pg_locks WHERE NOT granted"):
                return
            await asyncio.sleep(0.01)
