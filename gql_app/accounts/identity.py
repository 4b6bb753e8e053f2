"""Identity: which addresses are one mailbox, and by what names and addresses are searched.

An address has two keys: `email_canonical` is the key of its mailbox, `email_key` is what lists
sort and search by. Servers of the version before know `email_key` alone, by which they find
customers and keep them apart, and may run beside this version during an upgrade. So this one
writes both keys and looks up by both, and the address that is stored decides whose it is.
Two addresses that differ in `email_canonical` alone, as ss and ß do, can't both be taken until
`email_key` is no longer unique, a release later.
"""

from collections.abc import Iterable
from typing import Final, Protocol, TypeVar

import idna

from gql_app.lib.text import normalization
from gql_app.lib.text.normalization import TextTooLong, TooManyMarks

MAX_KEY: Final = 1_200
"""Bytes of UTF-8 that a name's key has at most, so that each order's index holds it."""
_LONGEST: Final = 18 * 254
"""Code points of the longest search in NFKC, of which one may become eighteen."""
_DOTLESS: Final = str.maketrans({"\u0131": "i"})


class _Addressed(Protocol):
    """Whatever has an address."""

    @property
    def email(self) -> str: ...


_T = TypeVar("_T", bound=_Addressed)


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


def email_key(email: str) -> str:
    """Return what an address is sorted and searched by, and was told apart by before: casefold."""
    return email.casefold()


def former_key(canonical: str | None) -> str | None:
    """Return the email_key of every address of a canonical key; of none, None."""
    if canonical is None:
        return None
    local, _, domain = canonical.rpartition("@")
    return email_key(f"{local}@{_u_label(domain)}")


def email_keys(email: str) -> dict[str, str]:
    """Return both keys of an address that is to be stored, by their columns."""
    return {"email_key": email_key(email), "email_canonical": canonical_email(email)}


def owner(found: Iterable[_T], canonical: str | None) -> _T | None:
    """Return whose an address is, among those whom either of its keys finds.

    A key may be of an address that a server of the version before has changed since.
    """
    return next((each for each in found if canonical_email(each.email) == canonical), None)


def _compatible(typed: str) -> str:
    return normalization.normalise(typed, longest=_LONGEST, form="NFKC")


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


def _u_label(domain: str) -> str:
    if "xn--" in domain:
        try:
            return idna.decode(domain)
        except idna.IDNAError:
            pass
    return domain
