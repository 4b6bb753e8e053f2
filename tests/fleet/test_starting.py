"""Servers that start at the same moment on a database that nobody has migrated."""

import shlex
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from gql_app.db.tables import REVISION
from gql_app.lib.database import Database
from tests.conftest import SECRET
from tests.fleet.conftest import SIZE
from tests.people import PASSWORD, add_customer
from tests.processes import MAIN, Server, free_port, running_server, signed_in
from tests.rows import column


@contextmanager
def started_together(commands: str, folder: Path, **settings: str) -> Iterator[list[Server]]:
    """Start servers at once, each by some commands of the program, and wait for all of them."""

    def start(port: int) -> Server:
        main = shlex.join(MAIN)
        script = commands.replace("gql-app", main).replace("PORT", str(port))
        return held.enter_context(running_server(["sh", "-c", script], port, folder, **settings))

    with ExitStack() as held, ThreadPoolExecutor(SIZE) as starters:
        yield list(starters.map(start, [free_port() for _ in range(SIZE)]))


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
    commands = "gql-app migrate && exec gql-app serve --port PORT"
    settings = {"database_url": unmigrated_url, "secret_key": SECRET}
    with started_together(commands, tmp_path, **settings) as servers:
        await check_one(unmigrated_url, servers)


async def test_servers_that_start_together_make_one_sqlite_file_and_one_key(
    tmp_path: Path,
) -> None:
    with started_together("exec gql-app serve --port PORT", tmp_path) as servers:
        await check_one(f"sqlite:///{tmp_path / 'gql_app.db'}", servers)
