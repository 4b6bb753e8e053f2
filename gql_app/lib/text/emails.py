"""E-mail addresses: what is one, in which form it is stored, and which are one mailbox."""

from typing import Final

import idna
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from gql_app.lib.text.lines import InvalidLine, check_visible, single_line

MAX_EMAIL: Final = 254
MAX_LOCAL_PART: Final = 64
"""Octets before the @ of an address (RFC 5321 section 4.5.3.1.1)."""
SPECIAL_USE: Final = ("arpa", "invalid", "local", "localhost", "onion", "test")
"""Domains whose addresses are addresses, but of nobody whom mail reaches from everywhere."""

# The validator judges syntax; which of these domains are taken is the operator's to say.
SPECIAL_USE_DOMAIN_NAMES.clear()

_WHAT: Final = "e-mail address"


def email_address(text: str) -> str:
    """Return an address in its normal form. Raises InvalidLine unless it is one that can be seen.

    It is one by its syntax: nobody asks whether mail reaches it.
    """
    address = _by_syntax(text)
    check_visible(address, _WHAT)
    return address


def mailbox_key(typed: str) -> str | None:
    """Return the key of an address, however it is typed; None if it is none by its syntax."""
    try:
        return canonical_email(_by_syntax(typed.strip()))
    except InvalidLine:
        return None


def special_use(address: str) -> str | None:
    """Return the special-use domain that an address is in, None if it is in none."""
    return next((name for name in SPECIAL_USE if is_below(address, name)), None)


def is_below(address: str, domain: str) -> bool:
    """Return whether an address is in a domain, or in one below it."""
    return f".{address.rpartition('@')[2]}".endswith(f".{domain}")


def canonical_email(email: str) -> str:
    """Return the key of the mailbox that an address, as it is stored, belongs to.

    Equal keys are one mailbox: the domain is its A-label in lower case (RFC 5890), the local
    part is lowered letter by letter where that is one letter as well. So ss and ß, final and
    other sigmas, ligatures and their letters stay apart.
    """
    local, _, domain = email.rpartition("@")
    return f"{''.join(map(_lower, local))}@{_a_label(domain)}"


def email_key(email: str) -> str:
    """Return what an address is searched and sorted by: full case folding (Unicode 3.13).

    Two mailboxes may have the same one, as ss and ß are folded alike.
    """
    return email.casefold()


def email_key_of(canonical: str | None) -> str | None:
    """Return the email_key of every address with a canonical_email; of none, None."""
    if canonical is None:
        return None
    local, _, domain = canonical.rpartition("@")
    return email_key(f"{local}@{_u_label(domain)}")


def _by_syntax(text: str) -> str:
    clean = single_line(text, _WHAT, longest=MAX_EMAIL)
    try:
        address = validate_email(clean, check_deliverability=False).normalized
    except EmailNotValidError:
        message = "This is not an e-mail address."
        raise InvalidLine(message) from None
    if len(address.rpartition("@")[0].encode()) > MAX_LOCAL_PART:
        message = f"Before its @ an e-mail address has {MAX_LOCAL_PART} bytes at most."
        raise InvalidLine(message)
    return address


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
    """Return a domain with its A-labels as the U-labels that they mean (RFC 5890)."""
    if "xn--" in domain:
        try:
            return idna.decode(domain)
        except idna.IDNAError:
            pass
    return domain
