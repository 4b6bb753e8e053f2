"""PostgreSQL: few connections, lent in turn, and given up when they are lost."""

import asyncio
import gc
from typing import Any
from weakref import ref

import pytest
from sqlalchemy import (
    Float,
    Text,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    select,
    table,
    text,
)
from sqlalchemy.dialects.postgresql import BIGINT, INTEGER, VARCHAR

from gql_app.lib.database import (
    Busy,
    Database,
    LockTimeout,
    Query,
    StatementError,
    Transaction,
    Unavailable,
)
from gql_app.lib.database import postgresql as connections
from gql_app.lib.database.errors import CommitOutcomeUnknown, Conflict, ConnectionLost, Full
from tests.lib.database.people import (
    NAMES,
    ONE,
    PATIENCE,
    PID,
    SLEEP,
    activity,
    add,
    once,
    past,
    terminate,
    until,
    until_at_work,
    until_it_waits,
)

SIZE = 3
SLEPT = cast(func.pg_sleep(bindparam("seconds", type_=Float())), Text()) == literal_column("''")
NUMBER = Query(
    select(bindparam("number", type_=INTEGER()), func.pg_backend_pid(type_=INTEGER)), tuple
)
KEY = bindparam("key", type_=INTEGER())
LOCK = select(func.pg_advisory_xact_lock(KEY))
LOCKED = Query(
    select(func.pg_backend_pid(type_=INTEGER), func.pg_advisory_xact_lock_shared(KEY)),
    lambda row: int(row[0]),
)
NOWHERE = Query(select(table("nowhere", column("x")).c.x), tuple)
FAIL = Query(select(func.fail(bindparam("state", type_=VARCHAR()))), tuple)
RAISE = """
CREATE FUNCTION fail(state text) RETURNS int LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'failing as told' USING ERRCODE = state; END $$
"""


async def until_gone(url: str, pids: set[int]) -> None:
    """Wait until connections are there no more."""
    async with asyncio.timeout(PATIENCE):
        while pids & (await activity(url)).keys():  # noqa: ASYNC110 — an end sends no event
            await asyncio.sleep(0.01)


