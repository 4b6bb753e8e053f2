"""Opaque tokens: what they hold, how they are digested, and what succeeds them."""

import hashlib
import re
from base64 import urlsafe_b64decode
from uuid import UUID

import pytest

from gql_app.security import tokens

PEPPER = b"a pepper of the tests"
LETTER = UUID("01890000-0000-7000-8000-000000000001")
TOKEN = tokens.REFRESH + "A" * 43
SALT = "5a" * 32


def made_tokens() -> dict[str, str]:
    """Make a token in each of the ways there are."""
    return {
        "new": tokens.new_refresh_token(),
        "succeeding": tokens.succeeding(PEPPER, TOKEN, SALT),
        "reset": tokens.link_token(tokens.RESET, PEPPER, LETTER),
    }


@pytest.mark.parametrize(
    ("way", "prefix"), [("new", "gar_"), ("succeeding", "gar_"), ("reset", "gap_")]
)
def test_token_is_a_prefix_and_256_bits_in_url_safe_letters(way: str, prefix: str) -> None:
    token = made_tokens()[way]
    assert re.fullmatch(prefix + r"[A-Za-z0-9_-]{43}", token)
    assert len(urlsafe_b64decode(token.removeprefix(prefix) + "=")) == 32


def test_new_tokens_and_salts_are_never_the_same() -> None:
    assert len({tokens.new_refresh_token() for _ in range(1000)}) == 1000
    assert len({tokens.new_salt() for _ in range(1000)}) == 1000


def test_salt_is_256_bits_in_hexadecimal() -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", tokens.new_salt())


def test_successor_is_the_same_for_every_caller_with_the_same_token() -> None:
    assert len({tokens.succeeding(PEPPER, TOKEN, SALT) for _ in range(3)}) == 1


@pytest.mark.parametrize(
    ("pepper", "token", "salt"),
    [
        (b"another pepper", TOKEN, SALT),
        (PEPPER, tokens.REFRESH + "B" * 43, SALT),
        (PEPPER, TOKEN, "a5" * 32),
    ],
    ids=["pepper", "token", "salt"],
)
def test_successor_is_another_if_anything_it_is_made_of_is(
    pepper: bytes, token: str, salt: str
) -> None:
    assert tokens.succeeding(pepper, token, salt) != tokens.succeeding(PEPPER, TOKEN, SALT)


def test_successor_is_no_plain_digest_of_what_the_database_holds() -> None:
    digested = hashlib.sha256(bytes.fromhex(SALT) + TOKEN.encode()).digest()
    successor = tokens.succeeding(PEPPER, TOKEN, SALT).removeprefix(tokens.REFRESH)
    assert urlsafe_b64decode(successor + "=") != digested


def test_reset_token_is_the_same_for_one_letter_and_pepper_only() -> None:
    token = tokens.link_token(tokens.RESET, PEPPER, LETTER)
    assert tokens.link_token(tokens.RESET, PEPPER, LETTER) == token
    assert tokens.link_token(tokens.RESET, b"another pepper", LETTER) != token
    assert tokens.link_token(tokens.RESET, PEPPER, UUID(int=LETTER.int + 1)) != token


@pytest.mark.parametrize("prefix", [tokens.REFRESH, tokens.RESET])
def test_digest_is_the_sha_256_of_the_whole_token(prefix: str) -> None:
    token = prefix + "x-_9" * 10 + "abc"
    assert tokens.digest(prefix, token) == hashlib.sha256(token.encode()).hexdigest()


@pytest.mark.parametrize(
    "token",
    [
        "",
        "gar_",
        "gap_" + "A" * 43,
        "GAR_" + "A" * 43,
        "A" * 43,
        "A" * 47,
        "gar_" + "A" * 42,
        "gar_" + "A" * 44,
        "gar_" + "A" * 43 + "=",
        "gar_" + "A" * 43 + "\n",
        " gar_" + "A" * 43,
        "gar_gar_" + "A" * 43,
        "gar_" + "A" * 42 + "+",
        "gar_" + "A" * 42 + "/",
        "gar_" + "A" * 42 + "é",
        "gar_" + "A" * 42 + "٣",
        "gar_" + "A" * 42 + "\ud800",
        "gar_" + "A" * 42 + "\0",
        "eyJhbGciOiJIUzI1NiJ9.e30.c2ln",
    ],
)
def test_whatever_is_no_refresh_token_has_no_digest(token: str) -> None:
    assert tokens.digest(tokens.REFRESH, token) is None


def test_refresh_token_is_never_taken_for_a_reset_token() -> None:
    assert tokens.digest(tokens.RESET, tokens.new_refresh_token()) is None
    assert tokens.digest(tokens.REFRESH, tokens.link_token(tokens.RESET, PEPPER, LETTER)) is None
