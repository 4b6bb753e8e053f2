"""The engine: safe settings, whole transactions, and faults in words."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import DBAPIError

from gql_app.db.engine import sqlite_file
from gql_app.db.tables import REVISION, REVISIONS, CustomerRow
from gql_app.lib.database import Database, Query
from tests.accounts.rows import StoredCustomer, customer, store
from tests.databases import Postgres, copied_sqlite
from tests.rows import get_row, value

SECRET = "a value nobody may see"
COUNT = Query(select(func.count()).select_from(CustomerRow), lambda row: int(row[0]))


@pytest.fixture
async def sqlite(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[Database]:
    """Open an empty database on SQLite."""
    async with opened(copied_sqlite(sqlite_template, tmp_path)) as database:
        yield database


@pytest.fixture(params=["sqlite", "postgresql"])
def unmigrated_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give a database that has seen no migration."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
    else:
        server: Postgres = request.getfixturevalue("postgres")
        with server.copied("template0") as url:
            yield url


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    """Open a database, and close it when the block ends."""
    database = Database(url)
    yield database
    await database.close()


async def count(database: Database) -> int:
    """Count the customers."""
    [found] = await database.fetch_all(COUNT)
    return found


async def pragma(database: Database, name: str) -> object:
    """Ask SQLite how it is set."""
    async with database.transaction() as db:
        return await value(db, text(f"PRAGMA {name}"))


async def test_sqlite_writes_ahead_and_checks_references_and_waits(sqlite: Database) -> None:
    assert await pragma(sqlite, "journal_mode") == "wal"
    assert await pragma(sqlite, "foreign_keys") == 1
    assert await pragma(sqlite, "busy_timeout") == 500


async def test_what_a_block_wrote_is_kept_when_it_ends(database: Database) -> None:
    await store(database, [customer("Ada"), customer("Bob")])
    assert await count(database) == 2


async def test_a_block_that_raises_leaves_nothing(database: Database) -> None:
    async def fail() -> None:
        async with database.transaction() as db:
            db.add(customer("Ada"))
            await db.execute(insert(CustomerRow), [vars_of(customer("Bob"))])
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert await count(database) == 0


async def test_a_cancelled_block_leaves_nothing_and_holds_nothing(database: Database) -> None:
    written = asyncio.Event()

    async def linger() -> None:
        async with database.transaction() as db:
            db.add(customer("Ada"))
            written.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(linger())
    await written.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await store(database, [customer("Bob")])
    assert await count(database) == 1


async def test_a_reader_sees_nothing_of_a_write_before_it_ends(database: Database) -> None:
    async with database.transaction() as db:
        db.add(customer("Ada"))
        assert await count(database) == 0
    assert await count(database) == 1


async def test_32_writers_at_once_lose_nothing(database: Database) -> None:
    [row] = await store(database, [customer("0")])

    async def add_one() -> None:
        async with database.transaction() as db:
            found = await get_row(db, CustomerRow, row.id, for_update=True)
            await asyncio.sleep(0)
            found.name = str(int(found.name) + 1)
            db.add(customer("Ada"))

    await asyncio.gather(*(add_one() for _ in range(32)))
    assert (await get_row(database, CustomerRow, row.id)).name == "32"
    assert await count(database) == 33


async def test_a_migrated_database_is_ready(database: Database) -> None:
    assert await database.condition() == ("ok", "ok")
    assert (await database.condition()).ready
    assert await database.revision() == REVISION


async def test_an_unmigrated_database_says_so(unmigrated_url: str) -> None:
    async with opened(unmigrated_url) as database:
        assert await database.condition() == ("ok", "pending")
        assert not (await database.condition()).ready
        assert await database.revision() is None


@pytest.mark.parametrize(
    ("statement", "revision", "migrations"),
    [
        *(
            ("UPDATE alembic_version SET version_num = :at", old, "pending")
            for old in REVISIONS[:-1]
        ),
        ("UPDATE alembic_version SET version_num = :at", "9999", "newer"),
        ("DELETE FROM alembic_version WHERE version_num <> :at", "", "pending"),
    ],
)
async def test_a_database_of_another_version_says_so(
    database: Database, statement: str, revision: str, migrations: str
) -> None:
    async with database.transaction() as db:
        await db.execute(text(statement), {"at": revision})
    condition = await database.condition()
    assert condition == ("ok", migrations)
    assert condition.ready == (migrations == "newer")


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
        async with opened(url) as database:
            assert await database.condition() == ("unreachable", "unknown")


async def test_errors_do_not_show_values(database: Database) -> None:
    row = customer("Ada")
    row.password_hash = SECRET
    await store(database, [row])
    for statement, values in (
        (text("SELECT :secret FROM nowhere"), {"secret": SECRET}),
        (insert(CustomerRow), vars_of(row)),
    ):
        with pytest.raises(DBAPIError) as why:
            async with database.transaction() as db:
                await db.execute(statement, values)
        assert SECRET not in str(why.value)
        assert SECRET not in repr(why.value)


def vars_of(row: StoredCustomer) -> dict[str, object]:
    """Tell a row's values by column."""
    return {column.key: getattr(row, column.key) for column in CustomerRow.__table__.columns}


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:///demo.db", "demo.db"),
        ("sqlite:////var/lib/demo.db", "/var/lib/demo.db"),
        ("sqlite:///demo.db?mode=rw", "demo.db"),
    ],
)
def test_the_file_of_a_url_is_found(url: str, file: str) -> None:
    assert sqlite_file(url) == Path(file)
