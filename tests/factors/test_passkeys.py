"""Passkeys by the settings: of which domain they are, and for which pages."""

import pytest

from gql_app.factors.passkeys import Passkeys
from gql_app.settings import Settings

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
