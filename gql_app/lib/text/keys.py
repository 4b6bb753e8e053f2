"""Keys of text: what names are searched and sorted by, and which addresses are one mailbox."""

from typing import Final

import idna

from gql_app.lib.text.normalization import TextTooLong, TooManyMarks, normalise

MAX_KEY: Final = 1_200
"""Bytes of UTF-8 that a name's key has at most, so that each order's index holds it."""
_LONGEST: Final = 18 * 254
"""Code points of the longest search in NFKC, of which one may become eighteen."""
_DOTLESS: Final = str.maketrans({"\u0131": "i"})


def search_key(typed: str) -> str:
    """Return what a name is searched and sorted by, whatever its case and compatibility form.

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


def canonical_email(email: str) -> str:
    """Return the key of the mailbox that an address, as it is stored, belongs to.

    Equal keys are one mailbox: the domain is its A-label in lower case (RFC 5890), the local
    part is lowered letter by letter where that is one letter as well. So ss and ß, final and
    other sigmas, ligatures and their letters stay apart.
    """
    local, _, domain = email.rpartition("@")
    return f"{''.join(map(_lower, local))}@{_a_label(domain)}"


def unicode_domain(domain: str) -> str:
    """Return a domain with its A-labels as the U-labels that they mean (RFC 5890)."""
    if "xn--" in domain:
        try:
            return idna.decode(domain)
        except idna.IDNAError:
            pass
    return domain


def _compatible(typed: str) -> str:
    return normalise(typed, longest=_LONGEST, form="NFKC")


def _lower(character: str) -> str:
    lower = character.lower()
    return lower if len(lower) == 1 else character


def _a_label(domain: str) -> str:
    if not domain.isascii():
        try:
            return idna.encode(domain, uts46=True).decode().lower()
        except idna.IDNAError:
            pass
    return domain.lower()
