"""The database's trouble, in words: which errors of the drivers it is, and what is tried again."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import Integer, func, literal_column, select, text, update
from sqlalchemy.exc import DBAPIError

from gql_app.db.tables import CustomerRow
from gql_app.errors import Unavailable
from gql_app.lib.database import (
    Busy,
    CommitOutcomeUnknown,
    Conflict,
    ConnectionLost,
    Database,
    Full,
    Query,
    Transaction,
)
from tests.accounts.rows import StoredCustomer, customer
from tests.databases import Postgres, copied_sqlite
from tests.db.test_postgres import PID

PATIENCE = 10
"""Seconds within which what is bounded by one has ended."""
ONE = Query(select(literal_column("1", Integer())), tuple)
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


def failing(state: str) -> Query[object]:
    """Ask what fails in some way."""
    return Query(select(func.fail(text(f"'{state}'"))), tuple)


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("08006", ConnectionLost),
        ("25006", ConnectionLost),
        ("40001", Conflict),
        ("40003", CommitOutcomeUnknown),
        ("53100", Full),
        ("53200", Busy),
        ("53300", Busy),
        ("55P03", Busy),
        ("57014", Busy),
        ("57P01", ConnectionLost),
        ("57P03", ConnectionLost),
        ("58030", Full),
        ("22012", None),
        ("42501", None),
        ("XX000", None),
    ],
)
async def test_what_postgresql_fails_with_is_judged_alike_for_reads_and_writes(
    postgresql: Database, state: str, kind: type[Unavailable] | None
) -> None:
    async def fail(db: Transaction) -> None:
        await db.fetch_all(failing(state))

    async with postgresql.transaction() as db:
        await db.execute(text(RAISE))
    with pytest.raises(kind or asyncpg.PostgresError) as read:
        await postgresql.fetch_all(failing(state))
    with pytest.raises(kind or DBAPIError) as written:
        await postgresql.transact(fail)
    if kind:
        for why in (read.value, written.value):
            assert isinstance(why, Unavailable)
            assert type(why) is kind
            assert why.cause.endswith(": failing as told")
            assert "failing" not in why.message
            unknown = {"mayBeDone": True} if kind is CommitOutcomeUnknown else {}
            told = {"code": "SERVICE_UNAVAILABLE", "retryAfter": kind.wait, **unknown}
            assert why.extensions == told
    assert await postgresql.fetch_all(ONE)


async def test_one_lost_connection_has_the_others_closed(postgresql: Database) -> None:
    """They may be to a server that was the primary: what befell one befell the others."""

    async def pid(db: Transaction) -> int:
        [found] = await db.fetch_all(PID)
        await both.wait()
        return found

    both = asyncio.Barrier(2)
    old = set(await asyncio.gather(postgresql.transact(pid), postgresql.transact(pid)))
    old |= set(await postgresql.fetch_all(PID))
    async with postgresql.transaction() as db:
        await db.execute(text(RAISE))
    with pytest.raises(ConnectionLost):
        async with postgresql.transaction() as db:
            await db.fetch_all(failing("25006"))
    new = set(await asyncio.gather(postgresql.transact(pid), postgresql.transact(pid)))
    new |= set(await postgresql.fetch_all(PID))
    assert not old & new


async def test_nobody_waits_for_a_connection_for_ever(database_url: str) -> None:
    database = Database(database_url, connections=1, pool_timeout=1)
    async with database.write(), database.write() as held:
        await held.execute(text("UPDATE customers SET name = name"))
        with pytest.raises(Busy):
            async with asyncio.timeout(PATIENCE), database.transaction() as db:
                await db.fetch_all(ONE)
    await database.close()


async def rename(db: Transaction, row: StoredCustomer, name: str) -> None:
    """Change a customer's name."""
    itself = CustomerRow.id == row.id
    await db.execute(update(CustomerRow).where(itself).values(name=name))


async def test_busy_pool_is_no_unreachable_database(database_url: str) -> None:
    database = Database(database_url, connections=1)
    await database.fetch_all(ONE)
    async with database.transaction() as db:
        await db.fetch_all(ONE)
        assert (await database.condition()).ready
    await database.close()


async def test_sqlite_file_that_is_away_or_locked_is_unavailable(
    sqlite_template: Path, tmp_path: Path
) -> None:
    database = Database(f"sqlite:///{tmp_path / 'away' / 'test.db'}")
    for _ in range(2):
        with pytest.raises(Unavailable) as why:
            await database.fetch_all(ONE)
        assert "unable to open" in why.value.cause
        with pytest.raises(Unavailable):
            await database.transact(rename, customer("Ada"), "Eve")
    (tmp_path / "away").mkdir()
    copied_sqlite(sqlite_template, tmp_path / "away")
    assert await database.fetch_all(ONE)
    await database.close()
