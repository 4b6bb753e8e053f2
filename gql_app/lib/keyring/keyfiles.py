"""Key files: one PEM file holds one key, whose type decides its algorithm."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Final

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
from gql_app.lib.keyring.jwk import PrivateKey, PublicKey, thumbprint
from gql_app.lib.keyring.keys import Key, SigningKey

MIN_RSA_BITS: Final = 2048
NEW_RSA_BITS: Final = 3072
"""What NIST SP 800-57 has for the years after 2030."""

_BEGIN: Final = b"-----BEGIN "
_PARAMETERS: Final = b"-----BEGIN EC PARAMETERS-----"
_NO_KEY: Final = "is no EdDSA, ES256 or RS256 key in PEM"


class Algorithm(StrEnum):
    """What keys in files are used with (RFC 7518 section 3.1, RFC 8037 section 3.1)."""

    EDDSA = "EdDSA"
    ES256 = "ES256"
    RS256 = "RS256"


_NEW: Final[Mapping[Algorithm, Callable[[], PrivateKey]]] = {
    Algorithm.EDDSA: ed25519.Ed25519PrivateKey.generate,
    Algorithm.ES256: partial(ec.generate_private_key, ec.SECP256R1()),
    Algorithm.RS256: partial(rsa.generate_private_key, 65537, NEW_RSA_BITS),
}


def read_key(file: Path) -> Key:
    """Return a file's key, with its private half if it is there. Raise CannotStart."""
    atomic_files.require_private(file)
    try:
        pem = file.read_bytes()
        if pem.count(_BEGIN) - pem.count(_PARAMETERS) > 1:
            raise _fault(file, "holds more than one key")
        return _typed_key(file, _loaded(pem))
    except OSError as error:
        raise _fault(file, f"cannot be read: {error.strerror}") from None
    except TypeError:
        raise _fault(file, "is encrypted; keep it unencrypted, for the server alone") from None
    except (ValueError, UnsupportedAlgorithm):
        raise _fault(file, _NO_KEY) from None


def is_short(key: Key) -> bool:
    """Return whether a key is an RSA key of fewer bits than new ones have."""
    return isinstance(key.verifier, rsa.RSAPublicKey) and key.verifier.key_size < NEW_RSA_BITS


def add_key(folder: Path, algorithm: Algorithm) -> Path:
    """Write a new key to a file of its own (PKCS#8), and return the file. Raise OSError."""
    private = _NEW[algorithm]()
    file = folder / f"{algorithm}-{thumbprint(private.public_key())}.pem"
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    atomic_files.create(file, pem)
    return file


def drop_private_half(file: Path) -> None:
    """Replace a key file by its public half. Raise CannotStart or OSError."""
    key = read_key(file)
    if isinstance(key, SigningKey) and not isinstance(key.verifier, bytes):
        pem = key.verifier.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        atomic_files.replace(file, pem)


def _loaded(pem: bytes) -> object:
    """Return a private key, or else a public one. Raise ValueError, or TypeError if encrypted."""
    try:
        return load_pem_private_key(pem, password=None)
    except ValueError:
        return load_pem_public_key(pem)


def _typed_key(file: Path, loaded: object) -> Key:
    """Return a key with the one algorithm of its type (RFC 8725 section 3.1)."""
    if isinstance(
        loaded, ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    ):
        public = loaded.public_key()
        return SigningKey(
            id=thumbprint(public),
            algorithm=_algorithm(file, public),
            verifier=public,
            secret=loaded,
        )
    if isinstance(loaded, ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        return Key(id=thumbprint(loaded), algorithm=_algorithm(file, loaded), verifier=loaded)
    raise _fault(file, _NO_KEY)


def _algorithm(file: Path, key: PublicKey) -> Algorithm:
    if isinstance(key, ed25519.Ed25519PublicKey):
        return Algorithm.EDDSA
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < MIN_RSA_BITS:
            raise _fault(file, f"has {key.key_size} bits; RS256 takes {MIN_RSA_BITS} at least")
        return Algorithm.RS256
    if not isinstance(key.curve, ec.SECP256R1):
        raise _fault(file, f"is on the curve {key.curve.name}; ES256 takes P-256 only")
    return Algorithm.ES256


def _fault(file: Path, words: str) -> CannotStart:
    return CannotStart([f"{file}: {words}"])
