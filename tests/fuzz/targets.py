"""The server that is fuzzed, its callers, and the checks of its answers and its data."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from sqlalchemy import select

from gql_app.db.tables import CustomerRow, SessionRow
from gql_app.lib.database import Database
from gql_app.resources import Resources
from gql_app.settings import Settings
from tests.conftest import SECRET
from tests.people import PASSWORD, Person, add_customer, expired_token, sign_in
from tests.processes import PATIENCE, Server, serving, signed_in

MANY: Final = "1000000"
INTERNALS: Final = ("Traceback", "gql_app.", "sqlalchemy", "asyncpg", "sqlite3", 'File "', "argon2")


@dataclass(slots=True)
class Target:
    """A server with a few customers in its database."""

    server: Server
    client: httpx.Client
    url: str
    plain: Person
    tokens: dict[str, str | None]
    """The token of each kind of caller, by the kind's name."""

    def send(self, body: bytes, caller: str, **headers: str) -> httpx.Response:
        """Send a body, and assert that the answer is a permitted one."""
        sent = {"Content-Type": "application/json", **headers}
        if token := self.tokens[caller]:
            sent["Authorization"] = f"Bearer {token}"
        response = self.client.post("/graphql", content=body, headers=sent)
        check(response)
        if "TOKEN_REVOKED" in response.text and caller in {"plain", "admin"}:
            self.tokens[caller] = signed_in(self.client, f"{caller}@example.com", PASSWORD)
        return response

    def ask(self, query: str, caller: str) -> None:
        """Send a GET with this query, and assert that the answer is a permitted one."""
        token = self.tokens[caller]
        sent = {"Authorization": f"Bearer {token}"} if token else {}
        check(self.client.get(f"/graphql?{query}", headers=sent))

    def exchange(self, sent: bytes) -> bytes:
        """Send raw bytes, and read until the server closes the connection, as it must."""
        received = b""
        with socket.create_connection(("127.0.0.1", self.server.port), PATIENCE) as connection:
            try:
                connection.sendall(sent)
                connection.shutdown(socket.SHUT_WR)
                while some := connection.recv(65_536):
                    received += some
            except ConnectionError:  # it closed during the sending
                pass
        return received

    def check_log(self) -> None:
        """Assert that the log has no errors."""
        log = self.server.logged()
        assert "Traceback" not in log
        assert "Unforeseen" not in log

    def protected(self) -> list[str]:
        """Return the rows that only an admin, or their owner, may change."""
        return asyncio.run(_protected(self.url, self.plain))


def check(response: httpx.Response) -> None:
    """Assert that an answer, or each of a batch, is GraphQL's, and leaks no internals."""
    assert response.status_code < 500, response.text
    assert not [word for word in INTERNALS if word in response.text]
    content = response.json()
    for body in content if isinstance(content, list) else [content]:
        assert body.keys() <= {"data", "errors"}
        for error in body.get("errors", []):
            assert error["message"]
            assert error["extensions"]["code"] != "INTERNAL_SERVER_ERROR"


@contextmanager
def target(url: str, folder: Path) -> Iterator[Target]:
    """Serve a database with some people, without throttles of sign-ins."""
    plain, tokens = asyncio.run(_fill(url))
    with (
        serving(
            folder=folder,
            database_url=url,
            secret_key=SECRET,
            registration="false",
            login_attempts=MANY,
            login_client_attempts=MANY,
            receive_timeout="2",
        ) as server,
        server.client() as client,
    ):
        yield Target(server, client, url, plain, tokens)


async def _fill(url: str) -> tuple[Person, dict[str, str | None]]:
    async with Resources.open(Settings(database_url=url, secret_key=SECRET)) as resources:
        people = [
            await sign_in(resources, await add_customer(resources.database, name, is_admin=admin))
            for name, admin in (("Plain", False), ("Admin", True), ("Other", False))
        ]
        expired = expired_token(resources, people[0])
    plain, admin, _ = people
    return plain, {
        "anonymous": None,
        "plain": plain.token,
        "admin": admin.token,
        "expired": expired,
        "broken": f"{plain.token}x",
    }


async def _protected(url: str, plain: Person) -> list[str]:
    """Return the rows that are not the plain customer's, and the columns that they can't change."""
    database = Database(url)
    others = await database.fetch_all(
        select(CustomerRow.__table__).where(CustomerRow.id != plain.id).order_by(CustomerRow.id)
    )
    sessions = await database.fetch_all(
        select(SessionRow.__table__)
        .where(SessionRow.customer_id != plain.id)
        .order_by(SessionRow.id)
    )
    own = await database.fetch_all(
        select(CustomerRow.password_hash, CustomerRow.is_admin, CustomerRow.is_active).where(
            CustomerRow.id == plain.id
        )
    )
    rows = [str(row) for result in (others, sessions, own) for row in result]
    await database.close()
    return rows
