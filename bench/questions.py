"""The questions to the servers, and their requests for each kind of server."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final
from urllib.parse import urlencode

import orjson

COLUMNS: Final = "id name email phone isActive isAdmin createdAt updatedAt"
PAGE: Final = f"""query Page($first: Int!) {{
  customers(first: $first) {{ nodes {{ {COLUMNS} }} pageInfo {{ hasNextPage endCursor }} }}
}}"""
ME: Final = "query Me { me { id name email isAdmin createdAt } }"
LOGIN: Final = """mutation SignIn($email: String!, $password: String!) {
  login(email: $email, password: $password) { status token }
}"""


REFUSALS: Final = ("missing", "expired", "forged")
"""Names of the tokens that are refused."""


class Style(Enum):
    """The form of a server's requests."""

    GRAPHQL = "POST /graphql"
    PLAIN = "POST, the body of GraphQL, a path for each question"
    REST = "GET, a path for each question"


@dataclass(frozen=True, slots=True)
class Question:
    """A question to a server."""

    name: str
    path: str
    query: str
    variables: Mapping[str, object] = field(default_factory=dict)
    token: str = "good"
    """The name of its token."""
    others: Sequence[Mapping[str, object]] = ()
    """Further variables to ask it with, in turn."""

    def requests(self, style: Style, tokens: Mapping[str, str | None]) -> list[str]:
        """Return a request for each of the variables."""
        each = [self, *(replace(self, variables=variables) for variables in self.others)]
        return [question.request(style, tokens) for question in each]

    def request(self, style: Style, tokens: Mapping[str, str | None]) -> str:
        """Return the complete request, as a client sends it."""
        token = tokens[self.token]
        if style is Style.REST and self.name != "login":
            return _request("GET", f"{self.path}?{urlencode(self.variables)}", token, b"")
        path = "/graphql" if style is Style.GRAPHQL else self.path
        body = orjson.dumps({"query": self.query, "variables": self.variables})
        return _request("POST", path, token, body)


def pages(size: int) -> Question:
    """Return the question for the first page of customers."""
    return Question(str(size), "/customers", PAGE, {"first": size})


def login(emails: Sequence[str], password: str) -> Question:
    """Return the question to sign in, by a different account each time, as sessions are limited."""
    first, *others = ({"email": email, "password": password} for email in emails)
    return Question("login", "/login", LOGIN, first, "missing", others)


def chosen(name: str, emails: Sequence[str], password: str) -> Question:
    """Return a question by its name on the command line."""
    if name == "login":
        return login(emails, password)
    if name in REFUSALS:
        return Question(name, "/me", ME, token=name)
    return Question("me", "/me", ME) if name == "me" else pages(int(name))


def _request(method: str, target: str, token: str | None, body: bytes) -> str:
    lines = [
        f"{method} {target} HTTP/1.1",
        "Host: 127.0.0.1",
        "Accept: application/json",
        "User-Agent: bench",
        *([f"Authorization: Bearer {token}"] if token else []),
        *(["Content-Type: application/json", f"Content-Length: {len(body)}"] if body else []),
    ]
    return "\r\n".join(lines) + "\r\n\r\n" + body.decode("latin-1")
