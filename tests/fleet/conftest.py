"""Three servers on one PostgreSQL, for all tests with the mark `fleet`."""

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from gql_app.lib.database import Database
from tests.conftest import SECRET
from tests.databases import Postgres
from tests.mailbox import HOST, port_of, reserved_port
from tests.processes import Server, serving

SIZE = 3
ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Fleet:
    """Running servers, and their shared mail server's port."""

    servers: list[Server]
    clients: list[httpx.Client]
    settings: dict[str, str]
    folder: Path
    mail: socket.socket
    """The reserved port of the mail server."""

    def run(
        self, number: int, query: str, *, token: str | None = None, **variables: object
    ) -> dict[str, Any]:  # an answer has whatever shape was asked for
        """Run an operation at one of the servers, and return the whole answer."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        asked = {"query": query, "variables": variables}
        response = self.clients[number].post("/graphql", json=asked, headers=headers)
        assert response.status_code == 200, response.text
        body: dict[str, Any] = response.json()
        return body

    def done(
        self, number: int, query: str, *, token: str | None = None, **variables: object
    ) -> Any:  # noqa: ANN401 — an answer has whatever shape was asked for
        """Run an operation, which must succeed, and return the value of its only field."""
        body = self.run(number, query, token=token, **variables)
        assert "errors" not in body, body
        (answer,) = body["data"].values()
        return answer


@pytest.fixture(scope="session")
def fleet(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Run three servers on one database."""
    folder = tmp_path_factory.mktemp("fleet")
    (folder / "keys").mkdir()
    with ExitStack() as held, reserved_port() as mail:
        settings = {
            "database_url": held.enter_context(postgres.copied()),
            "secret_key": SECRET,
            "keys_dir": str(folder / "keys"),
            "smtp_url": f"smtp://{HOST}:{port_of(mail)}",
            "login_attempts": str(ATTEMPTS),
            "login_client_attempts": "1000",
            "refresh_grace_seconds": "0",
            "refresh_retry_seconds": "0",
        }
        servers = [held.enter_context(serving(folder=folder, **settings)) for _ in range(SIZE)]
        clients = [held.enter_context(server.client()) for server in servers]
        yield Fleet(servers, clients, settings, folder, mail)


@pytest.fixture
async def database(fleet: Fleet) -> AsyncIterator[Database]:
    """Open the database that the servers run on."""
    database = Database(fleet.settings["database_url"])
    yield database
    await database.close()
