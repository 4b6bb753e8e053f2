"""Transactions that collide, are lost or cancelled: what runs again, and what is left in doubt."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select, text, update

from gql_app.db.tables import CustomerRow
from gql_app.lib.database import CommitOutcomeUnknown, ConnectionLost, Database, Transaction
from tests.accounts.rows import StoredCustomer, customer, store
from tests.databases import Postgres
from tests.db.test_faults import ONE, rename
from tests.db.test_postgres import PATIENCE, PID, terminate
from tests.locks import until_it_waits
from tests.rows import column, get_row, value

SLOW_COMMIT = (
    """
    CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_sleep(100); RETURN NULL; END $$
    """,
    """
    CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON customers DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION slow()
    """,
)
COMMITTING = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND state = 'active' AND query LIKE 'COMMIT%'
"""


@pytest.fixture
async def postgresql(postgres: Postgres) -> AsyncIterator[Database]:
    """Open an empty database on PostgreSQL."""
    with postgres.copied() as url:
        database = Database(url, connections=3, pool_timeout=1)
        yield database
        await database.close()


async def count_up(db: Transaction, row: StoredCustomer, tries: list[int]) -> None:
    """Read a number and write the next one, as only what runs alone may."""
    tries.append(1)
    name = await value(db, select(CustomerRow.name).where(CustomerRow.id == row.id))
    await asyncio.sleep(0)
    itself = CustomerRow.id == row.id
    await db.execute(update(CustomerRow).where(itself).values(name=str(int(name) + 1)))


async def test_transactions_that_can_not_be_serialized_run_again(postgres: Postgres) -> None:
    with postgres.copied() as url:
        serializable = f"{url}&default_transaction_isolation=serializable"
        database, tries = Database(serializable), list[int]()
        [row] = await store(database, [customer("0")])
        await asyncio.gather(*(database.transact(count_up, row, tries) for _ in range(16)))
        assert (await get_row(database, CustomerRow, row.id)).name == "16"
        assert len(tries) > 16
        await database.close()


async def test_transaction_that_is_in_a_deadlock_runs_again(postgresql: Database) -> None:
    ada, bob = await store(postgresql, [customer("Ada"), customer("Bob")])
    both, tries = asyncio.Barrier(2), list[int]()

    async def lock(db: Transaction, *rows: StoredCustomer) -> None:
        tries.append(1)
        for row in rows:
            await get_row(db, CustomerRow, row.id, for_update=True)
            if row is rows[0] and len(tries) <= 2:
                await both.wait()

    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(
            postgresql.transact(lock, ada, bob), postgresql.transact(lock, bob, ada)
        )
    assert len(tries) == 3


async def until_committing(database: Database) -> set[int]:
    """Wait until somebody commits, and tell by which connection."""
    async with asyncio.timeout(PATIENCE):
        while True:
            if pids := set(await column(database, text(COMMITTING))):
                return pids
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("notices", ["in a statement", "at its end"])
async def test_transaction_whose_connection_dies_before_the_commit_runs_again(
    postgresql: Database, notices: str
) -> None:
    pids: list[int] = []

    async def add(db: Transaction) -> None:
        db.add(customer(f"Ada {len(pids)}"))
        pids.extend(await db.fetch_all(PID))
        if len(pids) == 1:
            await terminate(postgresql, set(pids))
            if notices == "in a statement":
                await db.fetch_all(ONE)

    await postgresql.transact(add)
    assert await column(postgresql, select(CustomerRow.name)) == ["Ada 1"]
    assert len(set(pids)) == 2


async def test_transaction_whose_connections_always_die_is_given_up(postgresql: Database) -> None:
    tries: list[int] = []

    async def die(db: Transaction) -> None:
        tries.append(1)
        await terminate(postgresql, set(await db.fetch_all(PID)))

    with pytest.raises(ConnectionLost):
        await postgresql.transact(die)
    assert len(tries) > 2


async def test_fate_of_what_is_lost_in_its_commit_is_unknown_and_it_runs_once(
    postgresql: Database,
) -> None:
    tries: list[int] = []

    async def add(db: Transaction) -> None:
        tries.append(1)
        db.add(customer("Ada"))

    async with postgresql.transaction() as db:
        for statement in SLOW_COMMIT:
            await db.execute(text(statement))
    task = asyncio.create_task(postgresql.transact(add))
    await terminate(postgresql, await until_committing(postgresql))
    with pytest.raises(CommitOutcomeUnknown) as why:
        await task
    assert "isn't known whether" in why.value.message
    assert tries == [1]


async def test_cancelled_transaction_is_left_at_once_and_rolled_back(database: Database) -> None:
    [row] = await store(database, [customer("Ada")])
    async with database.write() as holding:
        await rename(holding, row, "Bob")
        task = asyncio.create_task(database.transact(rename, row, "Eve"))
        await until_it_waits(holding, task)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (await get_row(database, CustomerRow, row.id)).name == "Bob"
