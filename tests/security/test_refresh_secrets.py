"""Opaque tokens: what they hold, how they are digested, and what succeeds them."""

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from uuid import UUID

import pytest

from gql_app.security import tokens

PEPPER = b"a pepper of the tests"
LETTER = UUID("01890000-0000-7000-8000-000000000001")
SESSION = UUID("01890000-0000-7000-8000-000000000002")
TOKEN = tokens.REFRESH + "A" * 43
NAMING = tokens.new_refresh_token(SESSION)
SALT = "5a" * 32


def made_tokens() -> dict[str, str]:
    """Make a token in each of the ways there are."""
    return {
        "new": NAMING,
        "succeeding": tokens.succeeding(PEPPER, NAMING, SALT),
        "succeeding an old one": tokens.succeeding(PEPPER, TOKEN, SALT),
        "reset": tokens.link_token(tokens.RESET, PEPPER, LETTER),
    }


@pytest.mark.parametrize(
    ("way", "prefix", "named"),
    [
        ("new", "gar_", SESSION),
        ("succeeding", "gar_", SESSION),
        ("succeeding an old one", "gar_", None),
        ("reset", "gap_", None),
    ],
)
def test_token_is_a_prefix_and_43_url_safe_letters_which_name_a_session_or_not(
    way: str, prefix: str, named: UUID | None
) -> None:
    token = made_tokens()[way]
    assert re.fullmatch(prefix + r"[A-Za-z0-9_-]{43}", token)
    raw = urlsafe_b64decode(token.removeprefix(prefix) + "=")
    assert len(raw) == 32
    assert tokens.session_of(token) == named
    assert named is None or raw.startswith(named.bytes)


def test_half_of_a_token_that_names_its_session_is_chance() -> None:
    made = [*(tokens.new_refresh_token(SESSION) for _ in range(1000))]
    made += [tokens.succeeding(PEPPER, token, SALT) for token in made]
    secrets = {urlsafe_b64decode(token[4:] + "=")[16:] for token in made}
    assert len(secrets) == len(made)
    assert {len(each) for each in secrets} == {16}
    for place in range(16):  # of 2,000 bytes hardly any value is missing at a place
        assert len({each[place] for each in secrets}) > 200


@pytest.mark.parametrize("letter", ["A", "C", "D"])
def test_other_spare_bits_name_no_session(letter: str) -> None:
    """The last of 43 letters holds four bits of the secret, and 01 where a session is named."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    at = alphabet.index(NAMING[-1])
    assert at % 4 == 1
    assert tokens.session_of(NAMING[:-1] + alphabet[at - 1 + alphabet.index(letter)]) is None


def test_new_tokens_and_salts_are_never_the_same() -> None:
    assert len({tokens.new_refresh_token(SESSION) for _ in range(1000)}) == 1000
    assert len({tokens.new_salt() for _ in range(1000)}) == 1000


def test_salt_is_256_bits_in_hexadecimal() -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", tokens.new_salt())


def test_successor_is_the_same_for_every_caller_with_the_same_token() -> None:
    assert len({tokens.succeeding(PEPPER, TOKEN, SALT) for _ in range(3)}) == 1


def test_what_succeeds_an_old_token_is_what_servers_of_the_version_before_make_of_it() -> None:
    made = hmac.digest(PEPPER, bytes.fromhex(SALT) + TOKEN.encode(), "sha256")
    spelt = urlsafe_b64encode(made).rstrip(b"=").decode()
    assert tokens.succeeding(PEPPER, TOKEN, SALT) == tokens.REFRESH + spelt


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
    assert tokens.session_of(token) is None


def test_refresh_token_is_never_taken_for_a_reset_token() -> None:
    assert tokens.digest(tokens.RESET, NAMING) is None
    assert tokens.digest(tokens.REFRESH, tokens.link_token(tokens.RESET, PEPPER, LETTER)) is None
