"""How hard a secret is to guess: chance is told from words and patterns."""

import secrets
from collections.abc import Callable

import pytest

from gql_app.lib.faults import CannotStart
from gql_app.lib.keyring import guessable, is_pattern
from gql_app.lib.keyring.keys import hmac_key


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


@pytest.mark.parametrize(
    "secret",
    [
        b"a" * 32,
        b"x" * 1000,
        b"\x00" * 32,
        b"a" * 31 + b"b",
        b"01" * 16,
        b"0123456789" * 4,
        b"password" * 5,
        b"changeme" * 4,
        b"hunter2" * 5,
        b"secret-secret-secret-secret-secret",
        b"passwordpasswordpasswordpassword1!",
        b"the one that was" * 2,
        "é".encode() * 16,
        b"abcdefghijklmnopqrstuvwxyz012345",
        b"zyxwvutsrqponmlkjihgfedcba987654",
        bytes(range(224, 256)),
        b"aaaaaaaabbbbbbbbccccccccdddddddd",
    ],
)
def test_repetition_and_runs_are_a_pattern(secret: bytes) -> None:
    assert is_pattern(secret)
    with pytest.raises(CannotStart) as stopped:
        hmac_key(secret, "GQL_APP_SECRET_KEY")
    (fault,) = stopped.value.faults
    assert fault.startswith("GQL_APP_SECRET_KEY: repeats itself so much that it can be guessed")


@pytest.mark.parametrize(
    "make",
    [
        lambda: secrets.token_bytes(32),
        lambda: secrets.token_hex(16).encode(),
        lambda: secrets.token_hex(32).encode(),
        lambda: secrets.token_urlsafe(24).encode(),
        lambda: b"%032d" % secrets.randbelow(10**32),
        lambda: secrets.token_urlsafe(10_000).encode(),
    ],
    ids=["bytes", "short hexadecimal", "hexadecimal", "base64", "digits", "long"],
)
def test_chance_is_no_pattern(make: Callable[[], bytes]) -> None:
    assert not any(is_pattern(make()) for _ in range(100))


def test_words_are_left_to_whoever_has_a_list_of_them() -> None:
    assert not is_pattern(b"correct horse battery staple, twice")
