"""The algorithms of password hashes: the cost that is accepted, and the comparison."""

import hashlib
import hmac
from binascii import hexlify
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

MIN_KEY: Final = 16
"""Bytes that a hash has at least, for one of few bytes is matched by many passwords."""
MAX_KEY: Final = 64
MIN_BCRYPT_COST: Final = 4
MAX_BCRYPT_COST: Final = 15
BCRYPT_BYTES: Final = 72
"""All that bcrypt ever reads of a password."""
MAX_SCRYPT_MIB: Final = 64
MAX_SCRYPT_TIMES: Final = 4
MAX_PBKDF2_ROUNDS: Final = 2_000_000
MAX_ARGON2_MIB: Final = 256
MAX_ARGON2_PASSES: Final = 10
MAX_ARGON2_LANES: Final = 16
MIN_ARGON2_SALT: Final = 8
STRANGE: Final = "Its parameters are none that this algorithm can have."


@dataclass(frozen=True, slots=True)
class Bcrypt:
    """bcrypt, of the password itself or, as Django can, of its SHA-256 in hexadecimal."""

    text: str
    cost: int
    digested: bool

    @property
    def fault(self) -> str | None:
        """Why the cost is not accepted, None if it is."""
        if self.cost < MIN_BCRYPT_COST:
            return STRANGE
        if self.cost <= MAX_BCRYPT_COST:
            return None
        return f"It costs 2^{self.cost}; up to 2^{MAX_BCRYPT_COST} is accepted of bcrypt."

    def matches(self, secret: bytes) -> bool:
        """Return whether it was made of the first 72 bytes; a NUL would end a password."""
        import bcrypt  # noqa: PLC0415 — for customers who were imported with such hashes

        if self.digested:
            secret = hexlify(hashlib.sha256(secret).digest())
        return b"\0" not in secret and bcrypt.checkpw(secret[:BCRYPT_BYTES], self.text.encode())


@dataclass(frozen=True, slots=True)
class Scrypt:
    """scrypt (RFC 7914), whose cost is memory first."""

    n: int
    r: int
    p: int
    salt: bytes
    key: bytes

    @property
    def fault(self) -> str | None:
        """Why the parameters are not accepted (section 2), None if they are."""
        if self.n == 1 or self.n & (self.n - 1) or self.n >= 1 << 16 * min(self.r, 8):
            return STRANGE
        memory, most = 128 * self.n * self.r, MAX_SCRYPT_MIB << 20
        if memory > most or memory * self.p > most * MAX_SCRYPT_TIMES:
            return (
                f"It takes {memory >> 20} MiB {self.p} times; up to {MAX_SCRYPT_MIB} MiB "
                f"{MAX_SCRYPT_TIMES} times is accepted of scrypt."
            )
        return _length_fault(self.key)

    def matches(self, secret: bytes) -> bool:
        """Return whether it was made of this."""
        made = hashlib.scrypt(
            secret,
            salt=self.salt,
            n=self.n,
            r=self.r,
            p=self.p,
            maxmem=128 * self.r * (self.n + self.p + 2),
            dklen=len(self.key),
        )
        return hmac.compare_digest(made, self.key)


@dataclass(frozen=True, slots=True)
class Pbkdf2:
    """PBKDF2 with HMAC (RFC 8018 section 5.2)."""

    digest: str
    rounds: int
    salt: bytes
    key: bytes

    @property
    def fault(self) -> str | None:
        """Why the cost is not accepted, None if it is; each block of the key takes all rounds."""
        blocks = -(-len(self.key) // hashlib.new(self.digest).digest_size)
        if self.rounds * blocks > MAX_PBKDF2_ROUNDS:
            return (
                f"It takes {self.rounds * blocks} iterations; up to {MAX_PBKDF2_ROUNDS} is "
                "accepted of PBKDF2."
            )
        return _length_fault(self.key)

    def matches(self, secret: bytes) -> bool:
        """Return whether it was made of this."""
        made = hashlib.pbkdf2_hmac(self.digest, secret, self.salt, self.rounds, len(self.key))
        return hmac.compare_digest(made, self.key)


@dataclass(frozen=True, slots=True)
class Argon2:
    """Argon2 of any variant (RFC 9106), and of the version before it."""

    text: str
    memory: int
    """KiB, as Argon2 counts."""
    passes: int
    lanes: int
    salt: bytes
    key: bytes

    @property
    def fault(self) -> str | None:
        """Why the parameters are not accepted (section 3.1), None if they are."""
        if len(self.salt) < MIN_ARGON2_SALT or self.memory < 8 * self.lanes:
            return STRANGE
        if (
            self.memory > MAX_ARGON2_MIB << 10
            or self.passes > MAX_ARGON2_PASSES
            or self.lanes > MAX_ARGON2_LANES
        ):
            return (
                f"It takes {self.memory >> 10} MiB {self.passes} times in {self.lanes} threads; up "
                f"to {MAX_ARGON2_MIB} MiB {MAX_ARGON2_PASSES} times in {MAX_ARGON2_LANES} is "
                "accepted of Argon2."
            )
        return _length_fault(self.key)

    def matches(self, secret: bytes) -> bool:
        """Return whether it was made of this, with the parameters of the hash."""
        with suppress(VerificationError):
            return PasswordHasher().verify(self.text, secret)
        return False


def _length_fault(key: bytes) -> str | None:
    if MIN_KEY <= len(key) <= MAX_KEY:
        return None
    return f"It is {len(key)} bytes long; from {MIN_KEY} to {MAX_KEY} are accepted."
