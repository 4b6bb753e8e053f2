"""Secrets open under the keys and the context that they were encrypted for, and nowhere else."""

from base64 import urlsafe_b64encode

import pytest
from cryptography.fernet import Fernet

from gql_app.lib.encryption import CannotDecrypt, Encryption

OLD, NEW = b"o" * 32, b"n" * 32
ROW = b"row 1"


def test_a_secret_opens_again_and_is_not_in_the_text() -> None:
    encryption = Encryption([OLD])
    text = encryption.encrypt(b"the secret", context=ROW)
    assert text.isascii()
    assert "secret" not in text
    assert encryption.decrypt(text, context=ROW) == b"the secret"


@pytest.mark.parametrize("secret", [b"", b"\0" * 20, bytes(range(256)) * 16])
def test_every_secret_opens_again(secret: bytes) -> None:
    encryption = Encryption([OLD])
    assert encryption.decrypt(encryption.encrypt(secret, context=ROW), context=ROW) == secret


def test_one_secret_has_another_text_each_time() -> None:
    encryption = Encryption([OLD])
    assert len({encryption.encrypt(b"x", context=ROW) for _ in range(10)}) == 10


@pytest.mark.parametrize("context", [b"", b"row", b"row 2", b"row 10", b"encryption of row 1"])
def test_a_text_of_another_context_does_not_open(context: bytes) -> None:
    encryption = Encryption([OLD])
    text = encryption.encrypt(b"x", context=ROW)
    with pytest.raises(CannotDecrypt):
        encryption.decrypt(text, context=context)


def test_the_first_key_encrypts_and_all_decrypt() -> None:
    both = Encryption([NEW, OLD])
    before = Encryption([OLD]).encrypt(b"x", context=ROW)
    assert both.decrypt(before, context=ROW) == b"x"
    after = both.encrypt(b"y", context=ROW)
    assert Encryption([NEW]).decrypt(after, context=ROW) == b"y"
    with pytest.raises(CannotDecrypt):
        Encryption([OLD]).decrypt(after, context=ROW)


def test_a_renewed_text_needs_the_old_key_no_more() -> None:
    before = Encryption([OLD]).encrypt(b"x", context=ROW)
    renewed = Encryption([NEW, OLD]).renewed(before, context=ROW)
    assert Encryption([NEW]).decrypt(renewed, context=ROW) == b"x"


def test_nothing_is_renewed_that_does_not_open() -> None:
    before = Encryption([OLD]).encrypt(b"x", context=ROW)
    with pytest.raises(CannotDecrypt):
        Encryption([NEW]).renewed(before, context=ROW)
    with pytest.raises(CannotDecrypt):
        Encryption([OLD]).renewed(before, context=b"row 2")


@pytest.mark.parametrize("text", ["", "x", "gAAAAA", "ä", "\ud800", "a" * 100, "gAAAAA=" * 20])
def test_whatever_is_no_text_of_ours_does_not_open(text: str) -> None:
    with pytest.raises(CannotDecrypt):
        Encryption([OLD]).decrypt(text, context=ROW)


def test_no_character_of_a_text_can_be_another() -> None:
    encryption = Encryption([OLD])
    text = encryption.encrypt(b"x" * 20, context=ROW)
    for place in range(len(text.rstrip("="))):
        other = "A" if text[place] != "A" else "Q"
        with pytest.raises(CannotDecrypt):
            encryption.decrypt(text[:place] + other + text[place + 1 :], context=ROW)


def test_a_key_is_used_for_nothing_as_it_is() -> None:
    text = Fernet(urlsafe_b64encode(OLD)).encrypt(b"x").decode()
    with pytest.raises(CannotDecrypt):
        Encryption([OLD]).decrypt(text, context=b"")


def test_keys_have_short_names_that_stay_and_differ() -> None:
    both = Encryption([NEW, OLD])
    assert both.key_id == Encryption([NEW]).key_id
    assert both.key_ids == (Encryption([NEW]).key_id, Encryption([OLD]).key_id)
    assert both.key_ids == ("3091417d586beb89", "5091664a7ac000f4")


def test_what_was_stored_by_an_earlier_release_opens() -> None:
    stored = (
        "gAAAAABrDddQI2bxax4MYf1kRI7a7f_beiyHO3HyUHuJYOGp00dL3r-7_-Qn"
        "2FJVh4Feu240Jpg2dQOgO8B2sYkZKjH2fxJ8VQ=="
    )
    assert Encryption([OLD]).decrypt(stored, context=ROW) == b"the secret"


def test_without_a_key_there_is_no_encryption() -> None:
    with pytest.raises(ValueError, match="there is no key"):
        Encryption([])


def test_no_key_is_shown() -> None:
    assert "ooo" not in repr(Encryption([OLD]))
