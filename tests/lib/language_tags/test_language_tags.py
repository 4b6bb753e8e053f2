"""Language tags: which are well-formed, their case, what they fall back to, and which is chosen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gql_app.lib.language_tags import (
    MAX_LANGUAGE_TAG,
    language_fallbacks,
    language_tag,
    preferred_language,
)


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("de", "de"),
        ("DE-ch", "de-CH"),
        ("zh-HANT-tw", "zh-Hant-TW"),
        ("es-419", "es-419"),
        ("zh-cmn-hans-cn", "zh-cmn-Hans-CN"),
        ("SL-Rozaj-biske-1994", "sl-rozaj-biske-1994"),
        ("de-de-U-CO-phonebk", "de-DE-u-co-phonebk"),
        ("en-a-bbb-x-a-ccc", "en-a-bbb-x-a-ccc"),
        ("X-Whatever", "x-whatever"),
        ("en-gb-OED", "en-GB-oed"),
        ("I-Klingon", "i-klingon"),
        ("sgn-ch-de", "sgn-CH-DE"),
        ("qaa-Qaaa-QM-x-southern", "qaa-Qaaa-QM-x-southern"),
        ("elvish", "elvish"),
    ],
)
def test_well_formed_tag_is_brought_to_its_usual_case(text: str, tag: str) -> None:
    assert language_tag(text) == tag


@pytest.mark.parametrize(
    "text",
    [
        "",
        "d",
        "zh_TW",
        "de-",
        "-de",
        "de--CH",
        "de-419-DE",
        "a-DE",
        "de-u",
        "de-x",
        "x",
        "de CH",
        "de-CH\n",
        " de",
        "dé",
        "de-Ch\u212a",
        "de\u0660",
        "abcdefghi",
        "en-123456789",
        "i-nowhere",
        "*",
        "en-" + "x-" + "a" * MAX_LANGUAGE_TAG,
        "de" + "-abcde" * 6,
    ],
)
def test_malformed_tag_is_none(text: str) -> None:
    assert language_tag(text) is None


def test_tag_of_the_greatest_length_is_taken() -> None:
    longest = "de-abcde-fghij-klmno-pqrst-uvwxy-zab"[: MAX_LANGUAGE_TAG - 3] + "cde"
    assert len(longest) == MAX_LANGUAGE_TAG
    assert language_tag(longest) == longest
    assert language_tag(f"{longest}f") is None


@pytest.mark.parametrize(
    ("tag", "fallbacks"),
    [
        ("de", ["de"]),
        ("zh-Hant-TW", ["zh-Hant-TW", "zh-Hant", "zh"]),
        ("de-DE-u-co-phonebk", ["de-DE-u-co-phonebk", "de-DE-u-co", "de-DE", "de"]),
        ("x-whatever", ["x-whatever"]),
    ],
)
def test_tag_falls_back_to_what_is_left_of_it(tag: str, fallbacks: list[str]) -> None:
    assert [*language_fallbacks(tag)] == fallbacks


@pytest.mark.parametrize(
    ("header", "tag"),
    [
        ("de-CH,de;q=0.9,en;q=0.8,*;q=0.5", "de-CH"),
        ("en;q=0.8, de-ch", "de-CH"),
        ("fr, de", "fr"),
        ("de;q=0.5 , fr ; q=0.7", "fr"),
        ("en;q=0, fr;q=0.001", "fr"),
        ("en;q=2, fr;q=0.1", "fr"),
        ("en;q=x,de;level=1,fr;q=0.1", "fr"),
        ("zh_TW, es;q=0.1", "es"),
        ("*", None),
        ("en;q=0", None),
        ("", None),
        (";q=1", None),
        ("nonsense of any kind, \x00", None),
        ("*," * 30 + "de", None),
    ],
)
def test_header_prefers_the_first_of_the_highest_weight(header: str, tag: str | None) -> None:
    assert preferred_language(header) == tag


@given(st.text(alphabet="adeqxCH019;=,.*- \t\0é", max_size=80))
def test_no_header_is_an_error_and_what_it_prefers_is_well_formed(header: str) -> None:
    tag = preferred_language(header)
    assert tag is None or language_tag(tag) == tag
