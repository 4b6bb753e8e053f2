"""Text from clients: its length is bounded first, then it is normalised, validated and folded.

In this order: normal forms, lines, e-mail addresses, keys of names.
"""

import re
import unicodedata
from collections.abc import Collection
from contextlib import suppress
from itertools import groupby
from typing import Final, Literal

import idna
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

MAX_MARKS: Final = 30
"""Combining marks in a row, as in Unicode's stream-safe text format (UAX 15 section 13)."""
LONGEST_DECOMPOSITION: Final = 4
"""The most code points that NFC composes to one, so that a text shrinks to a quarter at most."""
MAX_PHONE: Final = 40
"""Characters of a phone number."""
_PHONE: Final = re.compile(r"\+?[0-9 ().\-/]*[0-9][ )]*((x|ext\.?) ?[0-9]+)?", re.ASCII)
_BLANKS: Final = " \u00a0\u1680\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
"""All of category Zs."""
_CONTROLS: Final = frozenset({"Cc", "Cs"})
_UNSEEN: Final = frozenset({"Cf", "Zl", "Zp", "Co", "Cn"})
"""Categories of characters without a visible or a common form (UAX 44 section 5.7.1)."""
_FILLERS: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Marks, letters and a symbol that are blank."""
_JOINERS: Final = frozenset("\u200c\u200d")
_JOINED: Final = frozenset({"Lo", "Mn", "Mc", "So", "Sk"})
"""Categories between which joiners are visible: letters without case, their marks, and emoji."""
_SELECTORS: Final = frozenset(
    map(chr, (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))
)
_SELECTED: Final = frozenset({"Lo", "Nd", "Po", "Sk", "Sm", "So"})
"""Categories after which variation selectors are visible: letters without case, and emoji."""
_VIRAMA: Final = 9
"""The combining class of marks after which a joiner may also end a word (UAX 31 section 2.3)."""
MAX_EMAIL: Final = 254
MAX_LOCAL_PART: Final = 64
"""Octets before the @ of an address (RFC 5321 section 4.5.3.1.1)."""
ENCODED_WORD: Final = "=?"
"""The beginning of an encoded word: in an address it may be read as another one (RFC 2047)."""
SPECIAL_USE: Final = ("arpa", "invalid", "local", "localhost", "onion", "test")
"""Special-use domains: their addresses are valid, but get no mail from the public internet."""
_WHAT: Final = "e-mail address"
MAX_KEY: Final = 1_200
"""The most bytes of UTF-8 of a name's key, so that each order's index holds it."""
_LONGEST: Final = 18 * 254
"""Code points of the longest search in NFKC, which may turn one into eighteen."""
_DOTLESS: Final = str.maketrans({"\u0131": "i"})

# The validator checks syntax alone; the operator decides which of these domains to accept.
SPECIAL_USE_DOMAIN_NAMES.clear()


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
    # By category, as some of class 0 decompose into marks that have to be put in order.
    runs = groupby(text, lambda character: unicodedata.category(character)[0] == "M")
    if max((sum(1 for _ in run) for is_marks, run in runs if is_marks), default=0) > MAX_MARKS:
        raise TooManyMarks
    normal = unicodedata.normalize(form, text)
    if len(normal) > longest:
        raise TextTooLong
    return normal


def counted(number: int, one: str, many: str) -> str:
    """Return a number and what there is so many of: `one` for 1, else `many`."""
    return f"{number} {one if number == 1 else many}"


def printable(text: str, *, keep: str = "") -> str:
    r"""Return the text with control characters, and all others that are invisible, as \xNN.

    All are escaped but letters, marks, numbers, punctuation, symbols, the blank, and those
    in `keep`.
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in keep else each.encode("unicode_escape").decode()
        for each in text
    )


class InvalidLine(ValueError):
    """The text is not an acceptable line; the message is a sentence for the person who typed it."""

    def __init__(self, message: str, reason: str = "INVALID") -> None:
        super().__init__(message)
        self.message: Final = message
        self.reason: Final = reason
        """Why, in a word for programs: INVALID, REQUIRED, TOO_LONG or WEAK_PASSWORD."""


def visible_line(text: str, what: str, *, longest: int) -> str:
    """Return a line of text trimmed and in NFC, at most `longest` code points.

    Its length is that of the normal form, which may be longer than the typed text. All of it is
    visible, and it has a letter or a number. Raises InvalidLine, whose message says what the line
    is, such as "name".
    """
    return _visible(_single_line(text, what, longest=longest), what)


def _single_line(text: str, what: str, *, longest: int) -> str:
    """Return a line trimmed and in NFC, without control characters. Raises InvalidLine."""
    try:
        clean = normalise(text.strip(_BLANKS), longest=longest)
    except TextTooLong:
        message = f"The {what} can be {longest} characters long, and no longer."
        raise InvalidLine(message, "TOO_LONG") from None
    except TooManyMarks:
        message = f"The {what} can hold {MAX_MARKS} combining marks in a row, and no more."
        raise InvalidLine(message) from None
    if not clean.strip():
        message = f"Give the {what}."
        raise InvalidLine(message, "REQUIRED")
    if any(unicodedata.category(character) in _CONTROLS for character in clean):
        message = f"The {what} can't hold control characters."
        raise InvalidLine(message)
    return clean


