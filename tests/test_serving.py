"""The server as its operator runs it: what it prepares, prints and logs."""

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from gql_app.lib.database import Database
from tests.conftest import SECRET
from tests.databases import copied_sqlite
from tests.people import PASSWORD, add_customer
from tests.processes import (
    PATIENCE,
    ROOT,
    Server,
    free_port,
    running_server,
    serving,
    sign_ins,
    signed_in,
)

EMAIL = "ada@example.com"
ME = "{ me { id email isAdmin } token { valid } }"


async def add_ada(url: str) -> None:
    """Add a customer to a database that a server has prepared."""
    database = Database(url)
    await add_customer(database, "Ada Plain", EMAIL)
    await database.close()


@contextmanager
def paused(process_id: int) -> Iterator[None]:
    """Hold a process still for as long as the block lasts."""
    os.kill(process_id, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process_id, signal.SIGCONT)


def ask(client: httpx.Client, token: str, query: str = ME) -> dict[str, dict[str, object]]:
    """Ask something with a token."""
    body = client.post(
        "/graphql", json={"query": query}, headers={"Authorization": f"Bearer {token}"}
    ).json()
    assert "errors" not in body, body
    data: dict[str, dict[str, object]] = body["data"]
    return data


async def test_sqlite_is_prepared_and_its_key_is_kept(tmp_path: Path) -> None:
    key = tmp_path / "gql_app.db.key"
    with serving(folder=tmp_path) as server, server.client() as client:
        await add_ada(f"sqlite:///{tmp_path / 'gql_app.db'}")
        token = signed_in(client, EMAIL, PASSWORD)
        assert server.stop() in {0, -signal.SIGTERM}
    kept = key.read_bytes()
    for file in (key, tmp_path / "gql_app.db"):
        assert file.stat().st_mode & 0o777 == 0o600
    assert len(kept.strip()) >= 32
    assert kept.strip().decode() not in server.logged() + server.printed()
    with serving(folder=tmp_path) as again, again.client() as client:
        assert ask(client, token)["me"]["email"] == EMAIL
    assert key.read_bytes() == kept


@pytest.mark.xdist_group("demo")
def test_the_demo_tells_where_it_is_and_who_may_sign_in(demo: Server) -> None:
    assert f"{demo.url}/graphql" in demo.printed()
    with demo.client() as client:
        page = client.get("/graphql", headers={"Accept": "text/html"})
        assert (page.status_code, "graphiql" in page.text.lower()) == (200, True)
        signed = {role: (email, password) for role, email, password in sign_ins(demo)}
        assert set(signed) == {"admin", "customer"}
        for role, (email, password) in signed.items():
            me = ask(client, signed_in(client, email, password))["me"]
            assert (me["email"], me["isAdmin"]) == (email, role == "admin")


@pytest.mark.xdist_group("demo")
def test_the_demo_is_filled_once(demo: Server) -> None:
    counting = "{ customers { totalCount } me { id } }"
    (_, email, password), _ = sign_ins(demo)
    with demo.client() as client:
        token = signed_in(client, email, password)
        before = ask(client, token, counting)
    assert before["customers"] == {"totalCount": 1000}
    with serving("--demo", folder=demo.stdout.parent) as again, again.client() as client:
        assert sign_ins(again) == sign_ins(demo)
        assert ask(client, token, counting) == before
        assert signed_in(client, email, password)


@pytest.mark.xdist_group("demo")
def test_the_server_keeps_secrets_and_its_own_name_to_itself(demo: Server) -> None:
    (_, email, password), _ = sign_ins(demo)
    with demo.client() as client:
        token = signed_in(client, email, password, access_token="SECRET")
        response = client.post(
            "/graphql",
            params={"access_token": "SECRET"},
            json={"query": ME},
            headers={"Authorization": f"Bearer {token}"},
        )
    assert "server" not in response.headers
    demo.await_log(response.headers["x-request-id"])
    log = demo.logged()
    assert all(json.loads(line) for line in log.splitlines())
    for secret in (token, password, "SECRET", "access_token", "argon2"):
        assert secret not in log


@contextmanager
def connected(server: Server, *, other: int) -> Iterator[httpx.Client]:
    """Open a client whose connection is not to the other worker, which is paused meanwhile.

    It is held no longer than that takes: a worker that is silent for seconds is replaced.
    """
    with server.client() as client:
        with paused(other):
            assert client.get("/livez").status_code == 200
        yield client


def listens(port: int) -> bool:
    """Return whether anybody takes connections at a port."""
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


