"""Token introspection: whether a session lives, for the services that its tokens are for."""

from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy import select, update

from gql_app.accounts.audit import Action
from gql_app.db.tables import AuditRow, CustomerRow
from gql_app.lib.database import Unavailable
from gql_app.settings import Settings
from gql_app.web.introspection import MAX_FORM_BYTES
from tests.api import Api, running
from tests.apps import set_up
from tests.people import PASSWORD, Person, add_customer, expired_token, sign_in, sign_out

URL = "/introspect"
DEAD = {"active": False}
LOGIN = """
mutation SignIn($email: String!, $password: String!, $audience: String) {
  login(email: $email, password: $password, audience: $audience) { token customer { id } }
}
"""


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[Api]:
    """Run the API with a service beside it."""
    async with running(settings.model_copy(update={"audiences": ("orders",)})) as api:
        yield api


async def ask(api: Api, token: str) -> object:
    """Ask whether a token's session lives."""
    response = await api.client.post(URL, data={"token": token})
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    return response.json()


@pytest.mark.parametrize("audience", ["gql_app", "orders"])
async def test_living_session_is_told_with_what_the_token_says(
    api: Api, plain: Person, audience: str
) -> None:
    answer = await api.run(LOGIN, email=plain.email, password=PASSWORD, audience=audience)
    told = await ask(api, answer.data["login"]["token"])
    assert isinstance(told, dict)
    assert told.pop("exp") - told.pop("iat") == 3600
    assert told.pop("jti")
    assert told.pop("sid")
    assert told == {
        "active": True,
        "token_type": "Bearer",
        "iss": "gql_app",
        "aud": audience,
        "sub": str(plain.id),
    }


async def test_ended_session_is_told_at_once(api: Api, plain: Person) -> None:
    assert (await ask(api, plain.token)) != DEAD
    await sign_out(api.resources, plain)
    assert await ask(api, plain.token) == DEAD


async def test_session_of_a_closed_account_does_not_live(api: Api, plain: Person) -> None:
    async with api.database.transaction() as db:
        await db.execute(update(CustomerRow).values(is_active=False))
    assert await ask(api, plain.token) == DEAD


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_token_that_is_no_good_says_nothing_else(api: Api, plain: Person) -> None:
    for token in ("x", "a.b.c", plain.token[:-8] + "A" * 8, plain.refresh_token):
        assert await ask(api, token) == DEAD
    assert await ask(api, expired_token(api.resources, plain)) == DEAD
    await api.resources.guesses.record(api.database, last=True)
    actions = await api.database.fetch_all(select(AuditRow.action))
    assert Action.TOKEN_REFUSED in {row.action for row in actions}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"", "application/x-www-form-urlencoded", 400),
        (b"token=", "application/x-www-form-urlencoded", 400),
        (b"token=a&token=b", "application/x-www-form-urlencoded", 400),
        (b"tokens=a", "application/x-www-form-urlencoded", 400),
        (b"token=\xff", "application/x-www-form-urlencoded", 400),
        (b"&".join([b"a=b"] * 100), "application/x-www-form-urlencoded", 400),
        (b"token=" + b"x" * MAX_FORM_BYTES, "application/x-www-form-urlencoded", 413),
        (b'{"token": "a"}', "application/json", 415),
        (b"token=a", "", 415),
    ],
    ids=lambda value: str(value)[:24],
)
async def test_any_other_body_is_refused(
    api: Api, body: bytes, content_type: str, status: int
) -> None:
    headers = {"Content-Type": content_type}
    response = await api.client.post(URL, content=body, headers=headers)
    assert response.status_code == status
    assert response.json()["errors"][0]["message"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_nothing_but_post_is_answered(api: Api) -> None:
    assert (await api.client.get(URL)).status_code == 405


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_database_that_cannot_be_asked_says_so_and_when_to_come_back(
    api: Api, plain: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[Exception] = [Unavailable(), TimeoutError()]

    async def fail(*_: object) -> None:
        raise errors[-1]

    monkeypatch.setattr("gql_app.accounts.callers.find", fail)
    while errors:
        response: httpx.Response = await api.client.post(URL, data={"token": plain.token})
        assert response.status_code == 503
        assert response.headers["retry-after"] == "1"
        errors.pop()


async def test_session_that_may_only_set_up_a_second_factor_is_not_active(
    settings: Settings,
) -> None:
    async with running(settings.model_copy(update={"second_factor": "everyone"})) as strict:
        ada = await sign_in(strict.resources, await add_customer(strict.database, "Ada"))
        assert await ask(strict, ada.token) == DEAD
        await set_up(strict, ada.token)
        assert (await ask(strict, ada.token)) != DEAD
