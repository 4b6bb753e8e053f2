"""Why a database can't be used is told by its cause and its remedy, and never with a password."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from sqlalchemy import select, true

from gql_app.lib.database import Cause, Database, Query, StatementError, Unavailable
from tests.clusters import Cluster, folder
from tests.commands import run_here
from tests.lib.database.test_tls import impostor
from tests.processes import free_port

SECRET = "s3cret-of-db"
ANYTHING = Query(select(true()), tuple)


async def cause(url: str) -> Cause:
    """Return why a database can't be used, by trying it."""
    async with Database(url) as database:
        with pytest.raises((Unavailable, StatementError)) as stopped:
            await database.probe(ANYTHING)
        return database.cause_of(stopped.value)


@pytest.fixture(scope="module")
def strict() -> Iterator[Cluster]:
    """Run a PostgreSQL that asks for passwords, and takes few connections of ada."""
    with folder() as place:
        cluster = Cluster(place / "data")
        cluster.create()
        access = cluster.data / "pg_hba.conf"
        access.write_text(
            "host all postgres 127.0.0.1/32 trust\n"
            "host all blocked 127.0.0.1/32 reject\n"
            "host all all 127.0.0.1/32 scram-sha-256\n"
        )
        cluster.start()
        for name, limit in (("ada", 0), ("bob", -1)):
            cluster.run(f"CREATE ROLE {name} LOGIN PASSWORD '{SECRET}' CONNECTION LIMIT {limit}")
        try:
            yield cluster
        finally:
            cluster.kill()


@pytest.mark.parametrize(
    ("user", "password", "rest", "problem", "remedy"),
    [
        ("bob", "hush", "/postgres", 'authentication failed for user "bob"', "name and password"),
        ("bob", SECRET, "/nothing", 'database "nothing" does not exist', "Create it"),
        ("bob", SECRET, "/postgres?wait=3", '"wait"', "parameters"),
        ("blocked", SECRET, "/postgres", "pg_hba.conf rejects", "pg_hba.conf"),
        ("ada", SECRET, "/postgres", "too many connections", "max_connections"),
        ("bob", SECRET, "/postgres?sslmode=require", "rejected SSL", "log"),
    ],
)
async def test_refusal_is_told_in_the_servers_words_and_what_mends_it(
    strict: Cluster, user: str, password: str, rest: str, problem: str, remedy: str
) -> None:
    found = await cause(f"postgresql://{user}:{password}@{strict.host}{rest}")
    assert problem in found.problem
    assert remedy in found.remedy
    assert password not in str(found)
    assert found.is_lasting == ("wait" in rest)


def test_schema_that_nothing_may_be_made_in_is_told_by_migrate(
    strict: Cluster, tmp_path: Path
) -> None:
    url = f"postgresql://bob:{SECRET}@{strict.host}/postgres"
    done = run_here("migrate", folder=tmp_path, database_url=url, secret_key="k" * 40)
    assert (done.returncode, done.stdout) == (1, "")
    assert "permission denied for schema public" in done.stderr
    assert "GRANT CREATE ON SCHEMA public" in done.stderr
    assert SECRET not in done.stderr


@asynccontextmanager
async def silent() -> AsyncIterator[int]:
    """Be a server that takes connections, and says nothing."""
    over = asyncio.Event()

    async def listen(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        over.set()


async def test_network_is_told_by_what_is_wrong_with_it() -> None:
    closed = free_port()
    found = await cause(f"postgresql://ada:{SECRET}@127.0.0.1:{closed}/x")
    assert found.problem == f"Nobody listens at 127.0.0.1:{closed}."
    found = await cause(f"postgresql://ada:{SECRET}@nobody.invalid/x?sslmode=disable")
    assert found.problem == "No host is called nobody.invalid."
    async with silent() as port:
        found = await cause(f"postgresql://ada:{SECRET}@127.0.0.1:{port}/x")
    assert found.problem == f"127.0.0.1:{port} does not answer."
    found = await cause(f"postgresql:///x?host=/no/such/folder&password={SECRET}")
    assert found.problem == "Nobody listens at the local socket."
    assert not found.is_lasting
    assert SECRET not in str(found)


async def test_certificates_are_told_by_what_is_wrong_with_them(tmp_path: Path) -> None:
    authority, other = trustme.CA(), trustme.CA()
    other.cert_pem.write_to_path(tmp_path / "other.pem")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    async with impostor(tls) as (port, _):
        url = f"postgresql://ada:{SECRET}@127.0.0.1:{port}/x?sslmode=verify-full&sslrootcert="
        found = await cause(f"{url}{tmp_path}/other.pem")
        assert "not to be trusted" in found.problem
        assert found.is_lasting
        assert "sslrootcert=FILE" in found.remedy
        authority.cert_pem.write_to_path(tmp_path / "authority.pem")
        url_by_name = url.replace("127.0.0.1", "localhost")
        found = await cause(f"{url_by_name}{tmp_path}/authority.pem")
        assert found.problem.endswith("not valid for 'localhost'.")
        found = await cause(f"{url}{tmp_path}/none.pem")
        assert found.problem == "The file of sslrootcert is not there."
        (tmp_path / "key.pem").touch()
        found = await cause(f"{url}{tmp_path}/key.pem")
        assert found.problem.startswith("A file that the URL names can't be used: SSLError")
        assert found.is_lasting
    expired = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    over = datetime(2020, 1, 2, tzinfo=UTC)
    authority.issue_cert("127.0.0.1", not_after=over).configure_cert(expired)
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    async with impostor(expired) as (port, _):
        url = f"postgresql://ada:{SECRET}@127.0.0.1:{port}/x?sslmode=verify-full&sslrootcert="
        found = await cause(f"{url}{tmp_path}/authority.pem")
        assert "expired" in found.problem
        assert not found.is_lasting


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("no/folder.db", "There is no folder"),
        (".", "is a folder"),
        ("garbage.db", "is no SQLite database"),
        ("garb%61ge.db", "garbage.db is no SQLite database"),
        ("/proc/kept.db", "can't be opened"),
    ],
)
async def test_file_is_told_by_what_is_wrong_with_it(
    tmp_path: Path, name: str, problem: str
) -> None:
    (tmp_path / "garbage.db").write_bytes(b"this is no database" * 100)
    found = await cause(f"sqlite:///{tmp_path / name}")
    assert problem in found.problem
    assert found.remedy
    assert found.is_lasting