async def test_workers_take_each_others_tokens(sqlite_template: Path, tmp_path: Path) -> None:
    url = copied_sqlite(sqlite_template, tmp_path)
    await add_ada(url)
    with serving("--workers", "2", folder=tmp_path, database_url=url) as server:
        one, two = (int(found) for found in server.await_log(r"server process \[(\d+)\]", 2))
        server.await_log("Application startup complete", 2)
        with (
            connected(server, other=two) as first,
            connected(server, other=one) as second,
        ):
            tokens = [signed_in(client, EMAIL, PASSWORD) for client in (first, second)]
            for client in (first, second):
                for token in tokens:
                    assert ask(client, token)["token"] == {"valid": True}


async def test_worker_that_is_killed_is_replaced_and_nobody_is_signed_out(
    sqlite_template: Path, tmp_path: Path
) -> None:
    url = copied_sqlite(sqlite_template, tmp_path)
    await add_ada(url)
    with serving("--workers", "2", folder=tmp_path, database_url=url) as server:
        with server.client() as client:
            token = signed_in(client, EMAIL, PASSWORD)
        victim = server.await_log(r"server process \[(\d+)\]", 2)[0]
        os.kill(int(victim), signal.SIGKILL)
        with server.client() as client:
            assert ask(client, token)["me"]["email"] == EMAIL
        workers = server.await_log(r"server process \[(\d+)\]", 3)
        server.await_log("Application startup complete", 3)
        assert len(set(workers)) == 3
        with server.client() as client:
            assert ask(client, token)["token"] == {"valid": True}


@pytest.mark.parametrize("arguments", [(), ("--workers", "2"), ("--reload",)])
def test_address_is_logged_once_and_only_when_somebody_accepts(
    sqlite_template: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    url = copied_sqlite(sqlite_template, tmp_path)
    with serving(*arguments, folder=tmp_path, database_url=url) as server:
        server.await_log("Serving on")
        server.await_log("Application startup complete", 2 if "2" in arguments else 1)
        log = server.logged()
    assert log.index("Application startup complete") < log.index(
        f"Serving on http://127.0.0.1:{server.port}"
    )
    assert server.logged().count("Serving on") == 1


def test_workers_end_with_their_parent(sqlite_template: Path, tmp_path: Path) -> None:
    url = copied_sqlite(sqlite_template, tmp_path)
    with serving("--workers", "2", folder=tmp_path, database_url=url) as server:
        server.await_log("Application startup complete", 2)
        server.process.kill()
        deadline = time.monotonic() + PATIENCE
        while listens(server.port):
            assert time.monotonic() < deadline


def test_uvicorn_serves_the_program_too(sqlite_template: Path, tmp_path: Path) -> None:
    url, port = copied_sqlite(sqlite_template, tmp_path), free_port()
    command = [sys.executable, "-m", "uvicorn", "--app-dir", str(ROOT), "main:app"]
    with (
        running_server(
            [*command, "--port", str(port)], port, tmp_path, database_url=url, secret_key=SECRET
        ) as server,
        server.client() as client,
    ):
        response = client.post(
            "/graphql", params={"access_token": "SECRET"}, json={"query": "{ __typename }"}
        )
        assert response.json() == {"data": {"__typename": "Query"}}
        server.await_log(response.headers["x-request-id"])
    assert "SECRET" not in server.logged() + server.printed()


def asked_for_a_passkey(server: Server) -> object:
    """Ask what a browser is asked with to sign in; return the domain, or the error's code."""
    query = "mutation { beginPasskeySignIn { errors { code } options } }"
    with server.client() as client:
        found = client.post("/graphql", json={"query": query}).json()["data"]["beginPasskeySignIn"]
    return found["options"]["rpId"] if found["options"] else found["errors"][0]["code"]


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({}, "localhost"),
        ({"trusted_proxies": "127.0.0.1"}, "NOT_ENABLED"),
        (
            {"trusted_proxies": "127.0.0.1", "reset_url": "https://app.example.com/reset"},
            "app.example.com",
        ),
        ({"passkey_rp_id": "example.com"}, "example.com"),
        ({"allowed_hosts": "localhost", "reset_url": "http://127.0.0.1/reset"}, "localhost"),
    ],
    ids=["on this machine", "behind a proxy", "with a page", "as it is set", "with other pages"],
)
def test_passkeys_are_of_the_domain_of_the_pages(
    tmp_path: Path, settings: dict[str, str], found: str
) -> None:
    with serving(folder=tmp_path, **settings) as server:
        assert asked_for_a_passkey(server) == found
