"""The database's trouble, in words: which errors of the drivers it is, and what is tried again."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import Integer, func, literal_column, select, text, update
from sqlalchemy.exc import DBAPIError

from gql_app.db.engine import Database, Writer
from gql_app.db.faults import Busy, Conflict, Full, Lost, Unknown
from gql_app.db.questions import Question
from gql_app.db.tables import CustomerRow
from gql_app.errors import Unavailable
from tests.accounts.rows import customer
from tests.databases import Postgres, copied_sqlite
from tests.db.test_postgres import PID

PATIENCE = 10
"""Seconds within which what is bounded by one has ended."""
ONE = Question(select(literal_column("1", Integer())), tuple)
RAISE = """
CREATE FUNCTION fail(state text) RETURNS int LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'failing as told' USING ERRCODE = state; END $$
"""


@pytest.fixture
async def postgresql(postgres: Postgres) -> AsyncIterator[Database]:
    """Open an empty database on PostgreSQL."""
    with postgres.copied() as url:
        database = Database(url, connections=3, pool_timeout=1)
        yield database
        await database.close()


def failing(state: str) -> Question[object]:
    """Ask what fails in some way."""
    return Question(select(func.fail(text(f"'{state}'"))), tuple)


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("08006", Lost),
        ("25006", Lost),
        ("40001", Conflict),
        ("40003", Unknown),
        ("53100", Full),
        ("53200", Busy),
        ("53300", Busy),
        ("55P03", Busy),
        ("57014", Busy),
        ("57P01", Lost),
        ("57P03", Lost),
        ("58030", Full),
        ("22012", None),
        ("42501", None),
        ("XX000", None),
    ],
)
async def test_what_postgresql_fails_with_is_judged_alike_for_reads_and_writes(
    postgresql: Database, state: str, kind: type[Unavailable] | None
) -> None:
    async def fail(db: Writer) -> None:
        await db.ask(failing(state))

    async with postgresql.write() as db:
        await db.execute(text(RAISE))
    async with postgresql.read() as reader:
        with pytest.raises(kind or asyncpg.PostgresError) as read:
            await reader.ask(failing(state))
    with pytest.raises(kind or DBAPIError) as written:
        await postgresql.transact(fail)
    if kind:
        for why in (read.value, written.value):
            assert isinstance(why, Unavailable)
            assert type(why) is kind
            assert why.cause.endswith(": failing as told")
            assert "failing" not in why.message
            unknown = {"mayBeDone": True} if kind is Unknown else {}
            told = {"code": "SERVICE_UNAVAILABLE", "retryAfter": kind.wait, **unknown}
            assert why.extensions == told
    async with postgresql.read() as reader:
        assert await reader.ask(ONE)


async def test_one_lost_connection_has_the_others_closed(postgresql: Database) -> None:
    """They may be to a server that was the primary: what befell one befell the others."""

    async def pid(db: Writer) -> int:
        [found] = await db.ask(PID)
        await both.wait()
        return found

    both = asyncio.Barrier(2)
    old = set(await asyncio.gather(postgresql.transact(pid), postgresql.transact(pid)))
    async with postgresql.read() as db:
        old |= set(await db.ask(PID))
    async with postgresql.write() as db:
        await db.execute(text(RAISE))
    with pytest.raises(Lost):
        async with postgresql.write() as db:
            await db.ask(failing("25006"))
    new = set(await asyncio.gather(postgresql.transact(pid), postgresql.transact(pid)))
    async with postgresql.read() as db:
        new |= set(await db.ask(PID))
    assert not old & new


async def test_nobody_waits_for_a_connection_for_ever(database_url: str) -> None:
    database = Database(database_url, connections=1, pool_timeout=1)
    async with database.write(), database.write() as held:
        await held.execute(text("UPDATE customers SET name = name"))
        with pytest.raises(Busy):
            async with asyncio.timeout(PATIENCE), database.write() as db:
                await db.ask(ONE)
    await database.close()


async def rename(db: Writer, row: CustomerRow, name: str) -> None:
    """Change a customer's name."""
    itself = CustomerRow.id == row.id
    await db.execute(update(CustomerRow).where(itself).values(name=name))


async def test_busy_pool_is_no_unreachable_database(database_url: str) -> None:
    database = Database(database_url, connections=1)
    async with database.read() as db:
        await db.ask(ONE)
    async with database.write() as db:
        await db.ask(ONE)
        assert (await database.condition()).ready
    await database.close()


async def test_sqlite_file_that_is_away_or_locked_is_unavailable(
    sqlite_template: Path, tmp_path: Path
) -> None:
    database = Database(f"sqlite:///{tmp_path / 'away' / 'test.db'}")
    for _ in range(2):
        async with database.read() as db:
            with pytest.raises(Unavailable) as why:
                await db.ask(ONE)
        assert "unable to open" in why.value.cause
        with pytest.raises(Unavailable):
            await database.transact(rename, customer("Ada"), "Eve")
    (tmp_path / "away").mkdir()
    copied_sqlite(sqlite_template, tmp_path / "away")
    async with database.read() as db:
        assert await db.ask(ONE)
    await database.close()
