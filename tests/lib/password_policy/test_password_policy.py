"""What a good password is."""

import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from bench import common_passwords
from gql_app.errors import UserErrorCode
from gql_app.lib.password_policy import (
    COMMON_PASSWORDS,
    check_password,
    normalise_password,
)
from gql_app.lib.text import InvalidLine

EMAIL = "Ada.Lovelace@example.com"
NAME = "Zoë Straße-Ångström"

REQUIRED = UserErrorCode.REQUIRED
WEAK = UserErrorCode.WEAK_PASSWORD
TOO_LONG = UserErrorCode.TOO_LONG
INVALID = UserErrorCode.INVALID


def code(password: str, *, email: str = EMAIL, name: str = NAME) -> UserErrorCode | None:
    """Return the code of what is wrong with a password as it was typed, or None if it is good."""
    try:
        checked = check_password(password, email=email, name=name)
    except InvalidLine as why:
        return UserErrorCode(why.reason) if why.message else None
    assert checked == normalise_password(password)
    return None


@pytest.mark.parametrize(
    "password",
    [
        "tenletters",
        "kT9#mQ2xLp",
        "correct horse battery staple",
        "z" * 190 + " the end.",
        "correct horse battery 🐴 staple and sixty-four characters in all.",
        "пароль на десять",
        "🐴🔋📎🌈🎲🍋🛶🧭🪁🧩",
        "3f786850e387550f",
        "my sister's 3 blue kites",
        "summer 2026 was rainy",
        "the administrator sleeps",
        "sunshine-harbour-41",
        "Elf5Zebras!Dance",
        "no rules of composition",
        "a tag \N{ZERO WIDTH JOINER} is no control character",
    ],
)
def test_good_password_is_accepted(password: str) -> None:
    assert code(password) is None


def test_passphrase_of_64_characters_is_accepted() -> None:
    passphrase = "seven 🐴 horses drink from the river at night, said the old clerk"
    assert len(passphrase) == 64
    assert code(passphrase) is None


@pytest.mark.parametrize(
    ("password", "expected"),
    [
        ("", REQUIRED),
        ("x", WEAK),
        ("ninechars", WEAK),
        ("🐴" * 9, WEAK),
        ("e\N{COMBINING ACUTE ACCENT}" * 9, WEAK),
        ("x" * 201, TOO_LONG),
        ("🐴" * 201, TOO_LONG),
        ("x" * 1_000_000, TOO_LONG),
    ],
    ids=lambda value: str(value)[:12],
)
def test_password_of_a_wrong_length_is_refused(password: str, expected: UserErrorCode) -> None:
    assert code(password) == expected


@pytest.mark.parametrize(("letters", "expected"), [("éàüñôçïåý", WEAK), ("éàüñôçïåýř", None)])
def test_length_is_counted_in_normalised_characters(letters: str, expected: object) -> None:
    assert code(unicodedata.normalize("NFD", letters)) == expected


def test_too_long_begins_after_200_normalised_characters() -> None:
    longest = "é seven horses drink, " * 9 + "\u1fa2!"
    assert len(longest) == 200
    assert code(longest) is None
    assert code(unicodedata.normalize("NFD", longest)) is None
    assert code(longest + "x") == TOO_LONG


@pytest.mark.parametrize("marks", ["\u0301" * 31, "\u0301\u0327" * 16, "\u0f73" * 31])
def test_long_run_of_marks_is_refused(marks: str) -> None:
    assert code(f"a good one{marks}") == INVALID


@pytest.mark.parametrize("control", [*map(chr, [0, 1, 9, 10, 13, 27, 31, 127, 128, 133, 159])])
@pytest.mark.parametrize("form", ["{}long enough", "long{}enough", "long enough{}"])
def test_control_character_is_refused(control: str, form: str) -> None:
    assert code(form.format(control)) == INVALID


@pytest.mark.parametrize("password", [NAME, NAME.upper(), "zoë strasse-ångström", EMAIL.lower()])
def test_name_or_address_is_refused_in_any_case(password: str) -> None:
    assert code(password) == WEAK


def test_name_is_refused_in_another_form_of_unicode() -> None:
    decomposed = "Zoe\N{COMBINING DIAERESIS} Straße-A\N{COMBINING RING ABOVE}ngstro\u0308m"
    assert decomposed != NAME
    assert normalise_password(decomposed) == NAME
    assert code(decomposed) == WEAK


LIKE = ("victim.person@mail.acme-tools.example", "Victim Person")


