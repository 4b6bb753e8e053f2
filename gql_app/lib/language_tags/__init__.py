"""Language tags (BCP 47): which are well-formed, their usual case, and what to fall back to."""

import re
from collections.abc import Iterator
from typing import Final

__all__ = ["MAX_LANGUAGE_TAG", "language_fallbacks", "language_tag", "preferred_language"]

MAX_LANGUAGE_TAG: Final = 35
"""The most characters of a tag; every program should hold as many (RFC 5646 section 4.4.1)."""
MAX_ACCEPTED: Final = 20
"""Entries of an Accept-Language header that are read."""
_TAG: Final = re.compile(
    r"""
    (?:
        (?: [a-z]{2,3} (?:-[a-z]{3}){0,3} | [a-z]{4,8} )  # a language, with extensions of it
        (?: -[a-z]{4} )?                                  # a script
        (?: -(?:[a-z]{2}|[0-9]{3}) )?                     # a region
        (?: -(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}) )*        # variants
        (?: -[a-wyz0-9](?:-[a-z0-9]{2,8})+ )*             # extensions
        (?: -x(?:-[a-z0-9]{1,8})+ )?                      # what is private
    )
    | x(?:-[a-z0-9]{1,8})+
    | en-gb-oed
    | i-(?:ami|bnn|default|enochian|hak|klingon|lux|mingo|navajo|pwn|tao|tay|tsu)
    | sgn-(?:be-fr|be-nl|ch-de)
    """,
    re.VERBOSE | re.ASCII,
)
"""The grammar of RFC 5646 section 2.1, with the grandfathered tags, in lower case."""
_WEIGHT: Final = re.compile(r"[ \t]*;[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)", re.ASCII)
"""A weight of RFC 9110 section 12.4.2."""
_SCRIPT: Final = 4
_REGION: Final = 2


def language_tag(text: str) -> str | None:
    """Return a language tag in its usual case (RFC 5646 section 2.1.1), None if it is malformed.

    Its subtags need not be registered; a tag longer than MAX_LANGUAGE_TAG is malformed.
    """
    lowered = text.lower()
    if len(text) > MAX_LANGUAGE_TAG or not text.isascii() or not _TAG.fullmatch(lowered):
        return None
    first, *rest = lowered.split("-")
    written, after_singleton = [first], len(first) == 1
    for subtag in rest:
        written.append(subtag if after_singleton else _cased(subtag))
        after_singleton = after_singleton or len(subtag) == 1
    return "-".join(written)


def language_fallbacks(tag: str) -> Iterator[str]:
    """Yield a language tag and what is left of it, subtag by subtag (RFC 4647 section 3.4)."""
    subtags = tag.split("-")
    while subtags:
        yield "-".join(subtags)
        subtags.pop()
        if subtags and len(subtags[-1]) == 1:
            subtags.pop()


def preferred_language(header: str) -> str | None:
    """Return the language of an Accept-Language header (RFC 9110 section 12.5.4) to choose.

    That is the first of those with the highest weight. Malformed entries, those of weight 0 and
    the asterisk are skipped; None if none is left.
    """
    best: tuple[float, str] | None = None
    for entry in header.split(",", MAX_ACCEPTED)[:MAX_ACCEPTED]:
        name, semicolon, _ = entry.partition(";")
        tag = language_tag(name.strip(" \t"))
        weight = _weight(entry[len(name) :]) if semicolon else 1.0
        if tag and weight > (best[0] if best else 0):
            best = (weight, tag)
    return best[1] if best else None


def _cased(subtag: str) -> str:
    if len(subtag) == _SCRIPT and subtag.isalpha():
        return subtag.title()
    return subtag.upper() if len(subtag) == _REGION else subtag


def _weight(parameter: str) -> float:
    """Return a weight, 0 if it is malformed."""
    found = _WEIGHT.fullmatch(parameter.rstrip(" \t"))
    return float(found[1]) if found else 0
