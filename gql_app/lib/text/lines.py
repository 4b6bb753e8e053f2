"""Lines of text: what people write about themselves, in one line that can be seen."""

import re
import unicodedata
from typing import ClassVar, Final

from gql_app.lib.text.normalization import MAX_MARKS, TextTooLong, TooManyMarks, normalise

MAX_PHONE: Final = 40
"""Characters of a phone number."""
_PHONE: Final = re.compile(r"\+?[0-9 ().\-/]*[0-9][ )]*((x|ext\.?) ?[0-9]+)?", re.ASCII)
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


class InvalidLine(ValueError):
    """The text is no line that is accepted; str() of it is a sentence for whoever wrote it."""

    reason: ClassVar[str] = "INVALID"
    """Why, in a word for programs."""


class EmptyLine(InvalidLine):
    """There is nothing in the line."""

    reason = "REQUIRED"


class LineTooLong(InvalidLine):
    """The line has more code points than are accepted."""

    reason = "TOO_LONG"


def single_line(text: str, what: str, *, longest: int) -> str:
    """Return a line of text trimmed and in NFC, at most `longest` code points.

    Its length is that of the normal form, which may be longer than what was typed. Raises
    InvalidLine, whose sentence says what the line is, such as "name".
    """
    try:
        clean = normalise(text.strip(_BLANKS), longest=longest)
    except TextTooLong:
        message = f"The {what} can be {longest} characters long, and no longer."
        raise LineTooLong(message) from None
    except TooManyMarks:
        message = f"The {what} can hold {MAX_MARKS} combining marks in a row, and no more."
        raise InvalidLine(message) from None
    if not clean.strip():
        message = f"Give the {what}."
        raise EmptyLine(message)
    if any(unicodedata.category(character) in _CONTROLS for character in clean):
        message = f"The {what} can't hold control characters."
        raise InvalidLine(message)
    return clean


def check_visible(line: str, what: str) -> None:
    """Raise InvalidLine unless a line shows all that it holds, and a letter or a number."""
    if not all(_is_seen(line, place) for place in range(len(line))):
        message = f"The {what} can't hold characters that are invisible or turn text around."
        raise InvalidLine(message)
    if not any(unicodedata.category(character)[0] in "LN" for character in line):
        message = f"The {what} needs a letter or a number."
        raise InvalidLine(message)


def phone_number(text: str) -> str:
    """Return a phone number as it was typed, trimmed. Raises InvalidLine unless it is one."""
    phone = single_line(text, "phone number", longest=MAX_PHONE)
    if not _PHONE.fullmatch(phone):
        message = "This is not a phone number."
        raise InvalidLine(message)
    return phone


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
