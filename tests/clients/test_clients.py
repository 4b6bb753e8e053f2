"""What the users of each client meet: its defaults first, then what it can be set to."""

import re
from collections.abc import Mapping
from typing import Final

import pytest

from tests.clients.outcomes import Failure, Outcome
from tests.processes import ROOT, Server

pytestmark = pytest.mark.xdist_group("demo")

Outcomes = Mapping[tuple[str, str], Outcome]

TITLES: Final = {
    "apollo": "Apollo Client 4",
    "ariadne-codegen": "ariadne-codegen",
    "gql": "gql",
    "graphql-http": "graphql-http",
    "graphql-request": "graphql-request",
    "graphql-sse": "graphql-sse",
    "graphql-ws": "graphql-ws",
    "sgqlc": "sgqlc",
    "urql": "urql",
}
"""What each client is called in its row of docs/clients.md."""
STREAMING: Final = {"graphql-sse", "graphql-ws"}
"""Clients of a transport that this server has not."""
REQUESTING: Final = sorted(TITLES.keys() - STREAMING)
FETCHING: Final = ("apollo", "graphql-http", "graphql-request", "graphql-sse", "urql")
"""Clients that pages have."""
NO_BATCHES: Final = "This server takes one operation a request"
PAGE: Final = "http://localhost:5173"
"""The origin of a page that is being developed; the demo lets it read."""
ROWS: Final = re.compile(r"^\| ([^|]+?) \| [^|]+ \| [^|]+ \|$", re.MULTILINE)


def ways(came: Outcome) -> list[tuple[str, int]]:
    """Return the method of each request, and the status that it was answered with."""
    return [(each.method, each.status) for each in came.requests]


@pytest.mark.parametrize("client", REQUESTING)
def test_client_queries_and_mutates_by_its_defaults(client: str, outcomes: Outcomes) -> None:
    listed, signed_in = outcomes[client, "list"], outcomes[client, "sign_in"]
    assert (listed.failure, listed.data) == (None, 3)
    assert (signed_in.failure, signed_in.data) == (None, "SUCCESS")


@pytest.mark.parametrize("client", REQUESTING)
def test_refusal_reaches_the_user_with_its_reason(client: str, outcomes: Outcomes) -> None:
    failure = outcomes[client, "refused"].failure
    assert failure is not None
    assert failure.extensions == {"code": "UNAUTHENTICATED", "reason": "TOKEN_MISSING"}
    if client == "graphql-http":  # which takes every 4xx for the network's: the answer is beside it
        assert failure.message == "Server responded with 401: Unauthorized"
    else:
        assert "You are not signed in." in failure.message


@pytest.mark.parametrize(
    ("client", "scenario"), [("apollo", "get"), ("graphql-request", "get"), ("urql", "list")]
)
def test_query_goes_by_get(client: str, scenario: str, outcomes: Outcomes) -> None:
    came = outcomes[client, scenario]
    assert came.failure is None
    assert came.data == 3
    assert ways(came) == [("GET", 200)]


def test_apollo_may_say_what_it_is(outcomes: Outcomes) -> None:
    came = outcomes["apollo", "named"]
    assert (came.failure, came.data) == (None, 3)
    assert "apollographql-client-name" in came.requests[0].headers


def test_urql_sends_by_post_what_is_too_long_for_an_address(outcomes: Outcomes) -> None:
    came = outcomes["urql", "long"]
    assert came.failure is None
    assert ways(came) == [("POST", 200)]


@pytest.mark.parametrize(
    ("client", "scenario", "hashed"),
    [
        ("apollo", "persisted", "POST"),
        ("apollo", "persisted_get", "GET"),
        ("urql", "persisted", "GET"),
        ("urql", "persisted_post", "POST"),
    ],
)
def test_persisted_query_is_sent_in_full_once(
    client: str, scenario: str, hashed: str, outcomes: Outcomes
) -> None:
    came = outcomes[client, scenario]
    assert came.failure is None
    assert came.data == 2
    unknown, stored, known = ways(came)
    assert unknown == (hashed, 400)
    assert stored[1] == 200
    assert known == (hashed, 200)


