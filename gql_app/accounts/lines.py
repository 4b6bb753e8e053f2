"""Lines of text: what customers write about themselves, in one line that can be seen."""

import unicodedata
from typing import Final

from gql_app.errors import Fault, UserErrorCode
from gql_app.lib.text.normalization import MAX_MARKS, TextTooLong, TooManyMarks, normalise

_BLANKS: Final = " \u00a0\u1680\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
"""All of category Zs."""
_CONTROLS: Final = frozenset({"Cc", "Cs"})
_UNSEEN: Final = frozenset({"Cf", "Zl", "Zp", "Co", "Cn"})
"""Categories of what is not seen, or seen differently everywhere (UAX 44 section 5.7.1)."""
_FILLERS: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Marks, letters and a symbol that are blank."""
_JOINERS: Final = frozenset("\u200c\u200d")
_JOINED: Final = frozenset({"Lo", "Mn", "Mc", "So", "Sk"})
"""Between which joiners change what is seen: letters without case, their marks, and emoji."""
_SELECTORS: Final = frozenset(
    map(chr, (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))
)
_SELECTED: Final = frozenset({"Lo", "Nd", "Po", "Sk", "Sm", "So"})
"""After which variation selectors change what is seen: letters without case, and emoji."""
_VIRAMA: Final = 9
"""The combining class of marks after which a joiner may also end a word (UAX 31 section 2.3)."""


def line(text: str, field: str, what: str, longest: int) -> str | Fault:
    """Return a line of text trimmed and in NFC, or what is wrong with it.

    Its length is that of the normal form, which may be longer than what was typed.
    """
    try:
        clean = normalise(text.strip(_BLANKS), longest=longest)
    except TextTooLong:
        message = f"The {what} can be {longest} characters long, and no longer."
        return Fault(UserErrorCode.TOO_LONG, message, field)
    except TooManyMarks:
        message = f"The {what} can hold {MAX_MARKS} combining marks in a row, and no more."
        return Fault(UserErrorCode.INVALID, message, field)
    if not clean.strip():
        return Fault(UserErrorCode.REQUIRED, f"Give the {what}.", field)
    if any(unicodedata.category(character) in _CONTROLS for character in clean):
        message = f"The {what} can't hold control characters."
        return Fault(UserErrorCode.INVALID, message, field)
    return clean


def visible(clean: str, field: str, what: str) -> str | Fault:
    """Return a line that shows all that it holds, and a letter or a number; or what is wrong."""
    if not all(_is_seen(clean, place) for place in range(len(clean))):
        message = f"The {what} can't hold characters that are invisible or turn text around."
        return Fault(UserErrorCode.INVALID, message, field)
    if not any(unicodedata.category(character)[0] in "LN" for character in clean):
        return Fault(UserErrorCode.INVALID, f"The {what} needs a letter or a number.", field)
    return clean


def _is_seen(text: str, place: int) -> bool:
    character = text[place]
    if character in _JOINERS:
        return _joins(text[:place][-1:], text[place + 1 :][:1])
    if character in _SELECTORS:
        return unicodedata.category(text[:place][-1:] or " ") in _SELECTED
    return character not in _FILLERS and unicodedata.category(character) not in _UNSEEN


def _joins(before: str, after: str) -> bool:
    """Return whether a joiner between these two stands within a word or an emoji."""
    if not before or unicodedata.category(before) not in _JOINED:
        return False
    if unicodedata.combining(before) == _VIRAMA:
        return True
    return bool(after) and unicodedata.category(after) in _JOINED
