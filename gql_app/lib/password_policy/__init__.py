"""The policy for new passwords (NIST SP 800-63B section 3.1.1.2)."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final

from gql_app.lib.text import MAX_MARKS, InvalidLine, TextTooLong, TooManyMarks, normalise

MIN_LENGTH: Final = 10
MAX_LENGTH: Final = 200
PRODUCT: Final = "gql_app"
COMMON_PASSWORDS: Final = Path(__file__).with_name("common_passwords.txt")
"""Common passwords and the words of which they are made, one a line, in lower case."""

_MIN_WORD: Final = 4
"""The fewest letters of a context word that a password may not contain."""
_MAX_EXTRA: Final = 6
"""The most digits and marks around a common word that are ignored."""
_MIN_DISTINCT: Final = 6
"""The fewest characters of a password, where each run counts as one."""
_MIN_RUN: Final = 3
_BEGINNINGS: Final = ("my", "the", "mr", "mrs", "miss", "big", "new", "super", "i", "ilove", "iam")
_ENDINGS: Final = ("s", "er", "es", "man", "boy", "girl", "lover", "love", "one", "me", "you")
_LOOKALIKES: Final = tuple(
    str.maketrans("@4031!$57", f"aaoe{letter}{letter}sst") for letter in "il"
)
"""Digits and marks that are typed for letters, of which 1 and ! are an i or an l."""
_WORD: Final = re.compile(r"[\W_]+")
_KEYS: Final = (
    *("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertz", "yxcvbnm", "azerty"),
    *("1qaz", "2wsx", "3edc", "4rfv", "5tgb", "6yhn", "7ujm", "!@#$%^&*()"),
)
"""Rows and columns of keyboards."""
_RIGHT: Final = frozenset(one + other for row in _KEYS for one, other in pairwise(row))
_LEFT: Final = frozenset(one + other for row in _KEYS for other, one in pairwise(row))


def normalise_password(password: str) -> str:
    """Return a password in NFC, so that every keyboard types the same one.

    Raise TextTooLong or TooManyMarks if it can't be a password.
    """
    return normalise(password, longest=MAX_LENGTH)


def check_password(typed: str, *, email: str, name: str, service: str = PRODUCT) -> str:
    """Return the normal form of a new password. Raise InvalidLine.

    It must be 10 to 200 characters long, must not be common, a repeat or a run, nor contain a word
    of the name, the address or the service's name. There are no rules of composition.
    """
    try:
        password = normalise_password(typed)
    except TextTooLong:
        message = f"Choose a password of at most {MAX_LENGTH} characters."
        raise InvalidLine(message, "TOO_LONG") from None
    except TooManyMarks:
        message = f"A password can hold {MAX_MARKS} combining marks in a row, and no more."
        raise InvalidLine(message) from None
    if not password:
        message = "Choose a password."
        raise InvalidLine(message, "REQUIRED")
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in password):
        message = "A password cannot hold control characters."
        raise InvalidLine(message)
    if weakness := _weakness(password, context=(email, name, service)):
        raise InvalidLine(weakness, "WEAK_PASSWORD")
    return password


def _weakness(password: str, *, context: tuple[str, str, str]) -> str | None:
    folded = password.casefold()
    if len(password) < MIN_LENGTH:
        return f"Choose a password of at least {MIN_LENGTH} characters."
    if _holds_context(folded, *map(str.casefold, context)):
        return "Choose a password without your name, your e-mail address or this service's name."
    unit = _repeated(folded)
    if len(unit) < MIN_LENGTH or _distinct(folded) < _MIN_DISTINCT or folded.isspace():
        return "This password is a repeat or a run of few characters. Choose another."
    if _is_common(unit):
        return "This password is one of the most common. Choose another."
    return None


def _holds_context(folded: str, email: str, name: str, service: str) -> bool:
    """Return whether a word of the address, the name or the service is inside, or all of them."""
    if folded in {email, name}:
        return True
    local, _, domain = email.rpartition("@")
    names = (PRODUCT, service, local, name, *domain.split(".")[:-1])
    words = [word for each in names for word in _WORD.split(each)]
    whole = [_squeezed(each) for each in names if _WORD.search(each)]
    spelt = {folded, *(folded.translate(letters) for letters in _LOOKALIKES)}
    return any(_is_inside(words, form) or _is_inside(whole, _squeezed(form)) for form in spelt)


def _is_inside(words: Iterable[str], form: str) -> bool:
    return any(sum(map(str.isalpha, word)) >= _MIN_WORD and word in form for word in words)


def _squeezed(folded: str) -> str:
    return _WORD.sub("", folded)


def _repeated(folded: str) -> str:
    """Return the shortest prefix that the text is a repetition of, or the text."""
    for period in range(1, len(folded) // 2 + 1):
        if folded[period:] == folded[:-period]:
            return folded[:period]
    return folded


def _distinct(folded: str) -> int:
    """Return the number of characters, each run counted as one: aaa, 4567, cba, qwerty."""
    count, run, steps = 1, 1, frozenset[object]()
    for one, other in pairwise(folded):
        step = _steps(one, other)
        run, steps = (run + 1, steps & step) if steps & step else (1 + bool(step), step)
        count += 1
        if run == _MIN_RUN:
            count -= _MIN_RUN - 1
        elif run > _MIN_RUN:
            count -= 1
    return count


def _steps(one: str, other: str) -> frozenset[object]:
    """Return the runs that a character continues: of code points, or of keys."""
    ways: list[object] = [distance] if abs(distance := ord(other) - ord(one)) <= 1 else []
    ways += ["right"] if one + other in _RIGHT else []
    ways += ["left"] if one + other in _LEFT else []
    return frozenset(ways)


def _is_common(folded: str) -> bool:
    """Return whether a password is on the list, or is a word of the list with common additions."""
    known = _known()
    return folded in known or any(stem in known for core in _cores(folded) for stem in _stems(core))


def _cores(folded: str) -> Iterator[str]:
    """Yield the words that remain once digits and marks are dropped or read as letters."""
    places = [place for place, character in enumerate(folded) if character.isalpha()]
    if not places:
        return
    head, tail = places[0], len(folded) - 1 - places[-1]
    cuts = [
        (before, after)
        for before in range(min(head, _MAX_EXTRA) + 1)
        for after in range(min(tail, _MAX_EXTRA - before) + 1)
    ]
    if max(map(_distinct, (folded[:head], folded[len(folded) - tail :]))) <= _MIN_RUN:
        cuts.append((head, tail))
    for spelling in {folded.translate(letters) for letters in _LOOKALIKES}:
        for before, after in cuts:
            core = spelling[before : len(spelling) - after]
            if core.isalpha():
                yield core


def _stems(core: str) -> Iterator[str]:
    yield core
    yield _repeated(core)
    yield from map(core.removeprefix, _BEGINNINGS)
    yield from map(core.removesuffix, _ENDINGS)


@cache
def _known() -> frozenset[str]:
    """Return the list, which is read when the first password is checked."""
    lines = COMMON_PASSWORDS.read_text(encoding="ascii").splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))
