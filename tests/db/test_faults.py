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
from tests.accounts.rows import customer, store
from tests.databases import Postgres, copied_sqlite, looking
from tests.db.test_postgres import PATIENCE, PID, terminate
from tests.locks import until_it_waits

ONE = Question(select(literal_column("1", Integer())), tuple)
RAISE = """
CREATE FUNCTION fail(state text) RETURNS int LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'failing as told' USING ERRCODE = state; END $$
"""
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
            assert why.extensions == {"code": "SERVICE_UNAVAILABLE", "retryAfter": kind.wait}
    async with postgresql.read() as reader:
        assert await reader.ask(ONE)


async def count_up(db: Writer, row: CustomerRow, tries: list[int]) -> None:
    """Read a number and write the next one, as only what runs alone may."""
    tries.append(1)
    name = (await db.scalars(select(CustomerRow.name).where(CustomerRow.id == row.id))).one()
    await asyncio.sleep(0)
    itself = CustomerRow.id == row.id
    await db.execute(update(CustomerRow).where(itself).values(name=str(int(name) + 1)))


async def test_transactions_that_can_not_be_serialized_run_again(postgres: Postgres) -> None:
    with postgres.copied() as url:
        serializable = f"{url}&default_transaction_isolation=serializable"
        database, tries = Database(serializable), list[int]()
        [row] = await store(database, [customer("0")])
        await asyncio.gather(*(database.transact(count_up, row, tries) for _ in range(16)))
        async with looking(database) as db:
            assert (await db.get_one(CustomerRow, row.id)).name == "16"
        assert len(tries) > 16
        await database.close()


async def test_transaction_that_is_in_a_deadlock_runs_again(postgresql: Database) -> None:
    ada, bob = await store(postgresql, [customer("Ada"), customer("Bob")])
    both, tries = asyncio.Barrier(2), list[int]()

    async def lock(db: Writer, *rows: CustomerRow) -> None:
        tries.append(1)
        for row in rows:
            await db.get(CustomerRow, row.id, with_for_update=True)
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
            async with looking(database) as db:
                if pids := set(await db.scalars(text(COMMITTING))):
                    return pids
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("notices", ["in a statement", "at its end"])
async def test_transaction_whose_connection_dies_before_the_commit_runs_again(
    postgresql: Database, notices: str
) -> None:
    pids: list[int] = []

    async def add(db: Writer) -> None:
        db.add(customer(f"Ada {len(pids)}"))
        await db.flush()
        pids.extend(await db.ask(PID))
        if len(pids) == 1:
            await terminate(postgresql, set(pids))
            if notices == "in a statement":
                await db.ask(ONE)

    await postgresql.transact(add)
    async with looking(postgresql) as db:
        assert (await db.scalars(select(CustomerRow.name))).all() == ["Ada 1"]
    assert len(set(pids)) == 2


async def test_transaction_whose_connections_always_die_is_given_up(postgresql: Database) -> None:
    tries: list[int] = []

    async def die(db: Writer) -> None:
        tries.append(1)
        await terminate(postgresql, set(await db.ask(PID)))

    with pytest.raises(Lost):
        await postgresql.transact(die)
    assert len(tries) > 2


async def test_fate_of_what_is_lost_in_its_commit_is_unknown_and_it_runs_once(
    postgresql: Database,
) -> None:
    tries: list[int] = []

    async def add(db: Writer) -> None:
        tries.append(1)
        db.add(customer("Ada"))

    async with postgresql.write() as db:
        for statement in SLOW_COMMIT:
            await db.execute(text(statement))
    task = asyncio.create_task(postgresql.transact(add))
    await terminate(postgresql, await until_committing(postgresql))
    with pytest.raises(Unknown) as why:
        await task
    assert "isn't known whether" in why.value.message
    assert tries == [1]


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
            async with database.write() as db:
                await db.ask(ONE)
    await database.close()


async def test_cancelled_transaction_is_left_at_once_and_rolled_back(database: Database) -> None:
    [row] = await store(database, [customer("Ada")])
    async with database.write() as holding:
        await rename(holding, row, "Bob")
        task = asyncio.create_task(database.transact(rename, row, "Eve"))
        await until_it_waits(holding, task)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    async with looking(database) as db:
        assert (await db.get_one(CustomerRow, row.id)).name == "Bob"


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
        assert await database.faults() == {}
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
