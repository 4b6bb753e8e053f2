"""A demo server that sends letters, and the mailbox that receives them."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from gql_app.cli.samples import SIGN_INS
from tests.account_pages.visit import Visit
from tests.mailbox import HOST, Mailbox, mail_server, port_of, reserved_port
from tests.processes import Server, serving, signed_in

ADMIN: Final = SIGN_INS[0]
PASSWORD: Final = "several words in a row"
REGISTER: Final = """mutation ($input: RegisterInput!) {
  register(input: $input) { status message token }
}"""
LOGIN: Final = """mutation ($email: String!, $password: String!) {
  login(email: $email, password: $password) { status token }
}"""
SIGN_IN_LINK: Final = """mutation ($email: String!) {
  requestSignInLink(email: $email) { status message }
}"""


class Correspondence:
    """A server, and the mailbox that receives its letters."""

    def __init__(self, server: Server, mailbox: Mailbox) -> None:
        self.url = server.url
        self._server = server
        self._mailbox = mailbox

    def run(self, query: str, token: str | None = None, **variables: object) -> dict[str, Any]:
        """Run an operation, and return the value of its only field."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        request = {"query": query, "variables": variables}
        with self._server.client() as client:
            answer = client.post("/graphql", json=request, headers=headers).json()
        (field,) = answer["data"].values()
        assert isinstance(field, dict), answer
        return field

    def register(self, name: str) -> str:
        """Register a customer, and return the access token."""
        new = {"name": name, "email": f"{name}@example.com", "password": PASSWORD}
        token: str = self.run(REGISTER, input=new)["token"]
        return token

    def login(self, email: str) -> str | None:
        """Sign in, and return the access token, None if the sign-in is refused."""
        token: str | None = self.run(LOGIN, email=email, password=PASSWORD)["token"]
        return token

    def admin(self) -> str:
        """Sign in as the demo's admin, and return the access token."""
        with self._server.client() as client:
            return signed_in(client, ADMIN.email, ADMIN.password)

    async def link(self, visit: Visit, email: str, page: str) -> str:
        """Wait for a letter to an address with a link to a page, and return the latest link."""
        wanted = re.compile(rf"^{re.escape(self.url)}/account/{page}#token=\S+$", re.MULTILINE)
        while True:
            theirs = [each for each in self._mailbox.arrived if each.recipients == [email]]
            if links := [link for each in theirs for link in wanted.findall(each.text)]:
                return str(links[-1])
            await visit.page.wait_for_timeout(20)

    def logged(self) -> str:
        """Read the server's log."""
        return self._server.logged()


@asynccontextmanager
async def corresponding(folder: Path, **settings: str) -> AsyncIterator[Correspondence]:
    """Serve a demo that sends letters, with sign-in links enabled."""
    mailbox, reserved = Mailbox(), reserved_port()
    async with mail_server(mailbox, reserved):
        smtp_url = f"smtp://{HOST}:{port_of(reserved)}"
        settings = {"smtp_url": smtp_url, "sign_in_links": "true", **settings}
        with serving("--demo", folder=folder, **settings) as server:
            yield Correspondence(server, mailbox)
