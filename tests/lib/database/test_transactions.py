"""Transactions that collide, are lost or cancelled: what runs again, and what is left in doubt."""

import asyncio

import pytest
from sqlalchemy import select, text

from gql_app.lib.database import Database, Transaction
from gql_app.lib.database.errors import CommitOutcomeUnknown, ConnectionLost
from tests.lib.database.people import (
    NAMES,
    ONE,
    PATIENCE,
    PID,
    PersonRow,
    add,
    make_table,
    once,
    past,
    rename,
    terminate,
    until,
    until_found,
)

SLOW_COMMIT = (
    """
    CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_sleep(100); RETURN NULL; END $$
    """,
    """
    CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON people DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION slow()
    """,
)
COMMITTING = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND state = 'active' AND query LIKE 'COMMIT%'
"""


async def test_rule_that_raises_leaves_nothing_and_the_next_one_writes(database: Database) -> None:
    async def fail(transaction: Transaction) -> None:
        await add(transaction, "Ada")
        raise LookupError

    for _ in range(3):
        with pytest.raises(LookupError):
            await database.transact(fail)
        assert await database.fetch_all(NAMES) == []
    await database.transact(add, "Bob")
    assert await database.fetch_all(NAMES) == ["Bob"]


async def test_transactions_that_can_not_be_serialized_run_again(postgresql_url: str) -> None:
    database = Database(f"{postgresql_url}&default_transaction_isolation=serializable")
    await make_table(database)
    [ada] = await database.transact(add, "0")
    name = select(PersonRow.name).where(PersonRow.id == ada)
    tries: list[int] = []

    async def count_up(transaction: Transaction) -> None:
        tries.append(1)
        row = await transaction.fetch_one(name)
        await asyncio.sleep(0)
        await rename(transaction, ada, str(int(row.name) + 1))

    await asyncio.gather(*(database.transact(count_up) for _ in range(16)))
    assert await database.fetch_all(NAMES) == ["16"]
    assert len(tries) > 16
    await database.close()


async def test_transaction_that_is_in_a_deadlock_runs_again(postgresql: Database) -> None:
    ada, bob = await postgresql.transact(add, "Ada", "Bob")
    both, tries = asyncio.Barrier(2), list[int]()

    async def lock(transaction: Transaction, *ids: object) -> None:
        tries.append(1)
        for each in ids:
            row = select(PersonRow).where(PersonRow.id == each).with_for_update()
            await transaction.fetch_one(row)
            if each is ids[0] and len(tries) <= 2:
                await both.wait()

    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(
            postgresql.transact(lock, ada, bob), postgresql.transact(lock, bob, ada)
        )
    # Who runs again may take the row before who waited for it wakes, and be in the next deadlock.
    assert len(tries) >= 3


@pytest.mark.parametrize("notices", ["in a statement", "at its end"])
async def test_transaction_whose_connection_dies_before_the_commit_runs_again(
    postgresql: Database, postgresql_url: str, notices: str
) -> None:
    pids: list[int] = []
    committed: list[int] = []

    async def add_one(transaction: Transaction) -> None:
        await add(transaction, f"Ada {len(pids)}")
        pids.extend(await transaction.fetch_all(PID))
        transaction.after_commit(lambda: committed.append(len(pids)))
        if len(pids) == 1:
            await terminate(postgresql_url, set(pids))
            if notices == "in a statement":
                await transaction.fetch_all(ONE)

    await postgresql.transact(add_one)
    assert await postgresql.fetch_all(NAMES) == ["Ada 1"]
    assert len(set(pids)) == 2
    assert committed == [2]


async def test_transaction_whose_connections_always_die_is_given_up(
    postgresql: Database, postgresql_url: str
) -> None:
    tries: list[int] = []

    async def die(transaction: Transaction) -> None:
        tries.append(1)
        await terminate(postgresql_url, set(await transaction.fetch_all(PID)))

    with pytest.raises(ConnectionLost):
        await postgresql.transact(die)
    assert len(tries) > 2


async def test_connection_that_died_before_is_replaced_at_the_next_try(
    postgresql: Database, postgresql_url: str
) -> None:
    async def pid(transaction: Transaction) -> int | None:
        return await transaction.fetch_one(PID)

    old = await postgresql.transact(pid)
    assert old
    await terminate(postgresql_url, {old})
    with pytest.raises(ConnectionLost):
        await once(postgresql, pid)
    assert await postgresql.transact(pid) != old


async def test_fate_of_what_is_lost_in_its_commit_is_unknown_and_it_runs_once(
    postgresql: Database, postgresql_url: str
) -> None:
    tries: list[int] = []
    committed: list[int] = []

    async def add_one(transaction: Transaction) -> None:
        tries.append(1)
        transaction.after_commit(lambda: committed.append(1))
        await add(transaction, "Ada")

    for statement in SLOW_COMMIT:
        await past(postgresql_url, statement)
    task = asyncio.create_task(postgresql.transact(add_one))
    await terminate(postgresql_url, set(await until_found(postgresql_url, COMMITTING)))
    with pytest.raises(CommitOutcomeUnknown) as why:
        await task
    assert "isn't known whether" in why.value.message
    assert why.value.extensions["mayBeDone"] is True
    assert (tries, committed) == ([1], [])


async def test_commit_that_hangs_is_left_by_whoever_is_cancelled_and_reading_goes_on(
    postgresql: Database, postgresql_url: str
) -> None:
    for statement in SLOW_COMMIT:
        await past(postgresql_url, statement)
    tasks = [asyncio.create_task(postgresql.transact(add, name)) for name in ("Ada", "Bob", "Eve")]
    await until(lambda: postgresql.use["write"]["in_use"] == 3)
    await until_found(postgresql_url, COMMITTING)
    for task in tasks:
        task.cancel()
    assert len((await asyncio.wait(tasks, timeout=PATIENCE))[0]) == 3
    assert await postgresql.fetch_all(NAMES) == []
    await terminate(postgresql_url, set(await until_found(postgresql_url, COMMITTING)))
    await past(postgresql_url, "DROP TRIGGER slow ON people")
    await until(lambda: postgresql.use["write"]["in_use"] == 0)
    await postgresql.transact(add, "Ida")
    assert await postgresql.fetch_all(NAMES) == ["Ida"]


async def test_server_that_only_lets_read_takes_no_transaction(postgresql_url: str) -> None:
    database = Database(f"{postgresql_url}&default_transaction_read_only=on")
    await past(postgresql_url, "CREATE TABLE places (x int)")

    async def write(transaction: Transaction) -> None:
        await transaction.execute(text("INSERT INTO places VALUES (1)"))

    with pytest.raises(ConnectionLost):
        await database.transact(write)
    assert await past(postgresql_url, "SELECT x FROM places") == []
    await database.close()


async def test_statements_at_once_are_refused_in_words_whenever_the_first_one_ends(
    database: Database,
) -> None:
    async def gather(transaction: Transaction) -> None:
        await asyncio.gather(*(transaction.fetch_all(ONE) for _ in range(5)))

    for _ in range(20):
        with pytest.raises(RuntimeError, match="one statement at a time") as raised:
            await database.transact(gather)
        assert raised.value.__context__ is None
    await database.transact(add, "Ada")
    assert await database.fetch_all(NAMES) == ["Ada"]
