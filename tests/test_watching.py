"""Watching a server as its operator runs it: several processes, and a port of its own."""

import asyncio
import os
import re
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from stat import S_IMODE

import httpx
import pytest

from gql_app.cli import serve
from gql_app.lib.faults import CannotStart
from gql_app.lib.setting_types import USUAL_PORT
from tests.conftest import SECRET
from tests.databases import Postgres, copied_sqlite
from tests.peers import connected as peer_of
from tests.processes import IN_CLEAR, PATIENCE, Server, free_port, run_main, serving
from tests.scraping import Numbers, parsed
from tests.test_serving import connected
from tests.web.test_health import closed_to_all

QUERY = {"query": "{ __typename }"}
LOGIN = "mutation($e: String!, $p: String!) { login(email: $e, password: $p) { status } }"
LIST = "{ customers { nodes { id } } }"
HEALTH = ("/livez", "/readyz", "/metrics")
REQUESTS = "gql_app_requests_total"


class Watched:
    """A server, and the port by which it is watched."""

    def __init__(self, server: Server, host: str, port: int) -> None:
        self.server = server
        self._url = f"http://{host}:{port}"

    def get(self, path: str) -> httpx.Response:
        """Ask by a new connection, which any of the processes may take."""
        return httpx.get(f"{self._url}{path}", trust_env=False, verify=IN_CLEAR, timeout=PATIENCE)

    def numbers(self) -> Numbers:
        """Scrape."""
        return parsed(self.get("/metrics").text)

    def workers(self, count: int) -> list[int]:
        """Return the processes that have served since the start, once there are as many."""
        self.server.await_log("Application startup complete", count)
        return [int(pid) for pid in self.server.await_log(r"server process \[(\d+)\]", count)]


def folder_of(process_id: int) -> Path:
    """Return where a process keeps its numbers."""
    environment = Path(f"/proc/{process_id}/environ").read_bytes().decode()
    (found,) = re.findall("PROMETHEUS_MULTIPROC_DIR=([^\0]+)", environment)
    return Path(found)


