"""How hard a secret is to guess: chance is told from words and patterns."""

import secrets

import pytest

from gql_app.security.strength import guessable


@pytest.mark.parametrize(
    "secret",
    [
        b"x" * 1000,
        b"0123456789" * 4,
        b"password" * 5,
        b"correct horse battery staple, twice",
        b"qwertyuiopasdfghjklzxcvbnm123456",
        b"\x00" * 32,
    ],
)
def test_words_and_patterns_can_be_guessed(secret: bytes) -> None:
    assert guessable(secret)


@pytest.mark.parametrize(
    "secret",
    [
        secrets.token_bytes(32),
        secrets.token_hex(32).encode(),
        secrets.token_urlsafe(48).encode(),
        secrets.token_urlsafe(10_000).encode(),
    ],
    ids=["bytes", "hexadecimal", "base64", "long"],
)
def test_chance_can_not_be_guessed(secret: bytes) -> None:
    assert not guessable(secret)
