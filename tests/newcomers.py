"""Customers who register with a running server, so that a test shares it and has one alone."""

from itertools import count
from typing import Final

from gql_app.cli.samples import SignIn
from tests.processes import Server

REGISTER: Final = "mutation ($input: RegisterInput!) { register(input: $input) { status } }"
_NUMBERS: Final = count(100)
"""Of three digits each, so that no name or address is the end or the beginning of another."""


def newcomer(server: Server) -> SignIn:
    """Register a customer whom no other test signs in, and return the sign-in."""
    number = next(_NUMBERS)
    new = {"name": f"Newcomer {number}", "email": f"newcomer{number}@example.com"}
    person = SignIn(role="customer", password="several words in a row", **new)
    with server.client() as client:
        sent = {"query": REGISTER, "variables": {"input": {**new, "password": person.password}}}
        answer = client.post("/graphql", json=sent).json()
    assert answer["data"]["register"]["status"] == "SUCCESS", answer
    return person
