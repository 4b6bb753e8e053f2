"""Failures are counted once, whichever server each of them met."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from gql_app.lib.database import Database
from tests.fleet.conftest import ATTEMPTS, SIZE, Fleet
from tests.people import PASSWORD, add_customer

pytestmark = pytest.mark.xdist_group("fleet")

GUESS = """
mutation ($email: String!, $password: String!) {
  login(email: $email, password: $password) { errors { code } }
}
"""


def guess(fleet: Fleet, number: int, email: str, typed: str = "a mere guess") -> str:
    """Try a password at one of the servers, and return what is wrong."""
    answer = fleet.done(number % SIZE, GUESS, email=email, password=typed)
    (error,) = answer["errors"]
    code: str = error["code"]
    return code


async def test_failures_at_three_servers_add_up(fleet: Fleet, database: Database) -> None:
    await add_customer(database, "Tom Typed")
    told = [guess(fleet, number, "tom@example.com") for number in range(ATTEMPTS + SIZE)]
    assert told == ["INVALID_CREDENTIALS"] * ATTEMPTS + ["TOO_MANY_ATTEMPTS"] * SIZE
    for number in range(SIZE):
        assert guess(fleet, number, "tom@example.com", PASSWORD) == "TOO_MANY_ATTEMPTS"


async def test_guesses_at_the_same_time_are_no_more(fleet: Fleet, database: Database) -> None:
    await add_customer(database, "Una Typed")
    with ThreadPoolExecutor(12) as crowd:
        told = crowd.map(lambda number: guess(fleet, number, "una@example.com"), range(24))
    assert Counter(told) == {
        "INVALID_CREDENTIALS": ATTEMPTS,
        "TOO_MANY_ATTEMPTS": 24 - ATTEMPTS,
    }
