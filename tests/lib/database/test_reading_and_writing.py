"""Reading and transactions on both databases: whole, in words, and with no value in an error."""

import asyncio
from contextlib import suppress
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Text, bindparam, delete, func, select, text, update

from gql_app.lib.database import (
    Busy,
    ColumnQuery,
    Database,
    IntegrityViolation,
    Query,
    StatementError,
    Transaction,
    Unavailable,
    insert_or_ignore,
    sqlite_file,
    upsert,
)
from gql_app.lib.database.errors import ConnectionLost
from tests.databases import Postgres
from tests.lib.database.people import (
    AT,
    COUNT,
    INSERT,
    NAMES,
    ONE,
    PATIENCE,
    PersonRow,
    add,
    once,
    past,
    person,
    rename,
    until,
    until_it_waits,
)

SECRET = "a value nobody may see"
NUMBERS = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n FROM c"
ENDLESS = f"count(*) FROM ({NUMBERS})"


async def test_what_a_block_wrote_is_kept_when_it_ends(database: Database) -> None:
    async with database.transaction() as transaction:
        await add(transaction, "Ada", "Bob")
    assert await database.fetch_all(NAMES) == ["Ada", "Bob"]


async def test_a_block_that_raises_leaves_nothing(database: Database) -> None:
    async def fail(transaction: Transaction) -> None:
        await add(transaction, "Ada")
        raise LookupError

    with pytest.raises(LookupError):
        await database.transact(fail)
    assert await database.fetch_one(COUNT) == 0


async def test_a_transaction_sees_what_it_wrote_and_nobody_else_does_yet(
    database: Database,
) -> None:
    async with database.transaction() as transaction:
        await add(transaction, "Ada")
        assert await transaction.fetch_all(NAMES) == ["Ada"]
        assert await database.fetch_all(NAMES) == []
    assert await database.fetch_all(NAMES) == ["Ada"]


async def test_a_cancelled_block_leaves_nothing_and_holds_nothing(database: Database) -> None:
    written = asyncio.Event()

    async def linger() -> None:
        async with database.transaction() as transaction:
            await add(transaction, "Ada")
            written.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(linger())
    await written.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await database.transact(add, "Bob")
    assert await database.fetch_all(NAMES) == ["Bob"]


async def test_cancelled_transaction_is_left_at_once_and_rolled_back(
    database: Database, database_url: str
) -> None:
    [ada] = await database.transact(add, "Ada")
    async with database.transaction() as holding:
        await rename(holding, ada, "Bob")
        task = asyncio.create_task(database.transact(rename, ada, "Eve"))
        await until_it_waits(database_url, database, task)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await until(lambda: database.use["write"]["in_use"] == 0)
    assert await database.fetch_all(NAMES) == ["Bob"]


async def test_32_writers_at_once_lose_nothing(database: Database) -> None:
    [ada] = await database.transact(add, "0")
    locked = select(PersonRow.name).where(PersonRow.id == ada).with_for_update()

    async def add_one(transaction: Transaction) -> None:
        row = await transaction.fetch_one(locked)
        await asyncio.sleep(0)
        await rename(transaction, ada, str(int(row.name) + 1))
        await add(transaction, "Bob")

    await asyncio.gather(*(database.transact(add_one) for _ in range(32)))
    assert (await database.fetch_one(locked)).name == "32"
    assert await database.fetch_one(COUNT) == 33


async def test_rows_are_counted_by_what_is_done_to_them(database: Database) -> None:
    async with database.transaction() as transaction:
        assert await transaction.execute(INSERT, **person("Ada")) == 1
        await transaction.execute_many(INSERT, [person("Bob"), person("Eve")])
        await transaction.execute_many(INSERT, [])
        assert await transaction.execute(update(PersonRow).values(is_active=False)) == 3
        nobody = delete(PersonRow).where(PersonRow.name == "nobody")
        assert await transaction.execute(nobody) == 0
        others = delete(PersonRow).where(PersonRow.name != "Ada")
        assert await transaction.execute(others.returning(PersonRow.id)) == 2


async def test_first_row_is_fetched_or_none(database: Database) -> None:
    assert await database.fetch_one(NAMES) is None
    assert await database.fetch_one(select(PersonRow)) is None
    await database.transact(add, "Bob", "Ada")
    assert await database.fetch_one(NAMES) == "Ada"


async def test_rows_are_fetched_by_column(database: Database) -> None:
    columns = (PersonRow.name, PersonRow.id, PersonRow.email)
    query = ColumnQuery(select(*columns).order_by(PersonRow.name))
    assert [*map(len, await database.fetch_all(query))] == [0, 0, 0]
    rows = [person("Ada"), person("Bob", email="bob@example.com")]
    async with database.transaction() as transaction:
        await transaction.execute_many(INSERT, rows)
        found = await transaction.fetch_all(query)
    assert [*zip(*found, strict=True)] == [(row["name"], row["id"], row["email"]) for row in rows]


