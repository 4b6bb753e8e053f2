"""What a client is told when something goes wrong, and what only the log is told."""

import json
import re
from collections.abc import Sequence
from typing import Any, Final

import pytest
from sqlalchemy import text

from gql_app.settings import Settings
from tests.api import GRAPHQL, Answer, Api, running
from tests.people import PASSWORD, Person, add_customer, sign_in

LOGIN: Final = "mutation Login { login(email: %s, password: %s) { status token } }"
NO_GRAPHQL: Final = (
    "{",
    "nonsense",
    "{ me { id }",
    "query Q($x: ) { me }",
    '{ customer(id: "\\uD800") { id } }',
)
AT_ODDS: Final = (
    "{ nothing }",
    "{ me }",
    "{ me { secret } }",
    "{ customer { id } }",
    "{ customers(first: 1.5) { totalCount } }",
    "{ customers(orderBy: {field: AGE}) { totalCount } }",
    "query Q($unused: Int) { __typename }",
    "{ ...Unknown }",
    "mutation { login { status } }",
    "query A { __typename } query A { __typename }",
)
HOSTILE: Final = (
    "{ me { " + " ".join(f"x{number}" for number in range(500)) + " } }",
    "query Q(" + " ".join(f"$x{number}: Nope" for number in range(200)) + ") { __typename }",
    "{ " + " ".join(f"...F{number}" for number in range(200)) + " }",
    "{ customers(filter: {" + " ".join(f"x{number}: 1" for number in range(500)) + "}) { edges } }",
)
WRONG_VARIABLES: Final[Sequence[tuple[str, str, object]]] = [
    ("id", "ID!", None),
    ("id", "ID!", 1.5),
    ("id", "ID!", ["a", "b"]),
    ("input", "UpdateCustomerInput!", {"unknown": 1}),
    ("input", "UpdateCustomerInput!", {"name": 1}),
    ("input", "UpdateCustomerInput!", "text"),
    ("input", "UpdateCustomerInput!", {"isAdmin": "yes"}),
]


REGISTER: Final = "mutation R($input: RegisterInput!) { register(input: $input) { status } }"
HIDDEN: Final = "my own s3cret"


async def drop_sessions(api: Api) -> None:
    """Take a table away behind the API's back."""
    async with api.database.transaction() as db:
        await db.execute(text("ALTER TABLE sessions RENAME TO gone"))


def check_masked(answer: Answer, field: str) -> str:
    """Assert that an error is masked; return the request's id."""
    request_id = answer.headers["x-request-id"]
    error = answer.error(field)
    assert not (answer.body["data"] or {}).get(field)
    assert error["extensions"] == {"code": "INTERNAL_SERVER_ERROR", "requestId": request_id}
    assert request_id in error["message"]
    told = json.dumps(answer.body).lower()
    for secret in (
        "sessions",
        "sql",
        "no such table",
        "does not exist",
        "traceback",
        "operational",
    ):
        assert secret not in told
    return request_id


async def code_of(api: Api, document: str) -> str:
    """Run a document that nothing of is executed; return the one code of its errors."""
    answer = await api.run(document, accept=GRAPHQL)
    assert answer.status == 400
    assert "data" not in answer.body
    [code] = {error["extensions"]["code"] for error in answer.errors}
    return str(code)


async def test_document_that_is_no_graphql_fails_to_parse(api: Api) -> None:
    found = {document: await code_of(api, document) for document in NO_GRAPHQL}
    assert found == dict.fromkeys(NO_GRAPHQL, "GRAPHQL_PARSE_FAILED")


async def test_document_at_odds_with_the_schema_fails_validation(api: Api) -> None:
    found = {document: await code_of(api, document) for document in AT_ODDS}
    assert found == dict.fromkeys(AT_ODDS, "GRAPHQL_VALIDATION_FAILED")


async def test_variable_of_a_wrong_type_is_bad_user_input(api: Api, admin: Person) -> None:
    for name, kind, value in WRONG_VARIABLES:
        arguments = {"id": '"x"', "input": "{}", name: f"${name}"}
        spelt = ", ".join(f"{key}: {argument}" for key, argument in arguments.items())
        document = f"mutation M(${name}: {kind}) {{ updateCustomer({spelt}) {{ status }} }}"
        variables: dict[str, Any] = {name: value}
        answer = await api.run(document, token=admin.token, accept=GRAPHQL, **variables)
        assert (answer.code(), answer.status) == ("BAD_USER_INPUT", 400), value


