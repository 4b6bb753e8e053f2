"""Public keys in the form that other services take them in: JWK (RFC 7517)."""

import hashlib
import json
from base64 import urlsafe_b64encode
from typing import TypeAlias

from cryptography.hazmat.primitives.asymmetric.ec import (
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

PublicKey: TypeAlias = Ed25519PublicKey | EllipticCurvePublicKey | RSAPublicKey
PrivateKey: TypeAlias = Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey


def public_jwk(key: PublicKey) -> dict[str, str]:
    """Return a public key as a JWK (RFC 7518 section 6, RFC 8037 section 2)."""
    if isinstance(key, Ed25519PublicKey):
        return {"kty": "OKP", "crv": "Ed25519", "x": _b64(key.public_bytes_raw())}
    if isinstance(key, EllipticCurvePublicKey):
        point = key.public_numbers()
        size = (key.curve.key_size + 7) // 8
        x, y = (_b64(number.to_bytes(size)) for number in (point.x, point.y))
        return {"kty": "EC", "crv": "P-256", "x": x, "y": y}
    numbers = key.public_numbers()
    n, e = (_b64(part.to_bytes((part.bit_length() + 7) // 8)) for part in (numbers.n, numbers.e))
    return {"kty": "RSA", "n": n, "e": e}


def thumbprint(key: PublicKey) -> str:
    """Return a public key's thumbprint (RFC 7638), which others derive as well."""
    members = json.dumps(public_jwk(key), sort_keys=True, separators=(",", ":"))
    return _b64(hashlib.sha256(members.encode()).digest())


def _b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