def _visible(line: str, what: str) -> str:
    """Return a line. Raises InvalidLine unless all is visible, with a letter or a number."""
    if not all(_is_seen(line, place) for place in range(len(line))):
        message = f"The {what} can't hold characters that are invisible or turn text around."
        raise InvalidLine(message)
    if not any(unicodedata.category(character)[0] in "LN" for character in line):
        message = f"The {what} needs a letter or a number."
        raise InvalidLine(message)
    return line


def phone_number(text: str) -> str:
    """Return a phone number as it was typed, trimmed. Raises InvalidLine unless it is one."""
    phone = _single_line(text, "phone number", longest=MAX_PHONE)
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


def email_address(text: str) -> str:
    """Return an address in its normal form. Raises InvalidLine unless it is valid and visible.

    Its syntax alone is checked, not whether mail can be delivered.
    """
    return _visible(_by_syntax(text), _WHAT)


def mailbox_key(typed: str) -> str | None:
    """Return the canonical_email of a typed address; None if its syntax is invalid."""
    try:
        return canonical_email(_by_syntax(typed.strip()))
    except InvalidLine:
        return None


def special_use(address: str, accepted: Collection[str] = ()) -> str | None:
    """Return the special-use domain that an address is in, None if it is in none.

    None as well if it is in a domain that is accepted nevertheless, or in one below it.
    """
    below = f".{address.rpartition('@')[2]}"
    if any(below.endswith(f".{domain}") for domain in accepted):
        return None
    return next((name for name in SPECIAL_USE if below.endswith(f".{name}")), None)


def canonical_email(email: str) -> str:
    """Return the key of the mailbox that an address, as it is stored, belongs to.

    Equal keys are one mailbox: the domain is its A-label in lower case (RFC 5890), the local
    part is lowered letter by letter where that is one letter as well. So ss and ß, final and
    other sigmas, ligatures and their letters stay apart.
    """
    local, _, domain = email.rpartition("@")
    return f"{''.join(map(_lower, local))}@{a_label(domain).lower()}"


def email_key(email: str) -> str:
    """Return the key that an address is searched and sorted by: full case folding (Unicode 3.13).

    Two mailboxes may have the same key, because ss and ß fold to the same.
    """
    return email.casefold()


def email_key_of(canonical: str | None) -> str | None:
    """Return the email_key that all addresses with a canonical_email have; None for None."""
    if canonical is None:
        return None
    local, _, domain = canonical.rpartition("@")
    return email_key(f"{local}@{_u_label(domain)}")


def _by_syntax(text: str) -> str:
    clean = _single_line(text, _WHAT, longest=MAX_EMAIL)
    address = ""
    if ENCODED_WORD not in clean:
        with suppress(EmailNotValidError):
            address = validate_email(clean, check_deliverability=False).normalized
    if not address:
        message = "This is not an e-mail address."
        raise InvalidLine(message)
    if len(address.rpartition("@")[0].encode()) > MAX_LOCAL_PART:
        message = f"Before its @ an e-mail address has {MAX_LOCAL_PART} bytes at most."
        raise InvalidLine(message)
    return address


def _lower(character: str) -> str:
    lower = character.lower()
    return lower if len(lower) == 1 else character


def a_label(domain: str) -> str:
    """Return a domain as its A-labels (RFC 5891), or as it is if it has none."""
    if not domain.isascii():
        with suppress(idna.IDNAError):
            return idna.encode(domain, uts46=True).decode()
    return domain


def _u_label(domain: str) -> str:
    """Return a domain with its A-labels decoded to U-labels (RFC 5890)."""
    if "xn--" in domain:
        with suppress(idna.IDNAError):
            return idna.decode(domain)
    return domain


def search_key(typed: str) -> str:
    """Return the key that a name is searched and sorted by, in any case and compatibility form.

    That is NFKC (UAX 15) and full case folding (Unicode 3.13), with the dotted and the dotless
    i of Turkish as one letter; accents are kept. It is cut to MAX_KEY bytes.
    """
    if typed.isascii():
        folded = typed.casefold()
    else:
        try:
            folded = _compatible(_compatible(typed).casefold())
            folded = _compatible(folded.replace("i\u0307", "i").translate(_DOTLESS))
        except (TextTooLong, TooManyMarks):
            folded = typed.casefold()
    if len(folded) <= MAX_KEY // 4:
        return folded
    return folded.encode(errors="ignore")[:MAX_KEY].decode(errors="ignore")


def _compatible(typed: str) -> str:
    return normalise(typed, longest=_LONGEST, form="NFKC")