async def cancel(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks, and see them end by it."""
    for task in tasks:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(each, asyncio.CancelledError) for each in ended)


async def pids_of_reads(database: Database) -> set[int]:
    """Have every connection to read with used at once, and return their process ids.

    Each waits for a lock until all of them do.
    """
    async with database.transaction() as transaction:
        await transaction.execute(LOCK, key=SIZE)
        readers = [asyncio.create_task(database.fetch_one(LOCKED, key=SIZE)) for _ in range(SIZE)]
        await until(lambda: database.use["read"]["in_use"] == SIZE)
    return {pid for pid in await asyncio.gather(*readers) if pid}


async def until_idle(database: Database) -> None:
    """Wait until every connection is back, and see that those to read with are open still."""
    await until(lambda: not any(each["in_use"] for each in database.use.values()))
    assert database.use["read"] == {"in_use": 0, "idle": SIZE, "waiting": 0}


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
        ("55P03", LockTimeout),
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
    async def fail(transaction: Transaction) -> None:
        await transaction.fetch_all(FAIL, state=state)

    async with postgresql.transaction() as transaction:
        await transaction.execute(text(RAISE))
    with pytest.raises(kind or StatementError) as read:
        await postgresql.fetch_all(FAIL, state=state)
    with pytest.raises(kind or StatementError) as written:
        await postgresql.transact(fail)
    for why in (read.value, written.value):
        assert type(why) is (kind or StatementError)
        if kind:
            assert isinstance(why, Unavailable)
            assert why.cause.endswith(": failing as told")
            assert "failing" not in why.message
            unknown = {"mayBeDone": True} if kind is CommitOutcomeUnknown else {}
            extensions = {"code": "SERVICE_UNAVAILABLE", "retryAfter": kind.wait, **unknown}
            assert why.extensions == extensions
    assert await postgresql.fetch_all(ONE)
    assert await postgresql.transact(add, "Ada")


async def test_one_lost_connection_has_the_others_closed(postgresql: Database) -> None:
    """They may be to a server that was the primary: what befell one befell the others."""

    async def pid(transaction: Transaction) -> int:
        [found] = await transaction.fetch_all(PID)
        await both.wait()
        return found

    both = asyncio.Barrier(2)
    old = set(await asyncio.gather(postgresql.transact(pid), postgresql.transact(pid)))
    old |= set(await postgresql.fetch_all(PID))
    async with postgresql.transaction() as transaction:
        await transaction.execute(text(RAISE))
    with pytest.raises(ConnectionLost):
        async with postgresql.transaction() as transaction:
            await transaction.fetch_all(FAIL, state="25006")
    new = set(await asyncio.gather(postgresql.transact(pid), postgresql.transact(pid)))
    new |= set(await postgresql.fetch_all(PID))
    assert not old & new


async def test_questions_one_by_one_share_a_connection(postgresql: Database) -> None:
    assert len({await postgresql.fetch_one(PID) for _ in range(5)}) == 1


async def test_no_more_connections_are_opened_than_were_granted(
    postgresql: Database, postgresql_url: str
) -> None:
    asked = (postgresql.fetch_one(SLEEP, seconds=0.01) for _ in range(20))
    assert len(set(await asyncio.gather(*asked))) == SIZE
    assert len(await activity(postgresql_url)) == SIZE + 1, "one more has written"


async def test_who_finds_all_connections_out_is_served_in_turn(
    postgresql: Database, postgresql_url: str
) -> None:
    tasks = [asyncio.create_task(postgresql.fetch_all(SLEEP, seconds=100)) for _ in range(SIZE)]
    await until_at_work(postgresql_url, SIZE)
    served: list[int] = []

    async def ask(number: int) -> None:
        await postgresql.fetch_all(PID)
        served.append(number)

    line = [asyncio.create_task(ask(number)) for number in range(10)]
    await asyncio.sleep(0)
    assert postgresql.use["read"] == {"in_use": SIZE, "idle": 0, "waiting": 10}
    line[3].cancel()
    await cancel(tasks[0])
    await asyncio.gather(*line, return_exceptions=True)
    assert served == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    await cancel(*tasks[1:])


async def test_cancelled_statement_ends_on_the_server_and_its_connection_stays(
    postgresql: Database, postgresql_url: str
) -> None:
    tasks = [asyncio.create_task(postgresql.fetch_all(SLEEP, seconds=100)) for _ in range(SIZE)]
    pids = await until_at_work(postgresql_url, SIZE)
    await cancel(*tasks)
    await until_idle(postgresql)
    assert await pids_of_reads(postgresql) == pids
    assert set((await activity(postgresql_url)).values()) == {"idle"}


async def test_cancelled_statement_of_a_transaction_ends_too_and_is_rolled_back(
    postgresql: Database, postgresql_url: str
) -> None:
    async def sleep(transaction: Transaction) -> None:
        await add(transaction, "Ada")
        await transaction.fetch_all(SLEEP, seconds=100)

    tasks = [asyncio.create_task(postgresql.transact(sleep)) for _ in range(SIZE)]
    pids = await until_at_work(postgresql_url, SIZE)
    await cancel(*tasks)
    await asyncio.gather(*(postgresql.transact(add, "Bob") for _ in range(SIZE)))
    assert await postgresql.fetch_all(NAMES) == ["Bob"] * SIZE
    assert pids < (await activity(postgresql_url)).keys(), "one more has read"


@pytest.mark.parametrize(("delay", "seconds"), [(0, 100.0), (PATIENCE, 0.2)])
async def test_crowd_that_leaves_at_once_costs_no_connection_and_leaves_nothing_to_the_next(
    postgresql: Database,
    postgresql_url: str,
    monkeypatch: pytest.MonkeyPatch,
    delay: int,
    seconds: float,
) -> None:
    """Statements run to their end if they are short, and are cancelled otherwise."""
    monkeypatch.setattr(connections, "CANCEL_DELAY", delay)
    pids = await pids_of_reads(postgresql)
    await asyncio.gather(*(postgresql.transact(add, "Eve") for _ in range(SIZE)))
    await past(postgresql_url, "CREATE SEQUENCE ends")
    ends = Query(select(func.nextval("ends", type_=BIGINT)).where(SLEPT), tuple)
    readers = [asyncio.create_task(postgresql.fetch_all(ends, seconds=seconds)) for _ in range(32)]
    if not delay:  # PostgreSQL ignores a request to cancel what it has not begun
        await until_at_work(postgresql_url, SIZE)
    writers = [asyncio.create_task(postgresql.transact(add, "Ada")) for _ in range(32)]
    await asyncio.sleep(0)
    assert [each["in_use"] for each in postgresql.use.values()] == [SIZE, SIZE]
    await cancel(*readers, *writers)
    await until_idle(postgresql)
    assert await pids_of_reads(postgresql) == pids
    found = await asyncio.gather(*(postgresql.fetch_all(NUMBER, number=n) for n in range(32)))
    assert [number for [(number, _)] in found] == list(range(32))
    assert {pid for [(_, pid)] in found} <= pids
    [[count]] = await past(postgresql_url, "SELECT count(*) FROM people")
    await postgresql.transact(add, "Bob")
    assert len(await postgresql.fetch_all(NAMES)) == count + 1
    [[ended]] = await past(postgresql_url, "SELECT is_called FROM ends")
    assert ended == bool(delay)


async def test_error_is_freed_with_all_that_it_saw_once_it_is_handled(postgresql: Database) -> None:
    seen: list[ref[StatementError]] = []
    await postgresql.fetch_all(ONE)
    gc.disable()
    try:
        try:
            await postgresql.fetch_all(NOWHERE)
        except StatementError as error:
            seen.append(ref(error))
        await asyncio.sleep(0)  # the event loop holds it during this turn
        assert [each() for each in seen] == [None]
    finally:
        gc.enable()


async def test_connection_that_was_closed_while_idle_is_replaced(
    postgresql: Database, postgresql_url: str
) -> None:
    pids = await pids_of_reads(postgresql)
    await terminate(postgresql_url, pids)
    assert await postgresql.fetch_one(PID) not in pids


async def test_question_whose_connection_dies_is_asked_once_more(
    postgresql: Database, postgresql_url: str
) -> None:
    task = asyncio.create_task(postgresql.fetch_one(SLEEP, seconds=1))
    [first] = await until_at_work(postgresql_url, 1)
    await terminate(postgresql_url, {first})
    assert await task != first


async def test_question_whose_connection_dies_each_time_is_given_up(
    postgresql: Database, postgresql_url: str
) -> None:
    task = asyncio.create_task(postgresql.fetch_all(SLEEP, seconds=100))
    tries = set()
    async with asyncio.timeout(PATIENCE):
        while not task.done():
            states = await activity(postgresql_url)
            at_work = {pid for pid, state in states.items() if state != "idle"}
            await terminate(postgresql_url, at_work)
            tries |= at_work
    with pytest.raises(ConnectionLost) as why:
        await task
    assert "terminating connection" in why.value.cause
    assert len(tries) > 2
    assert await postgresql.fetch_all(PID)


async def test_connection_that_is_out_is_forgotten_as_well(
    postgresql: Database, postgresql_url: str
) -> None:
    sleeping = asyncio.create_task(postgresql.fetch_one(SLEEP, seconds=1))
    [out] = await until_at_work(postgresql_url, 1)
    dying = asyncio.create_task(postgresql.transact(sleep_once, [out]))
    [dead] = await until_at_work(postgresql_url, 2) - {out}
    await terminate(postgresql_url, {dead})
    await dying
    assert await sleeping == out
    assert await postgresql.fetch_one(PID) != out


async def sleep_once(transaction: Transaction, pids: list[int]) -> None:
    """Sleep for so long that somebody ends the connection, but the first time only."""
    if len(pids) == 1:
        pids.append(0)
        await transaction.fetch_all(SLEEP, seconds=100)


async def test_statement_that_fails_leaves_its_connection_as_it_was(postgresql: Database) -> None:
    pid = await postgresql.fetch_one(PID)
    for _ in range(2 * SIZE):
        with pytest.raises(StatementError, match="nowhere"):
            await postgresql.fetch_all(NOWHERE)
    assert await postgresql.fetch_one(PID) == pid


async def test_transaction_that_fails_leaves_its_connection_as_it_was(
    postgresql: Database,
) -> None:
    pids: list[int] = []

    async def fail(transaction: Transaction) -> None:
        pids.extend(await transaction.fetch_all(PID))
        await transaction.fetch_all(NOWHERE)

    for _ in range(2 * SIZE):
        with pytest.raises(StatementError):
            await postgresql.transact(fail)
    assert len(set(pids)) == 1


async def test_what_was_prepared_before_a_migration_is_prepared_anew(
    postgresql: Database, postgresql_url: str
) -> None:
    everything = Query(select(text("*")).select_from(text("places")), tuple)

    async def look(transaction: Transaction) -> list[Any]:
        return await transaction.fetch_all(everything)

    await past(postgresql_url, "CREATE TABLE places (x int)")
    assert await postgresql.fetch_all(everything) == []
    assert await postgresql.transact(look) == []
    await past(postgresql_url, "ALTER TABLE places ALTER x TYPE text, ADD y int")
    await past(postgresql_url, "INSERT INTO places VALUES ('here', 7)")
    assert await postgresql.fetch_all(everything) == [("here", 7)]
    assert await postgresql.transact(look) == [("here", 7)]


async def test_close_ends_every_connection(postgresql: Database, postgresql_url: str) -> None:
    pids = await pids_of_reads(postgresql)
    await postgresql.probe(ONE)
    await postgresql.close()
    await until_gone(postgresql_url, pids)
    assert await activity(postgresql_url) == {}


async def test_writers_that_hang_leave_connections_to_read_with(
    postgresql: Database, postgresql_url: str
) -> None:
    async def lock(transaction: Transaction) -> None:
        await transaction.execute(text("LOCK TABLE people IN ACCESS EXCLUSIVE MODE"))

    async with postgresql.transaction() as holding:
        await lock(holding)
        tasks = [asyncio.create_task(once(postgresql, lock)) for _ in range(SIZE - 1)]
        await until_it_waits(postgresql_url, postgresql, tasks[-1])
        with pytest.raises(Busy):
            await postgresql.transact(add, "Ada")
        assert len(await asyncio.gather(*(postgresql.fetch_all(ONE) for _ in range(8)))) == 8
    await asyncio.gather(*tasks)
