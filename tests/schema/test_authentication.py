"""Signing in: what works, what doesn't, and what is remembered of it."""

import asyncio
from typing import Any, Final

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from gql_app.accounts.audit import Action
from gql_app.db.tables import AuditRow, CustomerRow
from gql_app.settings import Settings
from tests.api import Api, running
from tests.hashing import busy
from tests.locks import until_it_waits
from tests.people import PASSWORD, Person, add_customer, sign_in
from tests.rows import change, column
from tests.schema.conftest import QUICK

LOGIN: Final = """
mutation Login($email: String!, $password: String!) {
  login(email: $email, password: $password) {
    status message token expiresAt errors { code field message } customer { id email } retryAfter
  }
}
"""
CREATE: Final = """
mutation Create($input: CreateCustomerInput!) {
  createCustomer(input: $input) { status retryAfter errors { code } customer { id } }
}
"""
SESSIONS: Final = "{ me { sessions { id ipAddress userAgent isCurrent } } }"
FAILURES: Final = [
    ("ada@example.com", "a wrong password"),
    ("ada@example.com", PASSWORD.upper()),
    ("ada@example.com", f"{PASSWORD} "),
    ("ada@example.com", "\0"),
    ("ada@example.com", "x" * 201),
    ("ada@example.com", "x" * 100_000),
    ("ada@example.com", f"{PASSWORD}\0"),
    ("ada@example.com\0", PASSWORD),
    ("a\0da@example.com", PASSWORD),
    ("unknown@example.com", PASSWORD),
    ("inactive@example.com", PASSWORD),
    ("no address", PASSWORD),
    ("", PASSWORD),
    ("%@example.com", PASSWORD),
    (f"{'x' * 100_000}@example.com", PASSWORD),
]
"""Addresses and passwords that nobody signs in with."""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Raise the limits, so that every failure is judged."""
    return settings.model_copy(update={"login_attempts": 100})


async def login(api: Api, email: str, password: str, **headers: str) -> dict[str, Any]:
    """Try to sign in; it is never a top-level error."""
    answer = await api.run(LOGIN, headers=headers, email=email, password=password)
    assert answer.status == 200
    payload: dict[str, Any] = answer.data["login"]
    return payload


async def test_login_answers_a_token_that_opens_me(api: Api, plain: Person) -> None:
    payload = await login(api, plain.email, PASSWORD)
    assert (payload["status"], payload["errors"]) == ("SUCCESS", [])
    assert payload["message"]
    assert payload["retryAfter"] is None
    assert payload["customer"] == {"id": str(plain.id), "email": plain.email}
    answer = await api.run("{ me { id } token { expiresAt } }", token=payload["token"])
    assert answer.data["me"] == {"id": str(plain.id)}
    assert answer.data["token"] == {"expiresAt": payload["expiresAt"]}


@pytest.mark.parametrize("email", ["ADA@EXAMPLE.COM", "  ada@example.com\n", "Ada@Example.Com"])
async def test_address_may_be_typed_in_any_case(api: Api, plain: Person, email: str) -> None:
    payload = await login(api, email, PASSWORD)
    assert payload["customer"] == {"id": str(plain.id), "email": plain.email}


async def test_every_failure_answers_the_same(api: Api, plain: Person) -> None:
    inactive = await add_customer(api.database, "Ina Inactive", "inactive@example.com")
    async with api.database.transaction() as db:
        await change(db, CustomerRow, inactive.id, is_active=False)
    message = "The e-mail address or the password is wrong."
    for email, password in FAILURES:
        assert await login(api, email, password) == {
            "status": "ERROR",
            "message": message,
            "errors": [{"code": "INVALID_CREDENTIALS", "field": None, "message": message}],
            "token": None,
            "expiresAt": None,
            "customer": None,
            "retryAfter": None,
        }, (email[:40], password[:40])
    seen = await api.run(SESSIONS, token=plain.token)
    assert len(seen.data["me"]["sessions"]) == 1


async def test_session_tells_where_it_was_signed_in_from(api: Api, plain: Person) -> None:
    payload = await login(api, plain.email, PASSWORD, **{"User-Agent": "Tests/1.0 (made up)"})
    sessions = (await api.run(SESSIONS, token=payload["token"])).data["me"]["sessions"]
    assert [session["isCurrent"] for session in sessions] == [True, False]
    assert (sessions[0]["ipAddress"], sessions[0]["userAgent"]) == (
        "192.0.2.1",
        "Tests/1.0 (made up)",
    )
    assert sessions[1]["id"] == str(plain.session_id)


async def test_user_agent_is_cut_to_what_is_kept(api: Api, plain: Person) -> None:
    payload = await login(api, plain.email, PASSWORD, **{"User-Agent": "x" * 5_000})
    sessions = (await api.run(SESSIONS, token=payload["token"])).data["me"]["sessions"]
    assert sessions[0]["userAgent"] == "x" * 300


async def test_two_logins_open_two_sessions(api: Api, plain: Person) -> None:
    payloads = await asyncio.gather(*(login(api, plain.email, PASSWORD) for _ in range(2)))
    assert len({payload["token"] for payload in payloads}) == 2
    sessions = (await api.run(SESSIONS, token=plain.token)).data["me"]["sessions"]
    assert len({session["id"] for session in sessions}) == 3


async def test_two_logins_that_renew_a_hash_at_once_both_open_a_session(
    api: Api, plain: Person
) -> None:
    former = PasswordHasher(time_cost=3, memory_cost=19 * 1024, parallelism=1).hash(PASSWORD)
    async with api.database.transaction() as db:
        await change(db, CustomerRow, plain.id, password_hash=former)
    payloads = await asyncio.gather(*(login(api, plain.email, PASSWORD) for _ in range(2)))
    assert [payload["status"] for payload in payloads] == ["SUCCESS", "SUCCESS"]


@pytest.mark.parametrize(
    ("stored", "status"), [(PASSWORD, "SUCCESS"), ("another password", "ERROR")]
)
async def test_login_that_waits_for_another_hash_is_judged_by_that_one(
    api: Api, plain: Person, stored: str, status: str
) -> None:
    async with api.database.transaction() as db:
        await change(db, CustomerRow, plain.id, password_hash=QUICK.hash(stored))
        signing_in = asyncio.create_task(login(api, plain.email, PASSWORD))
        await until_it_waits(db, signing_in)
        assert not signing_in.done()
    assert (await signing_in)["status"] == status
    failures = select(AuditRow.id).where(AuditRow.action == Action.LOGIN_FAILED)
    assert len(await column(api.database, failures)) == (status == "ERROR")


async def test_full_queue_of_passwords_answers_too_many_attempts(settings: Settings) -> None:
    narrow = settings.model_copy(update={"password_threads": 1, "password_queue": 0})
    async with running(narrow) as api:
        row = await add_customer(api.database, "Grace Admin", is_admin=True)
        admin = await sign_in(api.resources, row)
        async with busy(api.resources.passwords):
            payloads = await asyncio.gather(*(login(api, row.email, PASSWORD) for _ in range(5)))
            new = {"name": "Nora", "email": "nora@example.com", "password": PASSWORD}
            created = (await api.run(CREATE, token=admin.token, input=new)).data["createCustomer"]
        for payload in (*payloads, created):
            assert payload["status"] == "ERROR"
            assert [error["code"] for error in payload["errors"]] == ["TOO_MANY_ATTEMPTS"]
            assert payload["retryAfter"] >= 1
            assert payload["customer"] is None
        assert (await login(api, row.email, PASSWORD))["status"] == "SUCCESS"
