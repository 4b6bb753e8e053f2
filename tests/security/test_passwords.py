"""What a good password is."""

import pytest
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from gql_app.errors import UserErrorCode
from gql_app.security.passwords import judge, normalise, too_long

EMAIL = "Ada.Lovelace@example.com"
NAME = "Zoë Straße-Ångström"

REQUIRED = UserErrorCode.REQUIRED
WEAK = UserErrorCode.WEAK_PASSWORD
TOO_LONG = UserErrorCode.TOO_LONG
INVALID = UserErrorCode.INVALID


def code(password: str, *, email: str = EMAIL, name: str = NAME) -> UserErrorCode | None:
    """Judge a password as it was typed: the code, or None if it is good."""
    fault = judge(normalise(password), email=email, name=name)
    assert fault is None or (fault.field == "password" and fault.message)
    return fault.code if fault else None


@pytest.mark.parametrize(
    "password",
    [
        "tenletters",
        "k" * 9 + "!",
        "z" * 197 + "end",
        "correct horse battery 🐴 staple and sixty-four characters in all.",
        "пароль на десять",
        "🐴🔋📎🌈🎲🍋🛶🧭🪁🧩",
        "          x",
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


@pytest.mark.parametrize("length", [10, 200])
def test_length_is_counted_in_normalised_characters(length: int) -> None:
    assert code("e\N{COMBINING ACUTE ACCENT}" * length) is None


def test_too_long_begins_after_200_characters() -> None:
    assert not too_long("🐴" * 200)
    assert too_long("🐴" * 201)


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
    assert normalise(decomposed) == NAME
    assert code(decomposed) == WEAK


def test_password_that_only_holds_the_name_is_accepted() -> None:
    assert code(NAME + "!") is None


@pytest.mark.parametrize("password", ["1234567890", "qwertyuiop", "QwertyUiop", "PASSWORD123"])
def test_common_password_is_refused(password: str) -> None:
    assert code(password) == WEAK


def test_every_common_password_of_the_list_is_refused() -> None:
    listed = [password for password in FREQUENCY_LISTS["passwords"] if len(password) >= 10]
    assert len(listed) > 100
    assert {code(password) for password in listed} == {WEAK}


@pytest.mark.parametrize(
    ("typed", "normal"),
    [
        ("e\N{COMBINING ACUTE ACCENT}", "é"),
        ("\N{ANGSTROM SIGN}", "Å"),
        ("\N{LATIN SMALL LIGATURE FI}", "\N{LATIN SMALL LIGATURE FI}"),
    ],
)
def test_password_is_brought_to_its_composed_form(typed: str, normal: str) -> None:
    assert normalise(typed) == normal
