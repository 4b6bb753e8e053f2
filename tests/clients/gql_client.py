"""Scenarios of gql, a Python client that works with the server's graphql-core."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from gql import Client, GraphQLRequest, gql
from gql.transport.exceptions import TransportError, TransportQueryError
from gql.transport.httpx import HTTPXTransport

from tests.clients.outcomes import Failure, Given, Outcome

LIST: Final = gql("query List($first: Int!) { customers(first: $first) { nodes { id name } } }")
SIGN_IN: Final = gql(
    "mutation SignIn($e: String!, $p: String!) { login(email: $e, password: $p) { status } }"
)
FIRST: Final = {"first": 3}


def connected(given: Given, *, with_token: bool = True) -> Client:
    """Return a client that fetches the schema for validation, as in gql's documentation."""
    headers = {"Authorization": f"Bearer {given.token}"} if with_token else {}
    transport = HTTPXTransport(given.url, headers=headers)
    return Client(transport=transport, fetch_schema_from_transport=True)


def list_customers(given: Given, *, with_token: bool = True) -> int:
    """List customers."""
    client = connected(given, with_token=with_token)
    return len(client.execute(GraphQLRequest(LIST, variable_values=FIRST))["customers"]["nodes"])


def sign_in(given: Given) -> str:
    """Sign in."""
    request = GraphQLRequest(SIGN_IN, variable_values={"e": given.email, "p": given.password})
    status: str = connected(given, with_token=False).execute(request)["login"]["status"]
    return status


def refused(given: Given) -> int:
    """List without a token."""
    return list_customers(given, with_token=False)


def batch(given: Given) -> list[dict[str, Any]]:
    """Send two operations as one request."""
    requests = [GraphQLRequest(LIST, variable_values=FIRST), GraphQLRequest("{ token { valid } }")]
    return connected(given).execute_batch(requests)


SCENARIOS: Final[Mapping[str, Callable[[Given], object]]] = {
    "list": list_customers,
    "sign_in": sign_in,
    "refused": refused,
    "batch": batch,
}


def outcomes(given: Given) -> list[Outcome]:
    """Run every scenario."""
    return [_outcome(scenario, given) for scenario in SCENARIOS]


def _outcome(scenario: str, given: Given) -> Outcome:
    try:
        return Outcome("gql", scenario, SCENARIOS[scenario](given))
    except TransportError as error:
        errors = error.errors if isinstance(error, TransportQueryError) else None
        extensions = errors[0].get("extensions") if errors else None
        return Outcome("gql", scenario, failure=Failure(str(error), extensions))
