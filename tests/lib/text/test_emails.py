"""E-mail addresses: what is one, and which are one mailbox."""

import pytest

from gql_app.lib.text import (
    EmptyLine,
    InvalidLine,
    LineTooLong,
    canonical_email,
    email_address,
    email_key,
    email_key_of,
    is_below,
    mailbox_key,
    special_use,
)


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        (" Ada@Example.com ", "Ada@example.com"),
        ("ada@BÜCHER.example.com", "ada@bücher.example.com"),
        ("e\u0301lodie@example.com", "élodie@example.com"),
    ],
)
def test_address_has_one_normal_form(typed: str, address: str) -> None:
    assert email_address(typed) == address


@pytest.mark.parametrize(
    ("typed", "kind", "why"),
    [
        ("", EmptyLine, "Give the e-mail address"),
        ("ada", InvalidLine, "This is not an e-mail address"),
        ("x" * 255, LineTooLong, "254 characters long"),
        (f"{'é' * 33}@example.com", InvalidLine, "64 bytes at most"),
        ("ada\u2060@example.com", InvalidLine, "is not an e-mail address|invisible"),
    ],
)
def test_what_is_no_address_is_refused_in_a_sentence(
    typed: str, kind: type[InvalidLine], why: str
) -> None:
    with pytest.raises(InvalidLine, match=why) as refused:
        email_address(typed)
    assert type(refused.value) is kind


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        (" ADA+list@Example.COM\t", "ada+list@example.com"),
        ("ada@BÜCHER.example.com", "ada@xn--bcher-kva.example.com"),
        ("ada@xn--bcher-kva.example.com", "ada@xn--bcher-kva.example.com"),
        ("ada", None),
        ("", None),
        ("x" * 1_000_000, None),
    ],
)
def test_key_of_what_is_typed_is_that_of_the_mailbox_if_it_can_be_one(
    typed: str, key: str | None
) -> None:
    assert mailbox_key(typed) == key


def test_special_use_domains_are_told_from_others_with_all_below_them() -> None:
    addresses = ("a@test", "a@b.test", "a@latest.com", "a@test.com", "a@b.invalid")
    assert [special_use(each) for each in addresses] == ["test", "test", None, None, "invalid"]
    assert is_below("a@b.corp.test", "corp.test")
    assert not is_below("a@mycorp.test", "corp.test")


@pytest.mark.parametrize(
    ("email", "key"),
    [
        ("Ada@Example.COM", "ada@example.com"),
        ("ada@BÜCHER.example.com", "ada@xn--bcher-kva.example.com"),
        ("STRAẞE@example.com", "straße@example.com"),
        ("\u0130@example.com", "\u0130@example.com"),
        ("A@\u2028É.com", "a@\u2028é.com"),
    ],
)
def test_key_of_a_mailbox_lowers_letters_and_writes_the_domain_in_a_labels(
    email: str, key: str
) -> None:
    assert canonical_email(email) == key


@pytest.mark.parametrize(
    ("canonical", "key"),
    [
        ("straße@xn--bcher-kva.example.com", "strasse@bücher.example.com"),
        ("ada@example.com", "ada@example.com"),
        ("ada@xn--\u2028.com", "ada@xn--\u2028.com"),
        (None, None),
    ],
)
def test_key_to_search_by_is_that_of_every_address_of_a_mailbox(
    canonical: str | None, key: str | None
) -> None:
    assert email_key_of(canonical) == key
    assert key is None or email_key(key.upper()) == key
