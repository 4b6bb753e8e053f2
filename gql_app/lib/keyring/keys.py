"""The key ring: the key that signs, and the key that a token's `kid` names."""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Self

from jwt.algorithms import HMACAlgorithm
from jwt.exceptions import InvalidKeyError

from gql_app.lib import atomic_files, clock
from gql_app.lib.faults import CannotStart
from gql_app.lib.keyring.jwk import PrivateKey, PublicKey, public_jwk
from gql_app.lib.keyring.secret_strength import is_pattern

HS256: Final = "HS256"
KEY_ID_BYTES: Final = 9
SECRET_KEY: Final = "GQL_APP_SECRET_KEY"  # noqa: S105 — the variable's name
PUBLISHED: Final = frozenset(
    {
        b"a-string-secret-at-least-256-bits-long",
        b"a-valid-string-secret-that-is-at-least-384-bits-long",
        b"a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
        b"09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
        b"404E635266556A586E3272357538782F413F4428472B4B6250645367566B5970",
        b"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
        (
            b"DO NOT USE THIS VALUE. INSTEAD, CREATE A COMPLEX SECRET AND KEEP IT SAFE OUTSIDE "
            b"OF THE SOURCE CODE."
        ),
        (
            b"THIS IS USED TO SIGN AND VERIFY JWT TOKENS, REPLACE IT WITH YOUR OWN SECRET, IT CAN "
            b"BE ANY STRING"
        ),
    }
)
"""Secrets long enough to pass that stand in manuals and tutorials, where any forger looks."""


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Key:
    """A key that verifies, with the one algorithm it may be used with (RFC 8725 section 3.1)."""

    id: str
    algorithm: str
    verifier: bytes | PublicKey
    not_after: datetime | None = None
    """When a retired key stops verifying."""

    @property
    def alive(self) -> bool:
        """Whether it verifies anything now."""
        return self.not_after is None or clock.now() < self.not_after


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class SigningKey(Key):
    """A key that can sign as well."""

    secret: bytes | PrivateKey


@dataclass(frozen=True, slots=True, repr=False)
class KeyRing:
    """The keys in use: one signs, and a token is verified by the one it names."""

    signing: SigningKey
    keys: Sequence[Key]
    """All that verify, the signing one among them; no two have one id."""
    pepper: bytes
    """What other secrets are derived from; it stays when the signing key changes."""

    @classmethod
    def of_secret(cls, secret: bytes) -> Self:
        """Return the ring of one HS256 key. Raise CannotStart."""
        key = hmac_key(secret)
        return cls(key, [key], secret)

    def find(self, key_id: str) -> Key | None:
        """Return the key that a token's header names, None unless it is on this ring and lives."""
        return next((key for key in self.keys if key.id == key_id and key.alive), None)

    def published(self) -> list[dict[str, str]]:
        """Return the public halves of all keys that verify now, in an order all machines share.

        An HS256 key has no public half (RFC 7517 section 5).
        """
        return [
            {**public_jwk(key.verifier), "use": "sig", "alg": key.algorithm, "kid": key.id}
            for key in sorted(self.keys, key=lambda key: key.id)
            if not isinstance(key.verifier, bytes) and key.alive
        ]

    def derive(self, purpose: str) -> bytes:
        """Return a secret for one purpose, which every process with this pepper shares."""
        label = f"gql_app {purpose}".encode()
        return hmac.new(self.pepper, label, hashlib.sha256).digest()


def hmac_key(secret: bytes, origin: str = SECRET_KEY) -> SigningKey:
    """Return an HS256 key of the very bytes of a secret.

    Raise CannotStart, naming where the secret is from, if the bytes are a PEM, SSH or JWK
    key, which HMAC must not use (RFC 8725 section 2.1), an example that everybody knows, or a
    mere pattern.
    """
    try:
        HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(secret)
    except InvalidKeyError:
        raise CannotStart([f"{origin}: must be random bytes, not a PEM or SSH key"]) from None
    advice = "make one with: openssl rand -base64 48"
    if secret in PUBLISHED:
        raise CannotStart([f"{origin}: is an example that everybody knows; {advice}"])
    if is_pattern(secret):
        raise CannotStart([f"{origin}: repeats itself so much that it can be guessed; {advice}"])
    return SigningKey(id=_key_id(secret), algorithm=HS256, verifier=secret, secret=secret)


def stored_secret(file: Path) -> bytes:
    """Return the secret in a file of mode 0600, which is written first if there is none.

    Processes that start together agree on one secret: the first to link its file wins.
    Raise CannotStart if the file can't be made or read, or if everybody may write to it.
    """
    atomic_files.require_private(file)
    try:
        if not file.exists():
            _store_new_secret(file)
        return file.read_bytes().strip()
    except OSError as error:
        raise CannotStart([f"{file}: cannot keep the secret key here: {error.strerror}"]) from None


def _store_new_secret(file: Path) -> None:
    with suppress(FileExistsError):
        atomic_files.create(file, f"{secrets.token_urlsafe(48)}\n".encode())


def _key_id(secret: bytes) -> str:
    """Return a name that changes with the key and reveals nothing of it (HMAC is one-way)."""
    digest = hmac.new(secret, b"gql_app key id", hashlib.sha256).digest()
    return urlsafe_b64encode(digest[:KEY_ID_BYTES]).decode()
