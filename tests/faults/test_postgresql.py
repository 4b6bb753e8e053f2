"""PostgreSQL that dies, hangs or is overrun: served again, and nothing acknowledged is lost."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.clusters import Cluster, folder, running_cluster
from tests.conftest import SECRET
from tests.faults.load import LATE, OK, UNAVAILABLE, load_on, people_of, stored
from tests.processes import PATIENCE, Server, serving

RECOVERY = 5
"""Seconds within which everybody is served again."""
DEADLINE = 3
"""Seconds that the server gives an operation."""

pytestmark = pytest.mark.xdist_group("cluster")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Run a PostgreSQL server that is the tests' own."""
    with folder() as place, running_cluster(place) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def server(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve it, with few connections."""
    with serving(
        folder=tmp_path_factory.mktemp("serving"),
        database_url=cluster.url,
        secret_key=SECRET,
        database_connections="4",
        operation_timeout=str(DEADLINE),
        refresh_grace_seconds="3600",
        account_writes_per_hour="1000000",
    ) as server:
        yield server


def await_statuses(server: Server, living: int, ready: int) -> None:
    """Wait until it is told so whether the process lives, and whether it can serve.

    The database is asked about that once a second at most.
    """
    deadline = time.monotonic() + PATIENCE
    with server.client() as client:
        while client.get("/readyz").status_code != ready:
            assert time.monotonic() < deadline
        assert client.get("/livez").status_code == living


async def test_postgresql_that_is_killed_and_restarted_loses_nothing(
    cluster: Cluster, server: Server
) -> None:
    async with load_on(server, await people_of(cluster.url)) as load:
        await asyncio.to_thread(cluster.kill)
        await load.everybody(UNAVAILABLE)
        await asyncio.to_thread(await_statuses, server, 200, 503)
        await asyncio.to_thread(cluster.start)
        async with asyncio.timeout(RECOVERY):
            await load.everybody(OK)
    assert load.codes == {OK, UNAVAILABLE}
    assert load.acknowledged <= await stored(cluster.url)
    await_statuses(server, 200, 200)
    assert "Traceback" not in server.logged()


async def test_postgresql_that_hangs_keeps_nobody_longer_than_until_that_is_seen(
    cluster: Cluster, server: Server
) -> None:
    async with load_on(server, await people_of(cluster.url)) as load:
        with cluster.hanging():
            async with asyncio.timeout(2 * DEADLINE + 1):  # who began just now, and the next
                await load.everybody(UNAVAILABLE)
            await asyncio.to_thread(await_statuses, server, 200, 503)
        async with asyncio.timeout(RECOVERY):
            await load.everybody(OK)
    assert load.codes <= {OK, LATE, UNAVAILABLE}
    assert load.acknowledged <= await stored(cluster.url)
    assert "Traceback" not in server.logged()


async def test_commit_that_waits_for_a_standby_keeps_nobody_longer_than_the_deadline(
    cluster: Cluster, server: Server
) -> None:
    async with load_on(server, await people_of(cluster.url)) as load:
        cluster.run("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        cluster.run("SELECT pg_reload_conf()")
        async with asyncio.timeout(2 * DEADLINE + 1):
            await load.each(load.writers, LATE)
        cluster.run("ALTER SYSTEM RESET synchronous_standby_names")
        cluster.run("SELECT pg_reload_conf()")
        async with asyncio.timeout(RECOVERY):
            await load.everybody(OK)
    assert load.acknowledged <= await stored(cluster.url)


@pytest.fixture
def small(cluster: Cluster, tmp_path: Path) -> Iterator[Server]:
    """Serve with one connection to read with and one to write with."""
    with serving(
        folder=tmp_path,
        database_url=cluster.url,
        secret_key=SECRET,
        database_connections="1",
        database_pool_timeout="1",
        operation_timeout="20",
    ) as server:
        yield server


async def test_who_finds_every_connection_out_waits_no_longer_than_is_set(
    cluster: Cluster, small: Server
) -> None:
    async with load_on(small, await people_of(cluster.url)) as load:
        locked = await asyncpg.connect(cluster.url)
        async with locked.transaction():
            await locked.execute("LOCK TABLE sessions")  # one reads and one writes, and both wait
            async with asyncio.timeout(5):
                await load.until(UNAVAILABLE, len(load.outcomes) - 2)
            await asyncio.to_thread(await_statuses, small, 200, 200)
        await locked.close()
        async with asyncio.timeout(RECOVERY):
            await load.everybody(OK)
    assert load.codes == {OK, UNAVAILABLE}
    assert "too much to do" in small.logged()
