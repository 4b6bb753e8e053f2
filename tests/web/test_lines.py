"""The line that every request leaves in the log, and what never stands in it."""

import json
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import Text, bindparam, select

from gql_app.lib.database import Database
from gql_app.lib.fair_queue import LOCAL
from gql_app.lib.telemetry import bind_log_context, configure_logging
from gql_app.resources import Resources
from gql_app.settings import Settings
from tests.api import Api, running
from tests.people import PASSWORD, Person, add_customer, sign_in

LOGIN = """
mutation SignIn($email: String!, $password: String!) {
  login(email: $email, password: $password) { status token }
}
"""
HIDDEN = "in_a_url_alone"

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@asynccontextmanager
async def signed_in(settings: Settings) -> AsyncIterator[tuple[Api, Person]]:
    """Start the API within a test, for its log goes where standard error goes by then."""
    async with running(settings) as api:
        yield api, await sign_in(api.resources, await add_customer(api.database, "Ada Plain"))


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Read the log, without what the tests' own client says in it."""
    written = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    return [line for line in written if line["logger"] != "httpx"]


def request_lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Read the lines of the requests there were."""
    return [line for line in lines(capsys) if line["event"] == "Request"]


def request_line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Read the line of the one request there was."""
    (line,) = request_lines(capsys)
    return line


