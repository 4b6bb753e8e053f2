"""Lines: what is refused of them, and in which words."""

import pytest

from gql_app.lib.text import InvalidLine, counted, phone_number, visible_line


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("  Ada\u2003", "Ada"),
        ("E\u0301lodie", "Élodie"),
        ("x" * 10, "x" * 10),
    ],
)
def test_line_is_trimmed_and_in_nfc(typed: str, line: str) -> None:
    assert visible_line(typed, "name", longest=10) == line


@pytest.mark.parametrize(
    ("typed", "reason", "sentence"),
    [
        ("x" * 11, "TOO_LONG", "The name can be 10 characters long, and no longer."),
        ("", "REQUIRED", "Give the name."),
        (" \u3000", "REQUIRED", "Give the name."),
        ("a\nb", "INVALID", "The name can't hold control characters."),
        ("\ud800", "INVALID", "The name can't hold control characters."),
    ],
)
def test_what_is_no_line_is_refused_in_a_sentence(typed: str, reason: str, sentence: str) -> None:
    with pytest.raises(InvalidLine) as refused:
        visible_line(typed, "name", longest=10)
    assert (refused.value.reason, str(refused.value)) == (reason, sentence)


def test_marks_without_end_are_refused_before_they_are_normalised() -> None:
    with pytest.raises(InvalidLine, match="30 combining marks in a row"):
        visible_line("e" + "\u0301\u0327" * 20, "name", longest=200)


@pytest.mark.parametrize("line", ["Ada", "R2-D2", "न\u094d\u200dय", "Ada 👩\u200d🔬", "❤\ufe0f 1"])
def test_line_that_shows_all_that_it_holds_is_taken(line: str) -> None:
    assert visible_line(line, "name", longest=10) == line


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("Ada\u202e", "invisible"),
        ("A\u200dda", "invisible"),
        ("\u200dAda", "invisible"),
        ("A\ufe0f", "invisible"),
        ("\u3164", "invisible"),
        ("👩\u200d", "invisible"),
        ("...", "needs a letter or a number"),
    ],
)
def test_line_that_hides_something_or_shows_no_letter_is_refused(line: str, why: str) -> None:
    with pytest.raises(InvalidLine, match=why):
        assert visible_line(line, "name", longest=10) == line


@pytest.mark.parametrize(
    "phone", ["5", "+1 555 0100", "(030) 123/45-67", "+1 (5) 0.1-2/3 ext. 12", "555 x7", "1" * 40]
)
def test_a_phone_number_is_kept_as_it_was_typed(phone: str) -> None:
    assert phone_number(f" {phone} ") == phone


@pytest.mark.parametrize(
    ("phone", "reason"),
    [("", "REQUIRED"), ("1" * 41, "TOO_LONG"), ("+", "INVALID"), ("x7", "INVALID")],
)
def test_what_is_no_phone_number_is_refused_with_the_reason(phone: str, reason: str) -> None:
    with pytest.raises(InvalidLine) as refused:
        phone_number(phone)
    assert refused.value.reason == reason


@pytest.mark.parametrize(("number", "told"), [(0, "0 cows"), (1, "1 cow"), (2, "2 cows")])
def test_what_is_counted_is_one_or_many(number: int, told: str) -> None:
    assert counted(number, "cow", "cows") == told
