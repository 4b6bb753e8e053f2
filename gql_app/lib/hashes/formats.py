"""The written forms of password hashes: passlib, Django, Werkzeug, PHC and crypt(3)."""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from gql_app.lib.hashes.algorithms import Argon2, Bcrypt, Pbkdf2, Scrypt

Hash = Argon2 | Bcrypt | Pbkdf2 | Scrypt
Parts = Mapping[str, str]

UNKNOWN: Final = (
    "This is no hash that is understood here: bcrypt, scrypt, PBKDF2 or Argon2 as passlib, Django, "
    "Werkzeug and crypt(3) write them. Leave it empty where a new password is to be chosen."
)

_INT: Final = r"[1-9][0-9]{0,9}"
_B64: Final = r"[A-Za-z0-9+/]"
_BYTES: Final = rf"\$(?P<salt>{_B64}{{2,172}})\$(?P<key>{_B64}{{2,172}})"
_DOTTED: Final = _BYTES.replace("+", ".")
_PADDED: Final = rf"\$(?P<key>{_B64}{{2,172}}={{0,2}})"
_HEX: Final = r"\$(?P<hex>(?:[0-9a-f]{2}){1,128})"
_TEXT: Final = r"\$(?P<text_salt>[^$\s]{1,128})"
"""A salt that is used as the very text that is written."""
_ROUNDS: Final = rf"(?P<rounds>{_INT})"
_COSTS: Final = rf"\$m=(?P<m>{_INT}),t=(?P<t>{_INT}),p=(?P<p>{_INT})"
_CRYPT: Final = (
    r"(?P<text>\$2[aby]\$(?P<cost>[0-3]\d)\$[./A-Za-z0-9]{21}[.Oeu]"
    r"[./A-Za-z0-9]{30}[.CGKOSWaeimquy26])"
)


def _bcrypt(parts: Parts) -> Hash:
    return Bcrypt(parts["text"], int(parts["cost"]), digested=bool(parts["digested"]))


def _scrypt(parts: Parts) -> Hash:
    n = 1 << int(parts["log"]) if parts.get("log") else int(parts["n"])
    return Scrypt(n, int(parts["r"]), int(parts["p"]), _salt(parts), _key(parts))


def _pbkdf2(parts: Parts) -> Hash:
    digest = parts["digest"] or "sha1"
    return Pbkdf2(digest, int(parts["rounds"]), _salt(parts), _key(parts))


def _argon2(parts: Parts) -> Hash:
    m, t, p = (int(parts[name]) for name in "mtp")
    return Argon2(parts["text"], m, t, p, _salt(parts), _key(parts))


_FORMS: Final[Mapping[Callable[[Parts], Hash], Sequence[str]]] = {
    # crypt(3), whose unused bits are 0, or Django's prefix and that
    _bcrypt: (rf"(?:bcrypt\$|(?P<digested>bcrypt_sha256)\$)?{_CRYPT}",),
    # passlib and PHC, Werkzeug, Django
    _scrypt: (
        rf"\$scrypt\$ln=(?P<log>[1-9]|[1-3]\d),r=(?P<r>{_INT}),p=(?P<p>{_INT}){_BYTES}",
        rf"scrypt:(?P<n>{_INT}):(?P<r>{_INT}):(?P<p>{_INT}){_TEXT}{_HEX}",
        rf"scrypt\$(?P<n>{_INT}){_TEXT}\$(?P<r>{_INT})\$(?P<p>{_INT}){_PADDED}",
    ),
    # passlib, PHC, Werkzeug, Django
    _pbkdf2: (
        rf"\$pbkdf2(?:-(?P<digest>sha256|sha512))?\${_ROUNDS}{_DOTTED}",
        rf"\$pbkdf2-(?P<digest>sha1|sha256|sha512)\$i={_ROUNDS}(?:,l={_INT})?{_BYTES}",
        rf"pbkdf2:(?P<digest>sha1|sha256|sha512):{_ROUNDS}{_TEXT}{_HEX}",
        rf"pbkdf2_(?P<digest>sha1|sha256)\${_ROUNDS}{_TEXT}{_PADDED}",
    ),
    # the reference implementation and PHC, or Django's prefix and that
    _argon2: (rf"(?:argon2)?(?P<text>\$argon2(?:id|i|d)(?:\$v=(?:16|19))?{_COSTS}{_BYTES})",),
}


def parse(hashed: str) -> Hash | None:
    """Return a hash by its form, None if it has none of those that are known."""
    for kind, forms in _FORMS.items():
        for form in forms:
            if found := re.fullmatch(form, hashed, re.ASCII):
                with suppress(ValueError):
                    return kind(found.groupdict())
    return None


def fault(hashed: str) -> str | None:
    """Return why a hash can't be imported, without any part of it; None if it can."""
    parsed = parse(hashed)
    return UNKNOWN if parsed is None else parsed.fault


def matches(hashed: str, secrets: Sequence[str]) -> bool:
    """Return whether a hash was made of any of these; False if it can't be imported.

    Raise UnicodeEncodeError.
    """
    parsed = parse(hashed)
    if parsed is None or parsed.fault:
        return False
    return any(parsed.matches(each.encode()) for each in secrets)


def _salt(parts: Parts) -> bytes:
    text = parts.get("text_salt")
    return text.encode() if text else _base64(parts["salt"])


def _key(parts: Parts) -> bytes:
    written = parts.get("hex")
    return bytes.fromhex(written) if written else _base64(parts["key"])


def _base64(text: str) -> bytes:
    """Return the bytes of base64 in any of the alphabets. Raise ValueError unless canonical."""
    bare = text.rstrip("=").replace(".", "+")
    decoded = b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    if b64encode(decoded).decode().rstrip("=") != bare:
        raise ValueError
    return decoded
