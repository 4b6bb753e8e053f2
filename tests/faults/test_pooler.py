"""Behind a pooler that lends PostgreSQL by transactions: nothing is left with one server."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Float, bindparam, func, select
from sqlalchemy.dialects.postgresql import INTEGER

from gql_app.db.readiness import condition
from gql_app.lib.database import Database, Query, Transaction
from tests.conftest import SECRET
from tests.databases import Postgres
from tests.faults.load import OK, load_on, people_of
from tests.people import PASSWORD, add_customer
from tests.pooler import Pooler, pooling
from tests.processes import output_of, run_main, serving, signed_in

SERVERS = 2
CROWD = 12
WHERE = Query(select(func.pg_backend_pid(type_=INTEGER)), lambda row: int(row[0]))
SLEEP = Query(select(func.pg_sleep(bindparam("seconds", type_=Float()))), tuple)


@pytest.fixture
def database_url(postgres: Postgres) -> Iterator[str]:
    """Make an empty, migrated database on PostgreSQL."""
    with postgres.copied() as url:
        yield url


@pytest.fixture
def pooler(database_url: str) -> Iterator[Pooler]:
    """Put a pooler before it, with few servers."""
    with pooling(database_url, size=SERVERS) as pooler:
        yield pooler


async def where(db: Transaction) -> int:
    """Return which server one is at."""
    [found] = await db.fetch_all(WHERE)
    return found


async def test_questions_and_transactions_share_servers(pooler: Pooler) -> None:
    async with Database(pooler.url, prepared=False) as database:
        asking = asyncio.gather(*(database.fetch_all(WHERE) for _ in range(CROWD)))
        writing = asyncio.gather(*(database.transact(where) for _ in range(CROWD)))
        assert (await condition(database)).ready
        assert len({pid for [pid] in await asking} | set(await writing)) == SERVERS
        task = asyncio.create_task(database.fetch_all(SLEEP, seconds=100))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await asyncio.gather(*(database.fetch_all(WHERE) for _ in range(CROWD)))
        assert pooler.clients > SERVERS


def test_migrations_go_through_from_several_processes(postgres: Postgres, tmp_path: Path) -> None:
    with postgres.copied("template1") as url, pooling(url, size=SERVERS) as pooler:
        settings = {"database_url": pooler.url, "database_prepared_statements": "false"}
        for _ in range(2):
            assert "up to date" in output_of("migrate", folder=tmp_path, **settings)


@pytest.mark.parametrize("prepared", ["false", "", "true"])
async def test_server_answers_everybody_though_the_setting_is_forgotten(
    pooler: Pooler, database_url: str, tmp_path: Path, prepared: str
) -> None:
    """One that is set wrong is found by the first statement that was left behind."""
    people = await people_of(database_url)
    settings = {"database_url": pooler.url, "database_prepared_statements": prepared}
    found = run_main("check", "--json", folder=tmp_path, secret_key=SECRET, **settings)
    codes = [each["code"] for each in json.loads(found.stdout)["findings"]]
    assert ("pooler" in codes) == (prepared != "false")
    database = Database(database_url)
    await add_customer(database, "Ada", "ada@example.com")
    await database.close()
    with serving(
        folder=tmp_path,
        secret_key=SECRET,
        account_writes_per_hour="1000000",
        **settings,
    ) as server:
        with server.client() as client:
            assert signed_in(client, "ada@example.com", PASSWORD)
        async with load_on(server, people) as load:
            for _ in range(3):
                await load.everybody(OK)
        with server.client() as client:
            assert client.get("/readyz").status_code == 200
        server.await_log("A pooler stands before PostgreSQL", times=prepared != "false")
    assert load.codes == {OK}
    assert server.logged().count("A pooler stands before PostgreSQL") == (prepared != "false")
    assert server.logged().count("GQL_APP_DATABASE_PREPARED_STATEMENTS") == (prepared != "false")
    assert (pooler.busiest, pooler.clients > SERVERS) == (SERVERS, True)
