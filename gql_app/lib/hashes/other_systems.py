"""Password hashes of other systems: passlib, Django, Werkzeug, PHC and crypt(3)."""

import hashlib
import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

MIN_KEY: Final = 16
"""The fewest bytes of a hash: many passwords match a short one."""
MAX_KEY: Final = 64
MIN_BCRYPT_COST: Final = 4
MAX_BCRYPT_COST: Final = 15
BCRYPT_BYTES: Final = 72
"""The most bytes of a password that bcrypt reads."""
MAX_SCRYPT_MIB: Final = 64
MAX_SCRYPT_TIMES: Final = 4
MAX_SCRYPT_LANES: Final = 65_536
"""The most blocks, r times p, that scrypt keeps beside its memory: 8 MiB."""
MAX_PBKDF2_ROUNDS: Final = 2_000_000
MAX_ARGON2_MIB: Final = 256
MAX_ARGON2_PASSES: Final = 10
MAX_ARGON2_LANES: Final = 16
MIN_ARGON2_SALT: Final = 8
INVALID_PARAMETERS: Final = "Its parameters are none that this algorithm can have."
UNKNOWN: Final = (
    "This is no hash that is understood here: bcrypt, scrypt, PBKDF2 or Argon2 as passlib, Django, "
    "Werkzeug and crypt(3) write them. Leave it empty where a new password is to be chosen."
)

Parts = Mapping[str, str]
"""The named groups of one of the forms below."""


class Hash(NamedTuple):
    """A parsed hash."""

    fault: str | None
    """Why its parameters or its cost are not accepted, None if they are."""
    matches: Callable[[bytes], bool]
    """Returns whether it was made of a secret."""


def fault(hashed: str) -> str | None:
    """Return why a hash can't be imported, without any part of it; None if it can."""
    parsed = _parse(hashed)
    return UNKNOWN if parsed is None else parsed.fault


def matches(hashed: str, secrets: Sequence[str]) -> bool:
    """Return whether a hash was made of any of these secrets; False if it can't be imported.

    Raise UnicodeEncodeError.
    """
    parsed = _parse(hashed)
    if parsed is None or parsed.fault:
        return False
    return any(parsed.matches(each.encode()) for each in secrets)


def _parse(hashed: str) -> Hash | None:
    """Return a parsed hash, None if its form is unknown."""
    for algorithm, forms in _FORMS.items():
        for form in forms:
            if found := re.fullmatch(form, hashed, re.ASCII):
                with suppress(ValueError):
                    return algorithm(found.groupdict())
    return None


def _bcrypt(parts: Parts) -> Hash:
    """Return a hash by bcrypt, of a password or, as Django can, of its SHA-256 in hexadecimal."""
    cost = int(parts["cost"])
    fault = None
    if cost < MIN_BCRYPT_COST:
        fault = INVALID_PARAMETERS
    elif cost > MAX_BCRYPT_COST:
        fault = f"It costs 2^{cost}; up to 2^{MAX_BCRYPT_COST} is accepted of bcrypt."

    def matches(secret: bytes) -> bool:
        import bcrypt  # noqa: PLC0415 — only for customers with imported hashes

        if parts["digested"]:
            secret = hashlib.sha256(secret).hexdigest().encode()
        if b"\0" in secret:  # where bcrypt would stop reading
            return False
        return bcrypt.checkpw(secret[:BCRYPT_BYTES], parts["text"].encode())

    return Hash(fault, matches)


