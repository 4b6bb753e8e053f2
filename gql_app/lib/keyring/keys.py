"""Keys from a secret or a PEM file, each with the only algorithm that it may be used with."""

import hashlib
import hmac
import json
import secrets
import zlib
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Final, TypeAlias

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from gql_app.lib import atomic_files
from gql_app.lib.faults import CannotStart

PublicKey: TypeAlias = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey
PrivateKey: TypeAlias = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

SECRET_KEY: Final = "GQL_APP_SECRET_KEY"  # noqa: S105 — the variable's name
KEY_ID_BYTES: Final = 9
HS256: Final = "HS256"
PUBLISHED_SECRETS: Final = frozenset(
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
"""Secrets from manuals and tutorials that are long enough to be accepted, and public."""
STRONG_GUESSES: Final = 30
"""Decimal digits of the number of guesses that makes a secret strong: about a hundred bits."""
MIN_RSA_BITS: Final = 2048
NEW_RSA_BITS: Final = 3072
"""Bits of a new RSA key: NIST SP 800-57 has 3072 for the years after 2030."""

_ZXCVBN_READS: Final = 72
"""The most characters that zxcvbn accepts."""
_LEAST_COMPRESSED: Final = 28
"""Bytes to which a good secret compresses at least: 32 random digits take 32, repeats some 20."""
_REQUIRED: Final = ("kty", "crv", "x", "y", "n", "e")
"""The members of a JWK that go into its thumbprint (RFC 7638 section 3.2)."""
_BEGIN: Final = b"-----BEGIN "
_PARAMETERS: Final = b"-----BEGIN EC PARAMETERS-----"


class Algorithm(StrEnum):
    """The algorithms of keys in files (RFC 7518 section 3.1, RFC 8037 section 3.1)."""

    EDDSA = "EdDSA"
    ES256 = "ES256"
    RS256 = "RS256"


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Key:
    """A key that verifies, with its only algorithm (RFC 8725 section 3.1)."""

    id: str
    algorithm: str
    verifier: bytes | PublicKey
    not_after: datetime | None = None
    """When a retired key stops verifying."""


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class SigningKey(Key):
    """A key that can sign as well."""

    secret: bytes | PrivateKey


def hmac_key(secret: bytes, origin: str = SECRET_KEY) -> SigningKey:
    """Return an HS256 key of the bytes of a secret, without decoding them.

    Its id changes with the secret and reveals nothing of it (HMAC is one-way).
    Raise CannotStart, naming the secret's origin, if the bytes are a PEM, SSH or JWK key,
    which HMAC must not use (RFC 8725 section 2.1), a published example, or a repeated
    pattern.
    """
    try:
        jwt.get_algorithm_by_name(HS256).prepare_key(secret)
    except jwt.InvalidKeyError:
        raise CannotStart([f"{origin}: must be random bytes, not a PEM or SSH key"]) from None
    advice = "make one with: openssl rand -base64 48"
    if secret in PUBLISHED_SECRETS:
        raise CannotStart([f"{origin}: is an example that everybody knows; {advice}"])
    if is_pattern(secret):
        raise CannotStart([f"{origin}: repeats itself so much that it can be guessed; {advice}"])
    digest = hmac.digest(secret, b"gql_app key id", "sha256")
    key_id = urlsafe_b64encode(digest[:KEY_ID_BYTES]).decode()
    return SigningKey(id=key_id, algorithm=HS256, verifier=secret, secret=secret)


def verifying_key(secret: bytes, origin: str) -> Key:
    """Return the HS256 key of a secret that verifies only. Raise CannotStart."""
    key = hmac_key(secret, origin)
    return Key(id=key.id, algorithm=key.algorithm, verifier=key.verifier)


def stored_secret(file: Path) -> bytes:
    """Return the secret in a file of mode 0600, which is created with a new one if missing.

    Processes that start together agree on one secret: the first to link its file wins.
    Raise CannotStart if the file can't be created or read, or is world-writable.
    """
    atomic_files.require_private(file)
    try:
        if not file.exists():
            with suppress(FileExistsError):
                atomic_files.create(file, f"{secrets.token_urlsafe(48)}\n".encode())
        return file.read_bytes().strip()
    except OSError as error:
        raise CannotStart([f"{file}: cannot keep the secret key here: {error.strerror}"]) from None


def is_pattern(secret: bytes) -> bool:
    """Return whether a secret is a repetition or a sequence, which zlib compresses to few bytes.

    It takes microseconds, and does not detect words, as guessable() does.
    """
    steps = bytes((after - before) % 256 for before, after in pairwise(secret))
    return min(len(zlib.compress(each, 9)) for each in (secret, steps)) < _LEAST_COMPRESSED


def guessable(secret: bytes) -> bool:
    """Return whether a secret looks like words, dates or a pattern rather than random."""
    from zxcvbn import zxcvbn  # noqa: PLC0415 — a dozen MiB, which servers should not load

    estimate = zxcvbn(secret.decode("latin-1")[:_ZXCVBN_READS])
    return float(estimate["guesses_log10"]) < STRONG_GUESSES


def is_short(key: Key) -> bool:
    """Return whether a key is an RSA key of fewer bits than new ones have."""
    return isinstance(key.verifier, rsa.RSAPublicKey) and key.verifier.key_size < NEW_RSA_BITS


def public_jwk(key: PublicKey) -> dict[str, str]:
    """Return a public key as a JWK with the required members (RFC 7518 section 6, RFC 8037)."""
    jwk = jwt.get_algorithm_by_name(_algorithm(key)).to_jwk(key, as_dict=True)
    return {name: jwk[name] for name in _REQUIRED if name in jwk}


def thumbprint(key: PublicKey) -> str:
    """Return a public key's thumbprint (RFC 7638), which any other program can compute."""
    members = json.dumps(public_jwk(key), sort_keys=True, separators=(",", ":"))
    return urlsafe_b64encode(hashlib.sha256(members.encode()).digest()).rstrip(b"=").decode()


def public_key(source: str | Mapping[str, object], key_id: str) -> Key:
    """Return the key of a PEM text or a JWK (RFC 7517), which verifies only, under a given id.

    Raise ValueError, with the reason, for an unsupported key or one that names another algorithm.
    """
    message = "is no public key of EdDSA, ES256 or RS256, in PEM or as a JWK"
    try:
        if isinstance(source, str):
            key, named = _key(load_pem_public_key(source.encode())), None
        else:
            key, named = _key(jwt.PyJWK(dict(source)).key), source.get("alg")
    except _Unsupported as unsupported:
        message = str(unsupported)
    except (ValueError, TypeError, AttributeError, jwt.PyJWTError, UnsupportedAlgorithm):
        pass
    else:
        if named in (None, key.algorithm):
            return Key(id=key_id, algorithm=key.algorithm, verifier=key.verifier)
    raise ValueError(message)


def published_keys(document: object) -> dict[str, Key]:
    """Return the keys of a JWK Set (RFC 7517 section 5) by their ids, without unsupported ones.

    Raise ValueError if it is no JWK Set.
    """
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        message = "is no JWK Set"
        raise ValueError(message)  # noqa: TRY004 — as for any other text that is none
    keys = {}
    for jwk in listed:
        key_id = jwk.get("kid") if isinstance(jwk, dict) else None
        if isinstance(key_id, str) and jwk.get("use", "sig") == "sig":
            with suppress(ValueError):
                keys[key_id] = public_key(jwk, key_id)
    return keys


class _Unsupported(Exception):
    """A key that is not supported, and why."""


def read_key(file: Path) -> Key:
    """Return a PEM file's key, with the private key if it is there. Raise CannotStart."""
    atomic_files.require_private(file)
    try:
        return _key(_loaded(file.read_bytes()))
    except OSError as error:
        why = f"cannot be read: {error.strerror}"
    except TypeError:
        why = "is encrypted; keep it unencrypted, for the server alone"
    except (ValueError, UnsupportedAlgorithm):
        why = "is no EdDSA, ES256 or RS256 key in PEM"
    except _Unsupported as unsupported:
        why = str(unsupported)
    raise CannotStart([f"{file}: {why}"])


def add_key(folder: Path, algorithm: Algorithm) -> Path:
    """Write a new key to a new file (PKCS#8), and return the file. Raise OSError."""
    private = _NEW[algorithm]()
    file = folder / f"{algorithm}-{thumbprint(private.public_key())}.pem"
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    atomic_files.create(file, pem)
    return file


def drop_private_half(file: Path) -> None:
    """Replace a key file, or that which a link leads to, by its public key.

    Raise CannotStart or OSError.
    """
    key = read_key(file)
    if isinstance(key, SigningKey) and not isinstance(key.verifier, bytes):
        pem = key.verifier.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        atomic_files.replace(file.resolve(), pem)


def _loaded(pem: bytes) -> object:
    """Return a private or public key. Raise _Unsupported, ValueError, TypeError if encrypted."""
    if pem.count(_BEGIN) - pem.count(_PARAMETERS) > 1:
        what = "holds more than one key"
        raise _Unsupported(what)
    try:
        return load_pem_private_key(pem, password=None)
    except ValueError:
        return load_pem_public_key(pem)


def _key(loaded: object) -> Key:
    """Return a loaded key with the algorithm of its type. Raise ValueError or _Unsupported."""
    if isinstance(loaded, PrivateKey):
        public = _key(loaded.public_key())
        return SigningKey(
            id=public.id, algorithm=public.algorithm, verifier=public.verifier, secret=loaded
        )
    if isinstance(loaded, PublicKey):
        return Key(id=thumbprint(loaded), algorithm=_algorithm(loaded), verifier=loaded)
    raise ValueError


def _algorithm(key: PublicKey) -> Algorithm:
    """Return the only algorithm of a key's type (RFC 8725 section 3.1). Raise _Unsupported."""
    if isinstance(key, ed25519.Ed25519PublicKey):
        return Algorithm.EDDSA
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < MIN_RSA_BITS:
            short = f"has {key.key_size} bits; RS256 takes {MIN_RSA_BITS} at least"
            raise _Unsupported(short)
        return Algorithm.RS256
    if not isinstance(key.curve, ec.SECP256R1):
        other = f"is on the curve {key.curve.name}; ES256 takes P-256 only"
        raise _Unsupported(other)
    return Algorithm.ES256


_NEW: Final[Mapping[Algorithm, Callable[[], PrivateKey]]] = {
    Algorithm.EDDSA: ed25519.Ed25519PrivateKey.generate,
    Algorithm.ES256: partial(ec.generate_private_key, ec.SECP256R1()),
    Algorithm.RS256: partial(rsa.generate_private_key, 65537, NEW_RSA_BITS),
}