def memory_of(process_id: int) -> int:
    """Return how many bytes a process holds."""
    pages = Path(f"/proc/{process_id}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def watched(tmp_path: Path, sqlite_template: Path) -> Iterator[Watched]:
    """Serve by two processes, which are watched by IPv6."""
    port = free_port()
    with serving(
        "--workers",
        "2",
        folder=tmp_path,
        database_url=copied_sqlite(sqlite_template, tmp_path),
        management_port=str(port),
        management_host="::1",
        trusted_proxies="127.0.0.1",
    ) as server:
        yield Watched(server, "[::1]", port)


def test_any_worker_tells_the_numbers_of_all(watched: Watched) -> None:
    one, two = watched.workers(2)
    folder = folder_of(one)
    assert (folder_of(two), S_IMODE(folder.stat().st_mode)) == (folder, 0o700)
    # Whoever is asked first knows of the other, too, which nobody has asked yet.
    held = watched.numbers().of("process_resident_memory_bytes")
    assert held > 1.5 * min(memory_of(one), memory_of(two))
    with (
        connected(watched.server, other=two) as first,
        connected(watched.server, other=one) as second,
    ):
        for client in [first] * 3 + [second] * 4:
            assert client.post("/graphql", json=QUERY).is_success
    deadline = time.monotonic() + PATIENCE  # a request is counted after its answer
    while watched.numbers().of(REQUESTS, operation="query", outcome="OK") < 7:
        assert time.monotonic() < deadline
    for _ in range(8):
        now = watched.numbers()
        assert now.of(REQUESTS, operation="query", outcome="OK") == 7
        assert now.of("gql_app_request_duration_seconds_count", operation="query") == 7
        assert now.of("gql_app_processes") == 2

    os.kill(one, signal.SIGKILL)
    # Until it is replaced, and after, nobody counts it as one that lives; what it counted stays.
    found = [watched.numbers() for _ in range(8)]
    replaced = watched.workers(3)[2]
    assert folder_of(replaced) == folder
    found.append(watched.numbers())
    assert [now.of(REQUESTS, operation="query", outcome="OK") for now in found] == [7] * 9
    assert {now.of("gql_app_processes") for now in found} <= {1, 2}
    assert found[-1].of("gql_app_processes") == 2
    cpu = [now.of("process_cpu_seconds_total") for now in found]
    assert cpu == sorted(cpu)
    assert {file.name for file in folder.glob("counter_*")} == {
        f"counter_{whose}.db" for whose in (two, replaced, "gone")
    }

    with watched.server.client() as client:
        spoofed = {"Host": "[::1]", "X-Forwarded-For": "::1", "X-Forwarded-Port": "9000"}
        assert client.get("/metrics", headers=spoofed).status_code == 404
        assert client.get("/readyz", headers=spoofed).json() == {"status": "ready"}
    assert watched.get("/readyz").json()["passwords"] == "ok"
    assert watched.get("/graphql").status_code == 404
    watched.server.stop()
    assert not folder.exists()


def test_who_watches_gets_in_where_there_is_no_room_left(tmp_path: Path) -> None:
    port = free_port()
    with (
        serving(folder=tmp_path, management_port=str(port), max_connections="3") as server,
        ExitStack() as held,
    ):
        peers = [held.enter_context(peer_of(server)) for _ in range(4)]
        assert peers[3].answer().status == 503
        for path in HEALTH:
            assert Watched(server, "127.0.0.1", port).get(path).status_code == 200


@pytest.mark.parametrize("arguments", [(), ("--reload",)], ids=["one process", "reload"])
def test_port_is_there_however_it_is_served(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    port = free_port()
    with serving(*arguments, folder=tmp_path, management_port=str(port)) as server:
        watched = Watched(server, "127.0.0.1", port)
        assert watched.numbers().of("gql_app_processes") == 1
        with server.client() as client:
            assert client.get("/metrics").status_code == 404
            assert client.get("/livez").is_success
        assert watched.get("/livez").is_success


def test_port_that_is_taken_keeps_a_server_from_starting(tmp_path: Path) -> None:
    port = str(free_port())
    done = run_main("serve", "--port", port, folder=tmp_path, management_port=port)
    assert done.returncode == 2
    assert "GQL_APP_MANAGEMENT_PORT" in done.stderr


def test_port_of_a_kubernetes_service_counts_as_the_usual_one(tmp_path: Path) -> None:
    link = "tcp://10.96.0.12:80"
    done = run_main("serve", "--port", str(USUAL_PORT), folder=tmp_path, management_port=link)
    assert done.returncode == 2
    assert done.stderr.count(f"of a Kubernetes service: it is {USUAL_PORT}.") == 1
    assert "is the port that is served already" in done.stderr


def test_workers_without_a_temporary_folder_are_refused_in_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/no/such/folder")
    with pytest.raises(CannotStart, match="TMPDIR"):
        serve._shared_numbers()  # noqa: SLF001 — a process of its own would find another folder


@asynccontextmanager
async def flooded(server: Server) -> AsyncIterator[None]:
    """Have many people sign in and list customers, again and again, until the block ends."""
    done = asyncio.Event()

    async def ask(number: int) -> None:
        person = {"e": f"{number}@example.com", "p": "not the password"}
        while not done.is_set():
            await client.post("/graphql", json={"query": LOGIN, "variables": person})
            await client.post("/graphql", json={"query": LIST})

    async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=60) as client:
        flood = [asyncio.create_task(ask(number)) for number in range(16)]
        await client.post("/graphql", json={"query": LIST})
        yield
        done.set()
        await asyncio.gather(*flood)


async def probed(server: Server) -> dict[str, list[httpx.Response]]:
    """Ask how a server is, a few times."""
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=60) as client:
        return {path: [await client.get(path) for _ in range(5)] for path in HEALTH}


async def until_told(server: Server, status: int) -> None:
    """Wait until readiness is told so, for which the database is asked once a second at most."""
    async with (
        httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=60) as client,
        asyncio.timeout(PATIENCE),
    ):
        while (await client.get("/readyz")).status_code != status:
            pass


async def test_health_is_told_under_a_flood_and_while_the_database_is_away(
    tmp_path: Path, postgres: Postgres
) -> None:
    settings = {"password_threads": "1", "password_queue": "20", "login_client_attempts": "100000"}
    with (
        postgres.copied() as url,
        serving(folder=tmp_path, database_url=url, secret_key=SECRET, **settings) as server,
    ):
        async with flooded(server):
            told = await probed(server)
            assert {one.status_code for each in told.values() for one in each} == {200}
            async with closed_to_all(url):
                await until_told(server, 503)
                ill = await probed(server)
            statuses = {path: {one.status_code for one in each} for path, each in ill.items()}
            assert statuses == {"/livez": {200}, "/readyz": {503}, "/metrics": {200}}
            assert {one.json()["database"] for one in ill["/readyz"]} == {"unreachable"}
        await until_told(server, 200)
        now = parsed((await probed(server))["/metrics"][-1].text)
    assert now.of("gql_app_sign_ins_total", result="wrong") > 0
    assert now.of("gql_app_throttled_total", limit="password_queue") > 0
    assert now.of("gql_app_refusals_total", reason="TOKEN_MISSING") > 0