@pytest.mark.parametrize(
    "password",
    [
        "Victim Person1",
        "1victim.person",
        "VictimPerson!!",
        "v1ct1m is my name",
        "my person of trust",
        "acme is my employer",
        "working on tools",
        "acmetools forever",
        "gql_app_gql_app",
        "I love gqlapp so much",
        "shopkeeper of Sevilla",
        "the$hopkeeper of Se",
    ],
)
def test_password_with_a_word_of_its_context_is_refused(password: str) -> None:
    email, name = LIKE
    with pytest.raises(InvalidLine, match="your name") as refused:
        check_password(password, email=email, name=name, service="https://shopkeeper.example/")
    assert refused.value.reason == WEAK


@pytest.mark.parametrize(
    ("email", "name"), [("ada@io.com", "Ada Li Woo"), ("a.b.c@x.example", "M. O’B."), ("", "")]
)
def test_words_of_fewer_than_four_letters_may_stand_in_a_password(email: str, name: str) -> None:
    assert code("ada b. woo and io.com, a radar", email=email, name=name) is None


def test_word_that_comes_about_between_two_others_is_none() -> None:
    assert code("correct horse battery staple", name="Thor Orse") == WEAK
    assert code("correct horse battery staple", name="Thor") is None


COMMON = """
1111111111 0987654321 aaaaaaaaaa abcdefghij administrator letmein1234 changeme123 sunshine123
princess123 Password123! P@ssw0rd123 Welcome123! Summer2026! gql_app_gql_app 12345678901
1234567890 qwertyuiop QwertyUiop PASSWORD123 asdfghjkl; zxcvbnm,./ zyxwvutsrq
!@#$%^&*() 1qaz2wsx3edc abcabcabcabc hellohello 121212121212 passwordpassword monkeymonkey1!
2024Autumn! winter2025 Pa$$w0rd!! !!dragon2000 iloveyou123 mypassword1 thepassword 1l0v3y0u!!
password1234567890 000000password jennifer1990 michael#1234 superman!! december2025 footballs1
1234567890password qwertzuiop
"""
BLANKS = "\u2000\u2003\u2006\u3000 \u2009\u2004\u202f\u2001\u205f\u2008\u2002"
"""No repeat and no run, but blank: nobody signs in with it."""


@pytest.mark.parametrize(
    "password", [*COMMON.split(), " " * 12, BLANKS, "z" * 197 + "end", "          x", "k" * 11]
)
def test_common_password_is_refused(password: str) -> None:
    assert code(password) == WEAK


def test_every_common_password_of_the_list_is_refused() -> None:
    listed = [password for password in FREQUENCY_LISTS["passwords"] if len(password) >= 10]
    assert len(listed) > 1000
    assert {code(password) for password in listed} == {WEAK}


def test_thousands_of_common_words_with_what_is_usually_around_them_are_refused() -> None:
    words = [word.capitalize() for word in FREQUENCY_LISTS["passwords"][:2_000] if word.isalpha()]
    forms = ["{}123", "{}1!", "{}2026!", "{}!!", "my{}12345", "!{}007"]
    made = {form.format(word) for form in forms for word in words if len(word) >= 4}
    tried = [password for password in made if len(password) >= 10]
    assert len(tried) > 3_000
    assert {code(password) for password in tried} == {WEAK}


def test_list_is_what_its_script_makes() -> None:
    assert COMMON_PASSWORDS.read_text(encoding="ascii") == common_passwords.text()
    long = [line for line in common_passwords.lines() if len(line) >= 10]
    assert len(common_passwords.lines()) - len(long) > 3_000


# Without a letter of each word of the context, which a generator that reads the code finds.
LETTERS = "".join(each for each in string.ascii_letters if each.casefold() not in "lps")


@given(st.text(LETTERS + string.digits + "-_", min_size=16, max_size=40))
def test_random_password_is_refused_for_no_more_than_what_is_repeated_in_it(password: str) -> None:
    if len(set(password.casefold())) >= 14:
        assert code(password) in {None, WEAK}
        assert code(f"{password} {password[::-1]}") is None


WORDS = "horse battery staple river lantern copper violet marble thunder cactus window pepper"


@given(
    st.lists(st.sampled_from(WORDS.split()), min_size=4, max_size=8, unique=True),
    st.sampled_from([" ", "-", ".", ""]),
)
def test_passphrase_of_four_words_is_accepted(words: list[str], between: str) -> None:
    assert code(between.join(words)) is None


@given(st.text(max_size=300))
def test_whatever_is_typed_is_judged(password: str) -> None:
    assert code(password) is not None or 10 <= len(normalise_password(password)) <= 200


@pytest.mark.parametrize(
    ("typed", "normal"),
    [
        ("e\N{COMBINING ACUTE ACCENT}", "é"),
        ("\N{ANGSTROM SIGN}", "Å"),
        ("\N{LATIN SMALL LIGATURE FI}", "\N{LATIN SMALL LIGATURE FI}"),
    ],
)
def test_password_is_brought_to_its_composed_form(typed: str, normal: str) -> None:
    assert normalise_password(typed) == normal
