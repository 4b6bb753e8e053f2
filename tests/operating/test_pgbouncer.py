"""A real PgBouncer in transaction mode before PostgreSQL, whether or not its setting is made."""

import asyncio
import json
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from gql_app.lib.database import Database
from tests.clusters import OWNER, Cluster, folder, running_cluster
from tests.conftest import SECRET
from tests.faults.load import OK, load_on, people_of, stored
from tests.lib.database.people import NAMES, PID, SLEEP, add, make_table, past
from tests.operating.programs import located
from tests.processes import PATIENCE, free_port, output_of, run_main, serving

SERVERS = 3
WORKERS = 2
CROWD = 32
CONFIGURATION = """
[databases]
* = host=127.0.0.1 port={server} user=postgres

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {size}
max_client_conn = 500
server_round_robin = {round_robin}
"""
pytestmark = pytest.mark.xdist_group("pgbouncer")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Run a migrated PostgreSQL server."""
    with folder() as place, running_cluster(place) as cluster:
        yield cluster


@pytest.fixture(scope="module", params=[0, 1], ids=["last server", "round robin"])
def url(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the URL of the server by way of PgBouncer, which lends few connections."""
    with bouncing(cluster, round_robin=request.param) as url:
        yield url


@contextmanager
def bouncing(cluster: Cluster, *, round_robin: int) -> Iterator[str]:
    """Run PgBouncer for as long as the block lasts."""
    program = str(located("pgbouncer"))
    port, file = free_port(), cluster.data.parent / f"pgbouncer-{round_robin}.ini"
    file.write_text(
        CONFIGURATION.format(server=cluster.port, port=port, size=SERVERS, round_robin=round_robin)
    )
    file.chmod(0o644)
    with file.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen([program, file], user=OWNER, stdout=log, stderr=log)  # noqa: S603 — as it was located
        try:
            await_port(port)
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            process.terminate()
            process.wait(PATIENCE)


def await_port(port: int) -> None:
    """Wait until somebody listens."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        else:
            return


@pytest.mark.parametrize("prepared", ["", "true", "false"])
async def test_everybody_is_served_however_the_setting_is(
    url: str, cluster: Cluster, tmp_path: Path, prepared: str
) -> None:
    """By several processes, each after those that left names behind."""
    settings = {"database_url": url, "database_prepared_statements": prepared}
    assert "up to date" in output_of("migrate", folder=tmp_path, **settings)
    found = run_main("check", "--json", folder=tmp_path, secret_key=SECRET, **settings)
    codes = [each["code"] for each in json.loads(found.stdout)["findings"]]
    assert ("pooler" in codes) == (prepared != "false")
    with serving(
        "--workers",
        str(WORKERS),
        folder=tmp_path,
        secret_key=SECRET,
        account_writes_per_hour="1000000",
        **settings,
    ) as server:
        async with load_on(server, await people_of(cluster.url)) as load:
            for _ in range(5):
                await load.everybody(OK)
        if prepared != "false":
            server.await_log("GQL_APP_DATABASE_PREPARED_STATEMENTS", WORKERS)
        with server.client() as client:
            assert client.get("/readyz").status_code == 200
    assert load.codes == {OK}
    assert load.acknowledged <= await stored(cluster.url)
    told = server.logged().count("GQL_APP_DATABASE_PREPARED_STATEMENTS")
    assert told == (0 if prepared == "false" else WORKERS), "once in each process"


@pytest.fixture
async def database(url: str, cluster: Cluster) -> AsyncIterator[Database]:
    """Open a database by way of PgBouncer, with a table of its own."""
    await past(cluster.url, "DROP TABLE IF EXISTS people")
    database = Database(url)
    await make_table(database)
    yield database
    await database.close()


async def test_who_leaves_ends_no_other_ones_statement(
    database: Database, cluster: Cluster
) -> None:
    """PgBouncer passes on what the protocol cancels by, to the server that was lent."""
    before = {await database.fetch_one(PID) for _ in range(CROWD)}
    tasks = [asyncio.create_task(database.fetch_all(SLEEP, seconds=100)) for _ in range(SERVERS)]
    await until_asleep(cluster, SERVERS)
    others = asyncio.gather(*(database.transact(add, "Ada") for _ in range(CROWD)))
    for each in tasks:
        each.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert len(await others) == CROWD
    assert len(await database.fetch_all(NAMES)) == CROWD
    await until_asleep(cluster, 0)
    after = {await database.fetch_one(PID) for _ in range(CROWD)}
    assert len(before | after) <= SERVERS


async def until_asleep(cluster: Cluster, count: int) -> None:
    """Wait until so many statements sleep."""
    watching = await asyncpg.connect(cluster.url)
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    async with asyncio.timeout(PATIENCE):
        while await watching.fetchval(sleeping) != count:  # noqa: ASYNC110 — it sends no event
            await asyncio.sleep(0.01)
    await watching.close()