def _scrypt(parts: Parts) -> Hash:
    """Return a hash by scrypt (RFC 7914), whose cost is mainly memory; section 2 bounds n."""
    n = 1 << int(parts["log"]) if parts.get("log") else int(parts["n"])
    r, p, salt, key = int(parts["r"]), int(parts["p"]), _salt(parts), _key(parts)
    memory, most = 128 * n * r, MAX_SCRYPT_MIB << 20
    fault = _length_fault(key)
    if n == 1 or n & (n - 1) or n >= 1 << 16 * min(r, 8):
        fault = INVALID_PARAMETERS
    elif memory > most or memory * p > most * MAX_SCRYPT_TIMES:
        fault = (
            f"It takes {memory >> 20} MiB {p} times; up to {MAX_SCRYPT_MIB} MiB "
            f"{MAX_SCRYPT_TIMES} times is accepted of scrypt."
        )
    elif r * p > MAX_SCRYPT_LANES:
        fault = f"Its r times p is {r * p}; up to {MAX_SCRYPT_LANES} is accepted of scrypt."

    def matches(secret: bytes) -> bool:
        needed = 128 * r * (n + p + 2)
        made = hashlib.scrypt(secret, salt=salt, n=n, r=r, p=p, maxmem=needed, dklen=len(key))
        return hmac.compare_digest(made, key)

    return Hash(fault, matches)


def _pbkdf2(parts: Parts) -> Hash:
    """Return a hash by PBKDF2 with HMAC (RFC 8018 section 5.2): each block takes all rounds."""
    digest, rounds = parts["digest"] or "sha1", int(parts["rounds"])
    salt, key = _salt(parts), _key(parts)
    iterations = rounds * -(-len(key) // hashlib.new(digest).digest_size)
    fault = _length_fault(key)
    if iterations > MAX_PBKDF2_ROUNDS:
        fault = (
            f"It takes {iterations} iterations; up to {MAX_PBKDF2_ROUNDS} is accepted of PBKDF2."
        )

    def matches(secret: bytes) -> bool:
        made = hashlib.pbkdf2_hmac(digest, secret, salt, rounds, len(key))
        return hmac.compare_digest(made, key)

    return Hash(fault, matches)


def _argon2(parts: Parts) -> Hash:
    """Return a hash by Argon2 of any variant (RFC 9106 section 3.1), or of the version before."""
    memory, passes, lanes = (int(parts[name]) for name in "mtp")  # KiB of memory
    fault = _length_fault(_key(parts))
    if len(_salt(parts)) < MIN_ARGON2_SALT or memory < 8 * lanes:
        fault = INVALID_PARAMETERS
    elif memory > MAX_ARGON2_MIB << 10 or passes > MAX_ARGON2_PASSES or lanes > MAX_ARGON2_LANES:
        fault = (
            f"It takes {memory >> 10} MiB {passes} times in {lanes} threads; up to "
            f"{MAX_ARGON2_MIB} MiB {MAX_ARGON2_PASSES} times in {MAX_ARGON2_LANES} is accepted of "
            "Argon2."
        )

    def matches(secret: bytes) -> bool:
        with suppress(VerificationError):
            return PasswordHasher().verify(parts["text"], secret)
        return False

    return Hash(fault, matches)


def _length_fault(key: bytes) -> str | None:
    if MIN_KEY <= len(key) <= MAX_KEY:
        return None
    return f"It is {len(key)} bytes long; from {MIN_KEY} to {MAX_KEY} are accepted."


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


_INT: Final = r"[1-9][0-9]{0,9}"
_B64: Final = r"[A-Za-z0-9+/]"
_BYTES: Final = rf"\$(?P<salt>{_B64}{{2,172}})\$(?P<key>{_B64}{{2,172}})"
_DOTTED: Final = _BYTES.replace("+", ".")
_PADDED: Final = rf"\$(?P<key>{_B64}{{2,172}}={{0,2}})"
_HEX: Final = r"\$(?P<hex>(?:[0-9a-f]{2}){1,128})"
_TEXT: Final = r"\$(?P<text_salt>[^$\s]{1,128})"
"""A salt that is used as it is written, not decoded."""
_ROUNDS: Final = rf"(?P<rounds>{_INT})"
_COSTS: Final = rf"\$m=(?P<m>{_INT}),t=(?P<t>{_INT}),p=(?P<p>{_INT})"
_CRYPT: Final = (
    r"(?P<text>\$2[aby]\$(?P<cost>[0-3]\d)\$[./A-Za-z0-9]{21}[.Oeu]"
    r"[./A-Za-z0-9]{30}[.CGKOSWaeimquy26])"
)
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
