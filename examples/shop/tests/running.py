"""What the tests run: the shop's commands and its server, and whom it serves."""

import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from email import message_from_bytes
from pathlib import Path
from queue import Queue
from typing import Any

import httpx
import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

PROGRAM = Path(sys.executable).with_name("gql-app")
APP = ["--app", "shop.api:app"]
PASSWORD = "quite a long password"
TIMEOUT = 60


class Letters:
    """A mail server that keeps what arrives, as recipient and subject."""

    def __init__(self) -> None:
        self.arrived: Queue[tuple[str, str]] = Queue()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep a letter."""
        assert isinstance(envelope.content, bytes)
        subject = str(message_from_bytes(envelope.content)["Subject"])
        self.arrived.put((envelope.rcpt_tos[0], subject))
        return "250 OK"


@dataclass
class Shop:
    """The shop's database, its server, and who there is."""

    folder: Path
    settings: dict[str, str]
    letters: Letters
    client: httpx.Client
    """Asks over a new connection each time, so that either worker may answer."""
    people: dict[str, tuple[str, str]] = field(default_factory=dict)
    """The ids and tokens of people, by their names."""

    def command(self, *arguments: str) -> str:
        """Run a command, and return what it prints."""
        done = subprocess.run(  # noqa: S603
            [PROGRAM, *arguments],
            cwd=self.folder,
            env=os.environ | self.settings,
            capture_output=True,
            encoding="utf-8",
            timeout=TIMEOUT,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ask(self, query: str, by: str | None = None, **variables: object) -> Any:  # noqa: ANN401
        """Return the answer to an operation of somebody's."""
        headers = {"Authorization": f"Bearer {self.people[by][1]}"} if by else {}
        sent = {"query": query, "variables": variables}
        return self.client.post("/graphql", json=sent, headers=headers).json()

    def data(self, query: str, by: str | None = None, **variables: object) -> Any:  # noqa: ANN401
        """Return the data of an answer without errors."""
        answer = self.ask(query, by, **variables)
        assert "errors" not in answer, answer
        return answer["data"]

    def register(self, name: str, password: str = PASSWORD) -> Any:  # noqa: ANN401
        """Register somebody, and return the payload."""
        given = {"name": name, "email": f"{name}@example.com", "password": password}
        payload = self.data(REGISTER, input=given)["register"]
        if payload["token"]:
            self.people[name] = payload["customer"]["id"], payload["token"]
        return payload

    def sign_in(self, name: str) -> str:
        """Sign somebody in again, and return the token."""
        email = f"{name}@example.com"
        payload = self.data(LOGIN, email=email, password=PASSWORD)["login"]
        self.people[name] = payload["customer"]["id"], payload["token"]
        return self.people[name][1]

    def grant(self, name: str, *roles: str) -> None:
        """Have the admin say which roles somebody has."""
        payload = self.data(GRANT, "admin", id=self.people[name][0], roles=roles)["updateCustomer"]
        assert payload["status"] == "SUCCESS"

    def place(self, by: str, cents: int = 500) -> str:
        """Place an order, and return its id."""
        payload = self.data(PLACE, by, cents=cents)["placeOrder"]
        order_id: str = payload["order"]["id"]
        return order_id


REGISTER = """mutation ($input: RegisterInput!) {
  register(input: $input) { status token customer { id } errors { code field message } }
}"""
LOGIN = """mutation ($email: String!, $password: String!) {
  login(email: $email, password: $password) { token customer { id } }
}"""
GRANT = """mutation ($id: ID!, $roles: [String!]) {
  updateCustomer(id: $id, input: {roles: $roles}) { status }
}"""
PLACE = """mutation ($cents: Int!) {
  placeOrder(totalCents: $cents) { status errors { code field } order { id status totalCents } }
}"""


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def await_ready(client: httpx.Client, server: "subprocess.Popen[bytes]") -> None:
    """Return when a server is ready."""
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if client.get("/readyz").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    pytest.fail("The server doesn't start.")
