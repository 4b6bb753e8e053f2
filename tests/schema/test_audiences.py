"""Tokens for other services: each is for one, and good nowhere else."""

import jwt
import pytest

from gql_app.settings import Settings
from tests.api import Answer, Api, running
from tests.conftest import SECRET
from tests.people import PASSWORD, Person, add_customer

LOGIN = """
mutation SignIn($email: String!, $password: String!, $audience: String) {
  login(email: $email, password: $password, audience: $audience) {
    status token refreshToken errors { code field message }
  }
}
"""
REFRESH = """
mutation Again($spent: String!) {
  refresh(refreshToken: $spent) { status token refreshToken errors { code field message } }
}
"""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Know two services besides this API."""
    return settings.model_copy(update={"audiences": ("orders", "mail")})


def audience_of(token: str) -> str:
    """Read for whom a token is."""
    payload = jwt.decode(token, SECRET, algorithms=["HS256"], options={"verify_aud": False})
    audience: str = payload["aud"]
    return audience


async def login(api: Api, person: Person, **more: object) -> dict[str, str]:
    """Sign somebody in for a service."""
    variables = {"email": person.email, "password": PASSWORD, **more}
    response = await api.client.post("/graphql", json={"query": LOGIN, "variables": variables})
    answer = Answer(response.status_code, response.headers, response.json())
    payload: dict[str, str] = answer.data["login"]
    return payload


async def test_token_is_for_one_service_and_refresh_keeps_it(api: Api, plain: Person) -> None:
    payload = await login(api, plain, audience="orders")
    for _ in range(2):
        assert audience_of(payload["token"]) == "orders"
        answer = await api.run("{ me { id } token { valid reason } }", token=payload["token"])
        assert answer.body["data"]["token"] == {"valid": False, "reason": "TOKEN_INVALID"}
        assert answer.reason("me") == "TOKEN_INVALID"
        payload = (await api.run(REFRESH, spent=payload["refreshToken"])).data["refresh"]


@pytest.mark.parametrize("audience", [{}, {"audience": None}, {"audience": "gql_app"}])
async def test_token_is_for_this_api_unless_a_service_is_named(
    api: Api, plain: Person, audience: dict[str, str | None]
) -> None:
    payload = await login(api, plain, **audience)
    assert audience_of(payload["token"]) == "gql_app"
    assert (await api.run("{ me { id } }", token=payload["token"])).data["me"]


@pytest.mark.parametrize("audience", ["", " ", "Orders", "orders,mail", "orders ", "x" * 5000])
async def test_unknown_service_is_refused_whatever_the_password(
    api: Api, plain: Person, audience: str
) -> None:
    for password in (PASSWORD, "a wrong password"):
        answer = await api.run(LOGIN, email=plain.email, password=password, audience=audience)
        payload = answer.data["login"]
        assert [(each["code"], each["field"]) for each in payload["errors"]] == [
            ("INVALID", "audience")
        ]
        assert payload["token"] is None


async def test_session_of_another_service_is_listed_and_ended_like_any_other(
    api: Api, plain: Person
) -> None:
    payload = await login(api, plain, audience="orders")
    listed = (await api.run("{ me { sessions { id isCurrent } } }", token=plain.token)).data
    (theirs,) = [each["id"] for each in listed["me"]["sessions"] if not each["isCurrent"]]
    ending = "mutation End($id: ID!) { endSession(id: $id) { status } }"
    assert (await api.run(ending, token=plain.token, id=theirs)).data["endSession"]
    again = (await api.run(REFRESH, spent=payload["refreshToken"])).data["refresh"]
    assert [each["code"] for each in again["errors"]] == ["TOKEN_REVOKED"]


async def test_service_that_is_known_no_longer_has_no_more_tokens(settings: Settings) -> None:
    async with running(settings) as api:
        customer = await add_customer(api.database, "Ada Plain")
        answer = await api.run(LOGIN, email=customer.email, password=PASSWORD, audience="mail")
        token = answer.data["login"]["refreshToken"]
    fewer = settings.model_copy(update={"audiences": ("orders",)})
    async with running(fewer) as api:
        payload = (await api.run(REFRESH, spent=token)).data["refresh"]
        assert [each["code"] for each in payload["errors"]] == ["TOKEN_REVOKED"]
    async with running(settings) as api:  # it was a mistake, and nothing is lost
        assert (await api.run(REFRESH, spent=token)).data["refresh"]["token"]