async def test_a_request_leaves_one_line(
    capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    async with signed_in(settings) as (api, person):
        answer = await api.run("query WhoAmI { me { id } }", token=person.token)
    line = request_line(capsys)
    assert line["request_id"] == answer.headers["x-request-id"]
    assert (line["operation"], line["outcome"]) == ("WhoAmI", "OK")
    assert line["caller"] == str(person.id)
    assert (line["method"], line["path"], line["status"]) == ("POST", "/graphql", 200)
    assert isinstance(line["duration_ms"], float)


@pytest.mark.parametrize(
    ("query", "outcome"),
    [
        ("query A { me { id } }", "TOKEN_MISSING"),
        ("query A { __typename }", "OK"),
        ("query A { nobody }", "GRAPHQL_VALIDATION_FAILED"),
        ("query A {", "GRAPHQL_PARSE_FAILED"),
    ],
)
async def test_the_line_tells_what_the_operation_came_to(
    capsys: pytest.CaptureFixture[str], settings: Settings, query: str, outcome: str
) -> None:
    async with running(settings) as api:
        await api.run(query)
    line = request_line(capsys)
    assert (line["outcome"], line["caller"]) == (outcome, None)


async def test_no_line_speaks_of_another_request(
    capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    async with signed_in(settings) as (api, person):
        await api.run("query WhoAmI { me { id } }", token=person.token)
        await api.client.get("/livez")
    first, second = request_lines(capsys)
    assert first["caller"] == str(person.id)
    assert not {"operation", "caller"} & set(second)
    assert (first["outcome"], second["outcome"]) == ("OK", "OK")
    assert second["request_id"] != first["request_id"]


def by_url(body: dict[str, object]) -> dict[str, str]:
    """Write a request as it comes in a URL."""
    return {name: v if isinstance(v, str) else json.dumps(v) for name, v in body.items()}


async def test_no_line_holds_a_secret(
    capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    inline = f'mutation {{ login(email: "ada@example.com", password: "{PASSWORD}"'
    bodies: list[dict[str, object]] = [
        {"query": LOGIN, "variables": {"email": "ada@example.com", "password": PASSWORD}},
        {"query": LOGIN, "variables": {"email": "ada@example.com", "password": [PASSWORD]}},
        {"query": f"{inline}) {{ token }} }}"},
        {"query": f"{inline}) {{ nope }} }}"},
        {"query": inline},
        {"query": inline[:-1]},
    ]
    async with signed_in(settings) as (api, person):
        for body in bodies:
            await api.client.post(
                "/graphql",
                params={"access_token": "SECRET"},
                json=body,
                headers={"Authorization": f"Bearer {person.token}"},
            )
            await api.client.get(
                "/graphql",
                params={"access_token": "SECRET", **by_url(body)},
                headers={"Authorization": f"Bearer {person.token}"},
            )
    log = lines(capsys)
    requests = [line for line in log if line["event"] == "Request"]
    assert len(requests) == 2 * len(bodies)
    assert {line["event"] for line in log} == {"Request", "Audit"}
    assert (requests[0]["operation"], requests[0]["outcome"]) == ("SignIn", "OK")
    written = json.dumps(log)
    for secret in (PASSWORD, person.token, person.email, "SECRET", "access_token", "argon2"):
        assert secret not in written


async def test_no_line_holds_a_secret_however_much_is_logged(
    capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    async with signed_in(settings.model_copy(update={"log_level": "DEBUG"})) as (api, person):
        answer = await api.run(LOGIN, email=person.email, password=PASSWORD)
        url = by_url({"query": f"{{ {HIDDEN}: __typename }}", "variables": {"a": HIDDEN}})
        await api.client.get("/graphql", params=url)
    configure_logging("INFO")
    token = answer.data["login"]["token"]
    written = json.dumps(lines(capsys))
    assert "Request" in written
    for secret in (PASSWORD, HIDDEN, token, person.token, person.email, person.name, "argon2"):
        assert secret not in written


class Chatty(str):
    """A value that has a library say something wherever it is used."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        """Say so when a password is hashed."""
        logging.getLogger("a.library").warning("hashing")
        return super().encode(encoding, errors)

    def __conform__(self, _protocol: object) -> str:
        """Say so when SQLite is given it."""
        logging.getLogger("a.library").warning("asking")
        return str(self)


async def test_lines_of_threads_name_the_request(
    capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    named = select(bindparam("name", type_=Text()))
    async with Resources.open(settings) as resources:
        configure_logging("INFO")
        for request_id in ("one", "two"):
            bind_log_context(request_id=request_id)
            await resources.passwords.hash(Chatty(PASSWORD), LOCAL)
        fresh = Database(settings.database_url)
        await fresh.fetch_all(
            named, name=Chatty("Ada")
        )  # the first of a connection is for a thread
        await fresh.close()
    found = [(line["event"], line["request_id"]) for line in lines(capsys)]
    assert found == [("hashing", "one"), ("hashing", "two"), ("asking", "two")]


@pytest.mark.parametrize(
    ("document", "outcome"),
    [
        ('login(email: "ada@example.com", password: "x") { status }', "INVALID_CREDENTIALS"),
        ('refresh(refreshToken: "x") { status }', "TOKEN_INVALID"),
        ('resetPassword(token: "x", newPassword: "") { status }', "TOKEN_INVALID"),
        (
            'register(input: {name: "", email: "", password: "short"}) { status }',
            "REQUIRED WEAK_PASSWORD",
        ),
        ('deleteMe(password: "x") { status }', "WRONG_PASSWORD"),
        (
            'changePassword(currentPassword: "x", newPassword: "another good one") { status }',
            "WRONG_PASSWORD",
        ),
        (
            'updateMe(input: {email: "a@example.com", currentPassword: "x"}) { status }',
            "WRONG_PASSWORD",
        ),
        ('endSession(id: "x") { status }', "NOT_FOUND"),
        (
            'endSession(id: "x") { status } logout { status } deleteCustomer(id: "x") { status }',
            "NOT_FOUND TOKEN_REVOKED",
        ),
    ],
)
async def test_the_line_has_the_codes_that_payloads_tell(
    capsys: pytest.CaptureFixture[str], settings: Settings, document: str, outcome: str
) -> None:
    async with signed_in(settings) as (api, person):
        await api.run(f"mutation {{ {document} }}", token=person.token)
    line = request_line(capsys)
    assert line["outcome"] == outcome
    assert line["root_fields"] == " ".join(re.findall(r"(?:^|\} )(\w+)", document))


GUESS = "gar_" + 43 * "A"


async def test_the_line_of_a_throttled_and_of_a_reused_token_says_so(
    capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    changes = {"refresh_grace_seconds": 0, "refresh_retry_seconds": 0, "login_client_attempts": 1}
    trade = "mutation ($token: String!) { refresh(refreshToken: $token) { status } }"
    async with signed_in(settings.model_copy(update=changes)) as (api, person):
        for token in (person.refresh_token, person.refresh_token, GUESS, GUESS):
            await api.client.post("/graphql", json={"query": trade, "variables": {"token": token}})
    told = [(line["root_fields"], line["outcome"]) for line in request_lines(capsys)]
    outcomes = ("OK", "TOKEN_REUSED", "TOKEN_INVALID", "TOO_MANY_ATTEMPTS")
    assert told == [("refresh", each) for each in outcomes]


@pytest.mark.parametrize(
    ("address", "spelt"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:DB8:0:0::7", "2001:db8::7"),
        ("fe80::7%eth0", "fe80::7"),
        ("x" * 1000, "x" * 45),
    ],
)
async def test_every_line_of_a_request_has_its_client(
    capsys: pytest.CaptureFixture[str], settings: Settings, address: str, spelt: str
) -> None:
    async with signed_in(settings) as (api, person), api.elsewhere(address) as there:
        capsys.readouterr()
        await there.run("{ me { id } }", token=f"{person.token}A")
        await there.run(LOGIN, email=person.email, password=PASSWORD)
        await there.run("{")
        await there.client.get("/nowhere")
        await there.client.get("/livez")
    written = lines(capsys)
    assert {line["event"] for line in written} == {"Request", "Audit"}
    assert {line["client"] for line in written} == {spelt}


async def test_a_request_that_never_became_an_operation_has_an_outcome_too(
    capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    async with running(settings) as api:
        await api.client.post(
            "/graphql", content=b"{", headers={"Content-Type": "application/json"}
        )
        await api.client.get("/nowhere")
    assert [line["outcome"] for line in lines(capsys)] == ["BAD_REQUEST", "NOT_FOUND"]