async def test_bare_statement_answers_named_tuples(database: Database) -> None:
    async with database.transaction() as transaction:
        row = person("Ada", tags=["x"])
        await transaction.execute(INSERT, **row)
        [found] = await transaction.fetch_all(select(PersonRow))
        assert found._asdict() == row
    counted = await database.fetch_one(select(func.count().label("n"), func.max(PersonRow.name)))
    assert (counted.n, *counted) == (1, 1, "Ada")


async def test_what_waits_for_the_commit_is_called_after_it_alone(database: Database) -> None:
    called: list[str] = []

    async def call(transaction: Transaction, name: str) -> None:
        await add(transaction, name)
        transaction.after_commit(lambda: called.append(name))
        assert called in ([], ["Ada"])
        if name == "Bob":
            raise LookupError

    await database.transact(call, "Ada")
    with pytest.raises(LookupError):
        await database.transact(call, "Bob")
    assert called == ["Ada"]


@pytest.mark.parametrize(
    "values",
    [{"email": "ada@x"}, {"boss_id": uuid4()}, {"name": None}],
    ids=["unique", "reference", "null"],
)
async def test_row_that_a_constraint_refuses_is_a_violation(
    database: Database, values: dict[str, object]
) -> None:
    async with database.transaction() as transaction:
        await transaction.execute(INSERT, **person("Ada", email="ada@x"))

    async def violate(transaction: Transaction) -> None:
        await add(transaction, "Bob")
        await transaction.execute(INSERT, **{**person("Eve"), **values})

    with pytest.raises(IntegrityViolation, match=r"(?i)constraint"):
        await database.transact(violate)
    assert await database.fetch_all(NAMES) == ["Ada"]


async def test_nothing_follows_a_statement_that_failed_and_all_is_rolled_back(
    database: Database,
) -> None:
    async def pass_over(transaction: Transaction) -> None:
        await add(transaction, "Ada")
        for statement in (text("DELETE FROM nowhere"), ONE):
            with pytest.raises(StatementError, match="nowhere"):
                await transaction.execute(statement)

    with pytest.raises(StatementError, match="nowhere"):
        await database.transact(pass_over)
    assert await database.fetch_all(NAMES) == []


async def test_errors_do_not_show_values(database: Database) -> None:
    row = person(SECRET, email=SECRET, tags=[SECRET])
    async with database.transaction() as transaction:
        await transaction.execute(INSERT, **row)
    said = bindparam("said", type_=Text())
    for statement, values in (
        (INSERT, row),
        (INSERT, {**row, "id": uuid4()}),
        (INSERT, {**row, "id": uuid4(), "email": None, "is_active": None}),
        (INSERT, {**row, "id": uuid4(), "email": object()}),
        (select(said).select_from(text("nowhere")), {"said": SECRET}),
        (select(func.no_function(said)), {"said": SECRET}),
    ):
        with pytest.raises(StatementError) as why:
            await database.transact(Transaction.execute, statement, **values)
        shown: BaseException | None = why.value
        while shown:
            assert SECRET not in f"{shown} {shown!r}"
            shown = None if shown.__suppress_context__ else shown.__context__


async def test_row_that_is_there_is_updated_or_left_or_ignored(database: Database) -> None:
    ada = person("Ada", email="ada@x")
    async with database.transaction() as transaction:
        assert await transaction.execute(upsert(PersonRow), **ada) == 1
        assert await transaction.execute(upsert(PersonRow), **{**ada, "name": "Bob"}) == 1
        assert await transaction.fetch_all(NAMES) == ["Bob"]
        some = upsert(PersonRow, update=["is_active"])
        await transaction.execute(some, **{**ada, "name": "Eve", "is_active": False})
        left = upsert(PersonRow, update=())
        await transaction.execute(left, **{**ada, "name": "Eve", "is_active": True})
        ignoring = insert_or_ignore(PersonRow)
        assert await transaction.execute(ignoring, **person("Eve", email="ada@x")) == 0
        [row] = await transaction.fetch_all(select(PersonRow))
        assert (row.name, row.is_active) == ("Bob", False)


async def test_many_rows_are_inserted_and_those_that_were_are_returned(
    database: Database,
) -> None:
    rows = [person(name, email=f"{name[0]}@x") for name in ("Ada", "Adam", "Bob")]
    query = Query(insert_or_ignore(PersonRow).returning(PersonRow.name), lambda row: row[0])
    async with database.transaction() as transaction:
        assert await transaction.execute_many(query, rows) == ["Ada", "Bob"]
        assert await transaction.execute_many(query, rows) == []
        assert await transaction.execute_many(query, []) == []


