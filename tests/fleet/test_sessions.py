"""A session is the same at every server, and so is its end."""

import pytest

from gql_app.lib.database import Database
from tests.fleet.conftest import SIZE, Fleet
from tests.people import PASSWORD, add_customer

pytestmark = pytest.mark.xdist_group("fleet")

LOGIN = """
mutation ($email: String!, $password: String!) {
  login(email: $email, password: $password) { token refreshToken errors { code } }
}
"""
REFRESH = """
mutation ($spent: String!) {
  refresh(refreshToken: $spent) { token refreshToken errors { code } }
}
"""
CHANGE = """
mutation ($old: String!, $new: String!) {
  changePassword(currentPassword: $old, newPassword: $new) { token errors { code } }
}
"""
ME = "{ me { email } }"


def sign_in(fleet: Fleet, number: int, email: str) -> dict[str, str]:
    """Sign in at one of the servers."""
    tokens: dict[str, str] = fleet.done(number, LOGIN, email=email, password=PASSWORD)
    return tokens


def reasons(fleet: Fleet, token: str) -> list[str | None]:
    """Return why each server refuses a token; None of one that takes it."""
    bodies = [fleet.run(number, ME, token=token) for number in range(SIZE)]
    return [
        body["errors"][0]["extensions"]["reason"] if "errors" in body else None for body in bodies
    ]


async def test_session_is_listed_carried_on_and_ended_anywhere(
    fleet: Fleet, database: Database
) -> None:
    await add_customer(database, "Ada Plain")
    opened = [sign_in(fleet, number, "ada@example.com") for number in range(SIZE)]
    for number in range(SIZE):
        me = fleet.done(number, "{ me { sessions { id } } }", token=opened[0]["token"])
        assert len(me["sessions"]) == SIZE
    renewed = fleet.done(1, REFRESH, spent=opened[0]["refreshToken"])
    assert reasons(fleet, renewed["token"]) == [None] * SIZE
    assert fleet.done(2, "mutation { logout { status } }", token=renewed["token"]) == {
        "status": "SUCCESS"
    }
    assert reasons(fleet, renewed["token"]) == ["TOKEN_REVOKED"] * SIZE
    assert reasons(fleet, opened[0]["token"]) == ["TOKEN_REVOKED"] * SIZE
    assert reasons(fleet, opened[1]["token"]) == [None] * SIZE


async def test_token_that_two_servers_are_given_ends_its_session_at_all(
    fleet: Fleet, database: Database
) -> None:
    await add_customer(database, "Rea Used")
    opened = sign_in(fleet, 0, "rea@example.com")
    renewed = fleet.done(1, REFRESH, spent=opened["refreshToken"])
    assert renewed["errors"] == []
    reused = fleet.done(2, REFRESH, spent=opened["refreshToken"])
    assert reused["errors"] == [{"code": "TOKEN_REUSED"}]
    for token in (opened["token"], renewed["token"]):
        assert reasons(fleet, token) == ["TOKEN_REVOKED"] * SIZE


async def test_new_password_ends_the_sessions_of_all_servers(
    fleet: Fleet, database: Database
) -> None:
    await add_customer(database, "Pam Plain")
    before = [sign_in(fleet, number, "pam@example.com")["token"] for number in range(SIZE)]
    new = "another password for tests"
    changed = fleet.done(1, CHANGE, token=before[0], old=PASSWORD, new=new)
    for token in before:
        assert reasons(fleet, token) == ["TOKEN_REVOKED"] * SIZE
    assert reasons(fleet, changed["token"]) == [None] * SIZE
    wrong = fleet.done(2, LOGIN, email="pam@example.com", password=PASSWORD)
    assert wrong["errors"] == [{"code": "INVALID_CREDENTIALS"}]
