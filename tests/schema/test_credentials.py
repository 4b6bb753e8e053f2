"""Signing in, and what the token query tells."""

from tests.api import Api
from tests.people import PASSWORD, Person

LOGIN = """
mutation Login($email: String!, $password: String!) {
  login(email: $email, password: $password) {
    status message token expiresAt errors { code field message } customer { id email } retryAfter
  }
}
"""


async def test_login_answers_a_token_that_opens_me(api: Api, plain: Person) -> None:
    login = (await api.run(LOGIN, email=plain.email, password=PASSWORD)).data["login"]
    assert (login["status"], login["errors"]) == ("SUCCESS", [])
    assert login["customer"] == {"id": str(plain.id), "email": plain.email}
    me = await api.run("{ me { id } }", token=login["token"])
    assert me.data["me"]["id"] == str(plain.id)
