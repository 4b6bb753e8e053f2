"""Two servers behind a proxy that terminates TLS, and the requirements of every such proxy."""

import json
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from tests.conftest import SECRET
from tests.databases import copied_sqlite
from tests.processes import PATIENCE, Server, forked_server, free_port

HOST: Final = "api.example.com"
"""The host name of the examples in deploy/."""
ELSEWHERE: Final = "127.0.0.9"
"""The address of a client, different from the proxy's."""
LOGOUT: Final = {"query": "mutation { logout { status } }"}


@dataclass(slots=True)
class Pair:
    """Two servers on one database, of which one can be replaced while the other serves."""

    folder: Path
    database_url: str
    ports: tuple[int, int] = field(default_factory=lambda: (free_port(), free_port()))
    _running: dict[int, ExitStack] = field(default_factory=dict)
    _servers: dict[int, Server] = field(default_factory=dict)

    def start(self, port: int) -> None:
        """Start one, and wait until it is ready."""
        stack = self._running[port] = ExitStack()
        self._servers[port] = stack.enter_context(
            forked_server(
                ["serve", "--port", str(port)],
                port,
                self.folder,
                database_url=self.database_url,
                secret_key=SECRET,
                trusted_proxies="127.0.0.1",
                allowed_hosts=HOST,
            )
        )

    def stop(self, port: int) -> None:
        """Stop one, and wait until it has ended."""
        self._running.pop(port).close()

    def close(self) -> None:
        """Stop both servers, if they run."""
        for port in [*self._running]:
            self.stop(port)

    def lines(self) -> list[dict[str, Any]]:
        """Return the lines on API requests in both logs, once there is one."""
        deadline, found = time.monotonic() + PATIENCE, list[dict[str, Any]]()
        while not found and time.monotonic() < deadline:
            logs = "".join(server.logged() for server in self._servers.values()).splitlines()
            lines = [json.loads(line) for line in logs if line.endswith("}")]
            found = [line for line in lines if line.get("path") == "/graphql"]
        return found


@contextmanager
def pair(folder: Path, template: Path) -> Iterator[Pair]:
    """Run two servers on one SQLite file until the block ends."""
    found = Pair(folder, copied_sqlite(template, folder))
    try:
        for port in found.ports:
            found.start(port)
        yield found
    finally:
        found.close()


@contextmanager
def client_of(port: int, trust: ssl.SSLContext, address: str = ELSEWHERE) -> Iterator[httpx.Client]:
    """Open a client of the proxy on a port, by the name in its certificate."""

    def name(request: httpx.Request) -> None:
        request.extensions["sni_hostname"] = HOST

    with httpx.Client(
        base_url=f"https://127.0.0.1:{port}",
        headers={"Host": HOST},
        transport=httpx.HTTPTransport(verify=trust, local_address=address),
        event_hooks={"request": [name]},
        timeout=PATIENCE,
    ) as client:
        yield client


def does_as_a_proxy_should(client: httpx.Client, servers: Pair) -> None:
    """Assert that a proxy does what the servers behind it depend on."""
    spoofed = {"X-Forwarded-For": "198.51.100.6", "X-Forwarded-Proto": "http"}
    answer = client.post("/graphql", json=LOGOUT, headers=spoofed)
    assert answer.headers["strict-transport-security"]
    assert answer.json()["errors"][0]["extensions"]["reason"] == "TOKEN_MISSING"
    assert {line["client"] for line in servers.lines()} == {ELSEWHERE}, servers.lines()

    assert client.get("/metrics").status_code == 404
    assert client.get("/livez").json() == {"status": "alive"}
    page = client.get("/graphql", headers={"Accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")

    large = client.post("/graphql", json={"query": "#" * 300_000})
    assert (large.status_code, large.text[:32]) == (413, '{"errors":[{"message":"The body '), large
    # A proxy that didn't read the body may take the rest of it for the next request.
    alone = {"Connection": "close"}
    larger = client.post("/graphql", json={"query": "#" * 1_000_000}, headers=alone)
    assert (larger.status_code, larger.text[:2] != "{") == (413, True), larger
    compressed = client.post("/graphql", json={"query": "{ __schema { types { name } } }"})
    assert compressed.headers.get("content-encoding") == "gzip", compressed.text[:200]


def exchanging_fails_nothing(port: int, trust: ssl.SSLContext, servers: Pair) -> None:
    """Replace both servers, one after the other, and assert that no client's request fails."""
    done, answered = threading.Event(), list[int]()

    def ask() -> None:
        with client_of(port, trust) as asking:
            while not done.is_set():
                answered.append(asking.post("/graphql", json=LOGOUT).status_code)

    clients = [threading.Thread(target=ask) for _ in range(3)]
    for client in clients:
        client.start()
    for each in servers.ports:
        servers.stop(each)
        servers.start(each)
    done.set()
    for client in clients:
        client.join()
    assert len(answered) > len(clients)
    assert set(answered) == {200}, Counter(answered)
