"""Passkeys: of which domain they are by the settings, for which pages, and one that is gone."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from gql_app.db.factor_tables import UsedChallengeRow
from gql_app.errors import Rejected
from gql_app.factors.passkeys import INVALID, Answer, Passkeys, Proven, use
from gql_app.lib import clock
from gql_app.lib.database import Database
from gql_app.settings import Settings
from tests.people import NOWHERE, add_customer
from tests.rows import column

KEY = bytes(32)
PAGES = {"reset_url": "https://app.example.com/reset", "verify_url": "https://example.com/verify"}
LOCAL = {
    f"{name}_url": f"http://localhost:8123/account/{name}"
    for name in ("reset", "verify", "undo", "invitation", "sign_in")
}


@pytest.mark.parametrize(
    ("given", "rp_id", "origins"),
    [
        (LOCAL, "localhost", ["http://localhost:8123"]),
        (PAGES, "example.com", ["https://app.example.com", "https://example.com"]),
        (
            {"passkey_origins": "https://a.example.com,https://example.com"},
            "example.com",
            ["https://a.example.com", "https://example.com"],
        ),
        ({"passkey_rp_id": "example.com"}, "example.com", ["https://example.com"]),
        ({"passkey_rp_id": "localhost"}, "localhost", ["http://localhost:8000"]),
        (
            {"passkey_rp_id": "app.example.com", **PAGES},
            "app.example.com",
            ["https://app.example.com"],
        ),
        (
            {"passkey_rp_id": "example.com", "passkey_origins": "https://b.example.com", **PAGES},
            "example.com",
            ["https://b.example.com"],
        ),
    ],
)
def test_domain_and_pages_follow_from_what_is_known(
    given: dict[str, str], rp_id: str, origins: list[str]
) -> None:
    passkeys = Passkeys.of(Settings(**given, product_name="Shop"), KEY)  # type: ignore[arg-type]
    assert passkeys is not None
    party = passkeys.party
    assert (party.id, party.name, list(party.origins)) == (rp_id, "Shop", origins)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"reset_url": "http://127.0.0.1:8000/reset"},
        {"reset_url": "http://example.com/reset"},
        {"reset_url": "https://example.com/", "verify_url": "https://example.org/"},
        {"home_url": "https://example.com/"},
    ],
)
def test_without_pages_of_one_domain_there_are_none(given: dict[str, str]) -> None:
    assert Passkeys.of(Settings(**given), KEY) is None  # type: ignore[arg-type]


async def test_passkey_that_is_removed_meanwhile_proves_nothing(database: Database) -> None:
    ada = await add_customer(database, "Ada")
    answer = Answer({}, b"a challenge", clock.now() + timedelta(minutes=5))
    proven = Proven(clock.new_id(), ada.id, answer, sign_count=1, user_verified=True)
    with pytest.raises(Rejected) as refused:
        async with database.transaction() as db:
            await use(db, proven, origin=NOWHERE)
    assert refused.value.faults == (INVALID,)
    assert await column(database, select(UsedChallengeRow.digest)) == []
