"""Text: its length and its marks are judged before it is normalised."""

import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gql_app.lib.text import LONGEST_DECOMPOSITION, MAX_MARKS, TextTooLong, TooManyMarks, normalise

LONGEST = 10


@pytest.fixture
def normalised(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Take down how long each text is that is normalised."""
    lengths: list[int] = []
    real: Callable[..., str] = unicodedata.normalize

    def spy(form: str, given: str) -> str:
        lengths.append(len(given))
        return real(form, given)

    monkeypatch.setattr(unicodedata, "normalize", spy)
    return lengths


@pytest.mark.parametrize(
    "given", ["a" * 11, "é" * 11, "a" * 131_072, "\u0301\u0327" * 65_536, "e\u0301" * 11]
)
def test_text_that_is_too_long_is_refused(given: str, normalised: list[int]) -> None:
    with pytest.raises((TextTooLong, TooManyMarks)):
        normalise(given, longest=LONGEST)
    assert all(length <= 4 * LONGEST for length in normalised)


def test_long_run_of_marks_is_refused_before_it_is_normalised(normalised: list[int]) -> None:
    with pytest.raises(TooManyMarks):
        normalise("a" + "\u0301" * (MAX_MARKS + 1), longest=LONGEST)
    assert normalised == []


def test_text_that_fits_only_once_it_is_composed_is_taken() -> None:
    assert normalise("\u03b1\u0313\u0300\u0345" * 10, longest=LONGEST) == "\u1f82" * 10


def test_run_of_marks_that_languages_write_is_taken() -> None:
    assert normalise("a" + "\u0323" * MAX_MARKS, longest=2 * MAX_MARKS)


@given(st.text(max_size=40))
def test_normal_form_is_that_of_unicode(given: str) -> None:
    normal = unicodedata.normalize("NFC", given)
    assert normalise(given, longest=200) == normal
    assert normalise(given, longest=200, form="NFKC") == unicodedata.normalize("NFKC", given)


def test_no_code_point_decomposes_into_more() -> None:
    longest = max(len(unicodedata.normalize("NFD", chr(point))) for point in range(0x110000))
    assert longest == LONGEST_DECOMPOSITION