async def test_nobody_waits_for_a_connection_for_ever(database_url: str) -> None:
    database = Database(database_url, connections=1, pool_timeout=1)
    async with database.transaction() as held:
        await held.fetch_all(ONE)
        with pytest.raises(Busy):
            async with asyncio.timeout(PATIENCE), database.transaction():
                pass
    await database.close()


async def test_busy_pool_is_no_unreachable_database(database_url: str) -> None:
    database = Database(database_url, connections=1)
    assert await database.fetch_all(ONE)
    async with database.transaction():
        assert await database.probe(ONE) == [(1,)]
    await database.close()


async def test_connections_to_write_with_are_counted(database: Database) -> None:
    async with database.transaction():
        assert database.use["write"] == {"in_use": 1, "idle": 0}
    assert database.use["write"] == {"in_use": 0, "idle": 1}
    assert database.use["read"] == {"in_use": 0, "idle": 0, "waiting": 0}
    await database.fetch_all(ONE)
    assert database.use["read"] == {"in_use": 0, "idle": 1, "waiting": 0}


async def test_a_database_that_is_not_there_is_unreachable(
    tmp_path: Path, postgres: Postgres
) -> None:
    garbage = tmp_path / "garbage.db"
    garbage.write_bytes(b"this is no database" * 100)
    for url in (
        f"sqlite:///{tmp_path}/no/folder.db",
        f"sqlite:///{tmp_path}",
        f"sqlite:///{garbage}",
        f"postgresql:///postgres?host={tmp_path}",
        "postgresql://nobody:secret@127.0.0.1:1/postgres",
        postgres.url("no_such_database"),
    ):
        database = Database(url)
        with pytest.raises((Unavailable, StatementError)):
            await database.probe(ONE)
        await database.close()


async def test_database_that_is_unavailable_says_so_with_its_cause() -> None:
    database = Database("postgresql://nobody:secret@127.0.0.1:1/postgres")
    for work in (database.fetch_all(ONE), database.transact(add, "Ada")):
        with pytest.raises(ConnectionLost) as why:
            await work
        assert why.value.cause.startswith("ConnectionRefusedError")
        assert why.value.extensions == {"code": "SERVICE_UNAVAILABLE", "retryAfter": 1}
        assert "reached" in why.value.message
    await database.close()


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:///demo.db", "demo.db"),
        ("sqlite:////var/lib/demo.db", "/var/lib/demo.db"),
        ("sqlite:///demo.db?mode=rw", "demo.db"),
        ("sqlite:///my%20shop%3F.db", "my shop?.db"),
        ("sqlite:///100%#1+1.db", "100%#1+1.db"),
        ("sqlite:///%3Amemory%3A", ":memory:"),
    ],
)
def test_the_file_of_a_url_is_found(url: str, file: str) -> None:
    assert sqlite_file(url) == Path(file)


async def test_commit_goes_through_though_its_block_is_cancelled(
    database: Database, database_url: str
) -> None:
    committed: list[str] = []

    async def add_one(transaction: Transaction, name: str) -> None:
        await add(transaction, name)
        transaction.after_commit(lambda: committed.append(name))

    for number in range(40):
        task = asyncio.create_task(once(database, partial(add_one, name=f"{number:02}")))
        for _ in range(number):
            await asyncio.sleep(0.0005)
        task.cancel()
        await asyncio.wait([task])
    await until(lambda: database.use["write"]["in_use"] == 0)
    names = await database.fetch_all(NAMES)
    assert names == sorted(committed)
    assert len(names) == len(await past(database_url, "SELECT name FROM people"))


async def test_nothing_follows_a_statement_that_was_cancelled(database: Database) -> None:
    sleeping = "pg_sleep(100)" if database.dialect == "postgresql" else ENDLESS

    async def give_up(transaction: Transaction) -> None:
        await add(transaction, "Ada")
        with suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await transaction.fetch_all(text(f"SELECT {sleeping}"))

    with pytest.raises(StatementError, match="was cancelled"):
        await database.transact(give_up)
    await database.transact(add, "Bob")
    assert await database.fetch_all(NAMES) == ["Bob"]


async def test_row_takes_null_or_a_default_where_it_is_given_no_value(database: Database) -> None:
    async with database.transaction() as transaction:
        some = {"id": uuid4(), "name": "Ada", "joined_at": AT, "tags": []}
        await transaction.execute(INSERT, **some)
    row = await database.fetch_one(select(PersonRow))
    assert (row.email, row.boss_id, row.is_active) == (None, None, True)
