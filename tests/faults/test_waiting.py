"""A server that starts before its database: it waits, says for what, and serves then."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clusters import Cluster, folder
from tests.conftest import SECRET
from tests.processes import Server, free_port, output_of, run_main, waiting

LOGIN = 'mutation { login(email: "ada@example.com", password: "wrong") { status } }'


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Make a PostgreSQL server, which does not run yet."""
    with folder() as place:
        cluster = Cluster(place / "data")
        cluster.create()
        try:
            yield cluster
        finally:
            cluster.kill()


def check_waiting(server: Server) -> None:
    """See that a server lives, and refuses what needs the database."""
    with server.client() as client:
        assert client.get("/livez").status_code == 200
        assert client.get("/readyz").status_code == 503
        answer = client.post("/graphql", json={"query": LOGIN})
        assert answer.status_code == 503
        [error] = answer.json()["errors"]
        assert error["extensions"] == {"code": "SERVICE_UNAVAILABLE", "retryAfter": 1}
        unneeded = client.post("/graphql", json={"query": "{ __typename }"})
        assert unneeded.json() == {"data": {"__typename": "Query"}}


@pytest.mark.xdist_group("cluster")
@pytest.mark.parametrize("workers", [1, 2])
def test_server_waits_for_its_database_and_its_migrations(
    cluster: Cluster, tmp_path: Path, workers: int
) -> None:
    settings = {"database_url": cluster.url, "secret_key": SECRET}
    with waiting("--workers", str(workers), folder=tmp_path, **settings) as server:
        server.await_log("Nobody listens at", workers)
        check_waiting(server)
        if workers > 1:
            os.kill(server.process.pid, signal.SIGHUP)
            server.await_log("Application startup complete", 2 * workers)
            server.await_log("Nobody listens at", 2 * workers)
        cluster.start()
        server.await_log("Run: gql-app migrate", workers)
        check_waiting(server)
        output_of("migrate", folder=tmp_path, **settings)
        server.await_readiness(200)
        server.await_log("The database can be used", workers)
        with server.client() as client:
            answer = client.post("/graphql", json={"query": LOGIN})
        assert answer.json() == {"data": {"login": {"status": "ERROR"}}}
        assert server.stop() == 0
    assert "Traceback" not in server.logged()
    assert "chore" not in server.logged()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_server_that_waits_for_a_silent_network_ends_when_it_is_told(
    tmp_path: Path, workers: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://nobody@127.0.0.1:{silent.getsockname()[1]}/postgres"
        settings = {"database_url": url, "secret_key": SECRET}
        with waiting("--workers", workers, folder=tmp_path, **settings) as server:
            server.await_log("does not answer")
            assert server.stop() == 0
    assert "Traceback" not in server.logged()


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("postgresql://a:hush@127.0.0.1:{port}/x?sslmode=verify-full&sslrootcert=none.pem", "file"),
        ("postgresql://a:hush@127.0.0.1:{port}/x?sslmode=verify-full&sslcert=none.pem", "file"),
        ("sqlite:///no/folder.db", "no folder"),
    ],
)
def test_fault_that_waiting_does_not_mend_ends_the_start(
    tmp_path: Path, url: str, problem: str
) -> None:
    named = url.format(port=free_port())
    done = run_main("serve", folder=tmp_path, database_url=named, secret_key=SECRET)
    assert (done.returncode, done.stdout) == (1, "")
    assert problem in done.stderr
    assert "hush" not in done.stderr
