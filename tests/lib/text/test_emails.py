"""E-mail addresses: what is one, and which are one mailbox."""

import pytest

from gql_app.lib.text import (
    InvalidLine,
    canonical_email,
    email_address,
    email_key,
    email_key_of,
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
    ("typed", "reason", "why"),
    [
        ("", "REQUIRED", "Give the e-mail address"),
        ("ada", "INVALID", "This is not an e-mail address"),
        ("x" * 255, "TOO_LONG", "254 characters long"),
        (f"{'é' * 33}@example.com", "INVALID", "64 bytes at most"),
        ("=?utf-8?q?x=40evil.example=2C?=@example.com", "INVALID", "This is not an e-mail address"),
        ("a.=?utf-8?b?YQ==?=@example.com", "INVALID", "This is not an e-mail address"),
        ("ada\u2060@example.com", "INVALID", "is not an e-mail address|invisible"),
    ],
)
def test_what_is_no_address_is_refused_in_a_sentence(typed: str, reason: str, why: str) -> None:
    with pytest.raises(InvalidLine, match=why) as refused:
        email_address(typed)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        (" ADA+list@Example.COM\t", "ada+list@example.com"),
        ("ada@BÜCHER.example.com", "ada@xn--bcher-kva.example.com"),
        ("ada@xn--bcher-kva.example.com", "ada@xn--bcher-kva.example.com"),
        ("ada", None),
        ("", None),
        ("x" * 1_000_000, None),
        ("=?utf-8?q?ada?=@example.com", None),
    ],
)
def test_key_of_what_is_typed_is_that_of_the_mailbox_if_it_can_be_one(
    typed: str, key: str | None
) -> None:
    assert mailbox_key(typed) == key


def test_special_use_domains_are_recognised_with_all_below_them() -> None:
    addresses = ("a@test", "a@b.test", "a@latest.com", "a@test.com", "a@b.invalid")
    assert [special_use(each) for each in addresses] == ["test", "test", None, None, "invalid"]
    taken = ("corp.test", "invalid")
    named = ("a@corp.test", "a@b.corp.test", "a@mycorp.test", "a@b.invalid", "a@test")
    assert [special_use(each, taken) for each in named] == [None, None, "test", None, "test"]


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