@pytest.mark.parametrize("client", ["apollo", "urql"])
def test_persisted_mutation_goes_by_post(client: str, outcomes: Outcomes) -> None:
    came = outcomes[client, "persisted_mutation"]
    assert came.failure is None
    assert came.data == "SUCCESS"
    assert ways(came) == [("POST", 400), ("POST", 200)]


@pytest.mark.parametrize(
    ("client", "method"), [("apollo", "POST"), ("urql", "GET"), ("graphql-request", "POST")]
)
def test_trusted_document_runs_by_its_id_or_as_it_is(
    client: str, method: str, trusted_outcomes: Mapping[str, Outcome]
) -> None:
    came = trusted_outcomes[client]
    assert (came.failure, came.data) == (None, False)
    assert ways(came) == [(method, 200)]


def test_document_that_is_not_listed_is_refused_in_words(
    trusted_outcomes: Mapping[str, Outcome],
) -> None:
    failure = trusted_outcomes["unlisted"].failure
    assert failure is not None
    assert failure.extensions == {"code": "PERSISTED_QUERY_NOT_IN_LIST"}
    assert "not in the list" in failure.message


def test_every_operation_of_a_batch_is_refused_in_words(outcomes: Outcomes) -> None:
    sentences = outcomes["apollo", "batch"].data
    assert isinstance(sentences, list)
    assert len(sentences) == 2
    assert all(NO_BATCHES in sentence for sentence in sentences)


@pytest.mark.parametrize(
    ("client", "scenario"),
    [("apollo", "batch_of_one"), ("graphql-request", "batch"), ("gql", "batch")],
)
def test_batch_is_refused_in_words(client: str, scenario: str, outcomes: Outcomes) -> None:
    failure = outcomes[client, scenario].failure
    assert failure is not None
    assert NO_BATCHES in failure.message


@pytest.mark.parametrize("client", ["apollo", "urql"])
def test_deferred_fragment_is_refused_in_words(client: str, outcomes: Outcomes) -> None:
    failure = outcomes[client, "deferred"].failure
    assert failure is not None
    assert "@defer" in failure.message


def test_asking_for_events_is_answered_in_words_at_once(outcomes: Outcomes) -> None:
    came = outcomes["graphql-sse", "list"]
    assert ways(came) == [("POST", 200)]
    assert "no subscriptions" in str(came.data)


def test_asking_for_a_websocket_is_answered_in_words(outcomes: Outcomes) -> None:
    failure = outcomes["graphql-ws", "list"].failure
    assert failure == Failure("Unexpected server response: 400")
    assert "There is no WebSocket here" in str(outcomes["graphql-ws", "body"].data)


@pytest.mark.parametrize("client", FETCHING)
def test_page_may_send_every_header_that_its_client_sends(
    client: str, outcomes: Outcomes, demo: Server
) -> None:
    requests = [
        each for came in outcomes.values() if came.client == client for each in came.requests
    ]
    sent = {header for request in requests for header in request.headers}
    assert {"accept", "authorization", "content-type"} <= sent
    with demo.client() as page:
        for method in {request.method for request in requests}:
            asked = {
                "Origin": PAGE,
                "Access-Control-Request-Method": method,
                "Access-Control-Request-Headers": ",".join(sorted(sent)),
            }
            answer = page.options("/graphql", headers=asked)
            assert answer.is_success, answer.text
            assert answer.headers["access-control-allow-origin"] == PAGE
            allowed = answer.headers["access-control-allow-headers"].lower().split(", ")
            assert sent <= {"accept", *allowed}


def test_guide_has_a_row_for_each_client() -> None:
    guide = (ROOT / "docs/clients.md").read_text(encoding="utf-8")
    section = guide.partition("## Which client\n")[2].partition("\n## ")[0]
    assert sorted(ROWS.findall(section)) == sorted({"Client", "Relay", *TITLES.values()})
