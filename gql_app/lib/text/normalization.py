"""Text of clients: its length is judged before any slow function sees it."""

import unicodedata
from itertools import groupby
from typing import Final, Literal

MAX_MARKS: Final = 30
"""Combining marks in a row, as in Unicode's stream-safe text format (UAX 15 section 13)."""
LONGEST_DECOMPOSITION: Final = 4
"""Code points that NFC makes one of at most, so that it shortens a text to a quarter at most."""


class TextTooLong(ValueError):
    """The text has more code points than are accepted, in whatever form."""


class TooManyMarks(ValueError):
    """The text has a longer run of combining marks than any language writes."""


def normalise(text: str, *, longest: int, form: Literal["NFC", "NFKC", "NFKD"] = "NFC") -> str:
    """Return the text in a Unicode normal form (UAX 15), at most `longest` code points of it.

    Raise TextTooLong or TooManyMarks. This is the only caller of unicodedata.normalize, whose
    time grows with the square of a run of combining marks: neither a text that is too long in
    any form nor such a run ever reaches it.
    """
    if text.isascii():
        if len(text) > longest:
            raise TextTooLong
        return text
    if len(text) > LONGEST_DECOMPOSITION * longest:
        raise TextTooLong
    if _longest_run_of_marks(text) > MAX_MARKS:
        raise TooManyMarks
    normal = unicodedata.normalize(form, text)
    if len(normal) > longest:
        raise TextTooLong
    return normal


def printable(text: str, *, keep: str = "") -> str:
    r"""Return the text with what a terminal would obey, and whatever else can't be seen, as \xNN.

    That is all but letters, marks, numbers, punctuation, symbols and the blank; of the rest
    some may be kept.
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in keep else each.encode("unicode_escape").decode()
        for each in text
    )


def _longest_run_of_marks(text: str) -> int:
    # By category, for some of class 0 decompose into marks that have to be put in order.
    runs = groupby(text, lambda character: unicodedata.category(character)[0] == "M")
    return max((sum(1 for _ in run) for is_marks, run in runs if is_marks), default=0)
