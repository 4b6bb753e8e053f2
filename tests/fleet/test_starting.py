"""Servers that start at the same moment on a database that nobody has migrated."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from gql_app.lib.database import Database
from tests.conftest import SECRET
from tests.databases import REVISION
from tests.fleet.conftest import SIZE
from tests.people import PASSWORD, add_customer
from tests.processes import Server, output_of, preloaded, serving, signed_in
from tests.rows import column


@contextmanager
def started_together(*commands: str, folder: Path, **settings: str) -> Iterator[list[Server]]:
    """Start servers at once, each after some commands of the program, and wait for all of them."""

    def start(_: int) -> Server:
        for command in commands:
            output_of(command, folder=folder, **settings)
        return held.enter_context(serving(folder=folder, **settings))

    preloaded()  # once, before the threads ask for it
    with ExitStack() as held, ThreadPoolExecutor(SIZE) as starters:
        yield list(starters.map(start, range(SIZE)))


async def check_one(url: str, servers: list[Server]) -> None:
    """See that a database was migrated once, and that each server takes the others' tokens."""
    database = Database(url)
    assert await column(database, text("SELECT version_num FROM alembic_version")) == [REVISION]
    await add_customer(database, "Ada Plain")
    await database.close()
    for server in servers:
        with server.client() as client:
            token = signed_in(client, "ada@example.com", PASSWORD)
        for other in servers:
            with other.client() as client:
                me = client.post(
                    "/graphql",
                    json={"query": "{ token { valid } }"},
                    headers={"Authorization": f"Bearer {token}"},
                )
                assert me.json() == {"data": {"token": {"valid": True}}}


@pytest.mark.parametrize("unmigrated_url", ["postgresql"], indirect=True)
async def test_servers_that_start_together_migrate_postgresql_once(
    unmigrated_url: str, tmp_path: Path
) -> None:
    settings = {"database_url": unmigrated_url, "secret_key": SECRET}
    with started_together("migrate", folder=tmp_path, **settings) as servers:
        await check_one(unmigrated_url, servers)


async def test_servers_that_start_together_make_one_sqlite_file_and_one_key(
    tmp_path: Path,
) -> None:
    with started_together(folder=tmp_path) as servers:
        await check_one(f"sqlite:///{tmp_path / 'gql_app.db'}", servers)
