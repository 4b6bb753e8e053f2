"""Keys: what a search takes for the same."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gql_app.lib.text import MAX_KEY, search_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Straße", "STRASSE"),
        ("Σίσυφος", "ΣΊΣΥΦΟΣ"),
        ("e\u0301", "\u00c9"),
        ("ﬁ", "FI"),
        ("İSTANBUL", "istanbul"),
        ("ISPARTA", "ısparta"),
        ("i\u0307pek", "ipek"),
        ("ＡＤＡ", "ada"),
        ("№ 5", "no 5"),
        ("\u212bsa", "åsa"),
    ],
)
def test_a_search_takes_for_the_same_what_differs_in_case_or_compatible_form(
    one: str, other: str
) -> None:
    assert search_key(one) == search_key(other)


@pytest.mark.parametrize(("one", "other"), [("e", "é"), ("o", "ö"), ("l", "ł"), ("i", "ï")])
def test_a_search_keeps_accents(one: str, other: str) -> None:
    assert search_key(one) != search_key(other)


@given(st.text(max_size=254))
@example("\u0301\u0327" * 100)
@example("\ufdfa" * 254)
@example("\U0001f98a" * 400)
@example("\ud800" * 400)
def test_a_search_key_is_its_own_and_bounded(text: str) -> None:
    key = search_key(text)
    assert len(key.encode(errors="ignore")) <= MAX_KEY
    if len(text) <= 200 and len(key) < MAX_KEY // 4:
        assert search_key(key) == key
