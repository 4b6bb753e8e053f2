"""The server as a process of its own: killed before a letter left, and behind a proxy."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from gql_app.db.tables import LetterRow
from gql_app.lib.database import Database
from tests.conftest import SECRET
from tests.mailbox import HOST, Mailbox, mail_server, port_of, reserved_port
from tests.people import PASSWORD, add_customer
from tests.processes import PATIENCE, start_main
from tests.rows import column
from tests.starting import Forked

NEW_PASSWORD = "another password for tests"
EMAIL = "ada@example.com"
ASK_RESET = "mutation ($email: String!) { requestPasswordReset(email: $email) { status } }"
RESET = """
mutation ($token: String!, $password: String!) {
  resetPassword(token: $token, newPassword: $password) { status }
}
"""
LOGIN = """
mutation ($email: String!, $password: String!) {
  login(email: $email, password: $password) { status token }
}
"""
PAGE = "https://shop.example/reset"


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers."""

    process: Forked
    client: httpx.AsyncClient

    async def run(
        self, query: str, *, headers: dict[str, str] | None = None, **variables: str
    ) -> Any:  # noqa: ANN401 — an answer has whatever shape was asked for
        """Run one operation, and tell its data."""
        asked = {"query": query, "variables": variables}
        answer = (await self.client.post("/graphql", json=asked, headers=headers)).json()
        assert "errors" not in answer, answer
        return answer["data"]

    async def kill(self) -> None:
        """End the process as nothing else can: it gets to do nothing more."""
        self.process.kill()
        await asyncio.to_thread(self.process.wait, PATIENCE)


@asynccontextmanager
async def run_server(log: Path, **settings: str) -> AsyncIterator[Server]:
    """Run the server, and end it with the block if it still lives."""
    with log.open("wb") as file:
        command = ("serve", "--port", "0")
        process = start_main(*command, folder=log.parent, out=file, err=file, **settings)
    try:
        async with asyncio.timeout(30):
            address = await answering(process, log)
        async with httpx.AsyncClient(base_url=address, timeout=20) as client:
            yield Server(process, client)
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, PATIENCE)


async def answering(process: Forked, log: Path) -> str:
    """Wait until a server is ready, and tell its address."""
    async with httpx.AsyncClient() as client:
        while True:
            assert process.poll() is None
            address = told_address(log)
            if address and (await client.get(f"{address}/readyz")).is_success:
                return address
            await asyncio.sleep(0.02)


def told_address(log: Path) -> str | None:
    """Read in a log where a server listens."""
    found = re.search(rf"http://{HOST}:\d+", log.read_text())
    return found[0] if found else None


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Open the database that the servers run on, with one customer in it."""
    database = Database(database_url)
    await add_customer(database, "Ada Plain", EMAIL)
    yield database
    await database.close()


async def outbox(database: Database) -> list[str]:
    """Return the kinds of the letters that are yet to be sent."""
    return await column(database, select(LetterRow.kind))


async def until_all_is_sent(database: Database) -> None:
    """Wait until no letter is left to be sent; one that was tried may wait for a while."""
    async with asyncio.timeout(40):
        while await outbox(database):  # noqa: ASYNC110 — another process sends no event
            await asyncio.sleep(0.05)


async def test_kill_between_commit_and_mail_loses_no_letter(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    mailbox, reserved = Mailbox(), reserved_port()
    settings = {
        "database_url": database_url,
        "secret_key": SECRET,
        "smtp_url": f"smtp://{HOST}:{port_of(reserved)}",
        "reset_url": PAGE,
    }
    async with run_server(tmp_path / "killed.log", **settings) as server:
        answer = await server.run(ASK_RESET, email=EMAIL)
        assert answer["requestPasswordReset"] == {"status": "SUCCESS"}
        await server.kill()
    assert await outbox(database) == ["password_reset"]
    mail = mail_server(mailbox, reserved)
    async with mail, run_server(tmp_path / "again.log", **settings) as server:
        await until_all_is_sent(database)
        (arrived,) = mailbox.arrived
        assert arrived.recipients == [EMAIL]
        (token,) = re.findall(rf"^{PAGE}#token=(\S+)$", arrived.text, re.MULTILINE)
        for status in ("SUCCESS", "ERROR"):
            answer = await server.run(RESET, token=token, password=NEW_PASSWORD)
            assert answer["resetPassword"]["status"] == status
        login = (await server.run(LOGIN, email=EMAIL, password=NEW_PASSWORD))["login"]
        assert login["status"] == "SUCCESS"
        await until_all_is_sent(database)
    subjects = [arrived.message["Subject"] for arrived in mailbox.arrived]
    assert subjects == ["Reset your password", "Your password was changed"]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("trusted", "forwarded", "seen"),
    [
        (None, "203.0.113.9", HOST),
        ("127.0.0.0/8, 10.0.0.0/8", "198.51.100.1, 203.0.113.9, 10.1.2.3", "203.0.113.9"),
    ],
)
async def test_forwarded_address_is_believed_only_of_trusted_proxies(
    database_url: str, tmp_path: Path, trusted: str | None, forwarded: str, seen: str
) -> None:
    settings = {"database_url": database_url, "secret_key": SECRET}
    if trusted:
        settings["trusted_proxies"] = trusted
    headers = {"X-Forwarded-For": forwarded}
    async with run_server(tmp_path / "server.log", **settings) as server:
        answer = await server.run(LOGIN, headers=headers, email=EMAIL, password=PASSWORD)
        headers["Authorization"] = f"Bearer {answer['login']['token']}"
        me = await server.run("{ me { sessions { ipAddress } } }", headers=headers)
    assert me["me"]["sessions"] == [{"ipAddress": seen}]