@pytest.mark.parametrize("name", [None, "", "Unknown"])
async def test_operation_that_is_not_named_is_not_guessed(
    api: Api, plain: Person, name: str | None
) -> None:
    document = "mutation Out { logout { status } } query Who { me { id } }"
    headers = {"Authorization": f"Bearer {plain.token}", "Accept": GRAPHQL}
    body = {"query": document, "operationName": name}
    response = await api.client.post("/graphql", json=body, headers=headers)
    assert response.status_code == 400
    [error] = response.json()["errors"]
    assert "data" not in response.json()
    assert error["extensions"]["code"] != "INTERNAL_SERVER_ERROR"
    assert "operation" in error["message"]
    named = await api.client.post(
        "/graphql", json={"query": document, "operationName": "Who"}, headers=headers
    )
    assert named.json() == {"data": {"me": {"id": str(plain.id)}}}


async def test_unforeseen_error_is_masked_and_logged(
    capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    capsys.readouterr()
    async with running(settings) as api:
        row = await add_customer(api.database, "Ada Plain")
        person = await sign_in(api.resources, row)
        await drop_sessions(api)
        document = LOGIN % (json.dumps(row.email), json.dumps(PASSWORD))
        answers = [
            (await api.run("{ __typename me { id } }", token=person.token), "me"),
            (await api.run(document), "login"),
        ]
    log = capsys.readouterr().err
    assert answers[0][0].body["data"]["__typename"] == "Query"
    for answer, field in answers:
        request_id = check_masked(answer, field)
        lines = [json.loads(line) for line in log.splitlines() if request_id in line]
        [error] = [line for line in lines if line["level"] == "error"]
        assert error["path"] == [field]
        assert "Traceback (most recent call last)" in error["exception"]
        assert "sessions" in error["exception"]
        [request] = [line for line in lines if line["event"] == "Request"]
        assert request["outcome"] == "INTERNAL_SERVER_ERROR"
    for secret in (PASSWORD, person.token, row.password_hash, row.email, "{ status token }"):
        assert secret not in log


async def test_refusal_is_logged_without_a_traceback(
    capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    capsys.readouterr()
    async with running(settings) as api:
        await api.run(LOGIN % ('"ada@example.com"', f'"{PASSWORD}"'), token="a.bad.token")
        await api.run("{ me { id } }", token="a.bad.token")
    log = capsys.readouterr().err
    requests = [line for line in map(json.loads, log.splitlines()) if line["event"] == "Request"]
    assert [line["outcome"] for line in requests] == ["INVALID_CREDENTIALS", "TOKEN_MALFORMED"]
    assert requests[0]["operation"] == "Login"
    for secret in (PASSWORD, "a.bad.token", "ada@example.com", "Traceback", "{ id }"):
        assert secret not in log


async def test_hostile_document_is_answered_by_few_short_errors(api: Api) -> None:
    for document in HOSTILE:
        assert await code_of(api, document) == "GRAPHQL_VALIDATION_FAILED"
        told = [len(error["message"]) for error in (await api.run(document)).errors]
        assert len(told) == 5
        assert max(told) <= 1000


async def test_hostile_variables_are_answered_by_few_short_errors(api: Api) -> None:
    document = "query($f: CustomerFilter) { customers(filter: $f) { totalCount } }"
    answer = await api.run(document, f={f"x{number}": "x" * 100 for number in range(500)})
    assert {error["extensions"]["code"] for error in answer.errors} == {"BAD_USER_INPUT"}
    assert len(answer.errors) == 5
    assert max(len(error["message"]) for error in answer.errors) <= 1000


@pytest.mark.parametrize(
    "given",
    [
        {"email": "a@example.com", "password": HIDDEN},
        {"name": "A", "email": "a@example.com", "password": HIDDEN, "unknown": 1},
        {"name": "A", "email": "a@example.com", "password": [HIDDEN]},
        [{"password": HIDDEN}],
    ],
)
async def test_message_about_an_input_does_not_print_it(api: Api, given: object) -> None:
    """The messages of a client's errors go to logs and to services that collect errors."""
    literal = re.sub(r'"(\w+)":', r"\1:", json.dumps(given))
    for answer in (
        await api.run(REGISTER, input=given),
        await api.run(f"mutation {{ register(input: {literal}) {{ status }} }}"),
    ):
        assert answer.errors
        assert HIDDEN not in json.dumps(answer.errors)
