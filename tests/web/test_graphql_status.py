"""The door: the status that an answer comes with, by the media type that is accepted."""

import pytest

from tests.api import GRAPHQL, Api
from tests.people import Kind, Person
from tests.web.test_graphql import JSON, refused

MISSING = "Bearer"
INVALID = 'Bearer error="invalid_token"'

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"query": "{ me {"}, "GRAPHQL_PARSE_FAILED"),
        ({"query": "{ nobody }"}, "GRAPHQL_VALIDATION_FAILED"),
        ({"query": "subscription { me }"}, "GRAPHQL_VALIDATION_FAILED"),
        ({"query": "query A{__typename} query B{__typename}"}, "OPERATION_RESOLUTION_FAILURE"),
        ({"query": "query A{nobody} query B{__typename}"}, "GRAPHQL_VALIDATION_FAILED"),
        ({"query": "query A{__typename}", "operationName": "B"}, "OPERATION_RESOLUTION_FAILURE"),
        ({"query": "query A{nobody}", "operationName": "B"}, "GRAPHQL_VALIDATION_FAILED"),
        ({"query": "fragment A on Query{__typename}"}, "OPERATION_RESOLUTION_FAILURE"),
        ({"query": "query($n:Int!){customers(first:$n){totalCount}}"}, "BAD_USER_INPUT"),
    ],
)
@pytest.mark.parametrize(("accept", "status"), [(JSON, 200), (GRAPHQL, 400)])
async def test_what_cannot_be_executed_has_no_data(
    api: Api, body: dict[str, str], code: str, accept: str, status: int
) -> None:
    response = await api.client.post("/graphql", json=body, headers={"Accept": accept})
    assert response.status_code == status
    assert response.headers["content-type"] == f"{accept}; charset=utf-8"
    assert refused(response) == code


@pytest.mark.parametrize(
    ("kind", "challenge"),
    [(Kind.ANONYMOUS, MISSING), (Kind.EXPIRED, INVALID), (Kind.REVOKED, INVALID)],
)
@pytest.mark.parametrize(
    "query",
    [
        "{ me { id } }",
        "{ me { id } customers { totalCount } }",
        '{ a: me { id } b: customer(id: "1") { id } }',
        "mutation { logout { status } }",
        'mutation { deleteCustomer(id: "1") { status } }',
    ],
)
async def test_an_answer_without_a_good_token_challenges(
    api: Api, tokens: dict[Kind, str | None], kind: Kind, challenge: str, query: str
) -> None:
    answer = await api.run(query, token=tokens[kind], accept=GRAPHQL)
    assert (answer.status, answer.headers["www-authenticate"]) == (401, challenge)
    assert not any(answer.body["data"].values())
    plainly = await api.run(query, token=tokens[kind])
    assert plainly.status == 200
    assert "www-authenticate" not in plainly.headers
    assert plainly.body == answer.body


@pytest.mark.parametrize(
    ("authorization", "challenge"),
    [("", MISSING), ("Bearer", INVALID), ("Basic Zm9v", INVALID), ("Bearer no", INVALID)],
)
async def test_the_challenge_tells_no_token_from_a_bad_one(
    api: Api, authorization: str, challenge: str
) -> None:
    answer = await api.run(
        "{ me { id } }", accept=GRAPHQL, headers={"Authorization": authorization}
    )
    assert (answer.status, answer.headers["www-authenticate"]) == (401, challenge)


@pytest.mark.parametrize(
    "query",
    [
        'mutation { deleteCustomer(id: "1") { status } }',
        "{ customers(orderBy: {field: EMAIL}) { totalCount } }",
    ],
)
@pytest.mark.parametrize(("accept", "status"), [(JSON, 200), (GRAPHQL, 403)])
async def test_what_is_for_admins_is_forbidden_to_others(
    api: Api, plain: Person, query: str, accept: str, status: int
) -> None:
    answer = await api.run(query, token=plain.token, accept=accept)
    assert answer.status == status
    assert "www-authenticate" not in answer.headers


@pytest.mark.parametrize(
    ("kind", "query"),
    [
        (Kind.ANONYMOUS, "{ me { id } __typename }"),
        (Kind.EXPIRED, "{ me { id } token { valid } }"),
        (
            Kind.PLAIN,
            '{ customer(id: "1") { id } customers(orderBy: {field: EMAIL}) { totalCount } }',
        ),
        (Kind.PLAIN, "{ customers(first: 0) { totalCount } }"),
    ],
)
async def test_an_answer_that_holds_anything_is_ok(
    api: Api, tokens: dict[Kind, str | None], kind: Kind, query: str
) -> None:
    answer = await api.run(query, token=tokens[kind], accept=GRAPHQL)
    assert answer.status == 200
    assert len(answer.errors) == 1
    assert "www-authenticate" not in answer.headers
