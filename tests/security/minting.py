"""Hand-made tokens of all four algorithms, with signatures made without a JWT library."""

import hmac
import json
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from gql_app.errors import TokenReason, Unauthenticated
from gql_app.lib.keyring import Key, KeyRing
from gql_app.lib.keyring.keys import PrivateKey, thumbprint
from gql_app.security.tokens import decode_token
from tests.security.forging import (
    CLAIMS,
    CUSTOMER,
    HEADER,
    ISSUER,
    RING,
    SECRET,
    Members,
    b64,
    json_object,
)
from tests.security.foundry import ALGORITHMS, pair

ALL = ("HS256", *ALGORITHMS)
ASYMMETRIC = [
    Key(
        id=thumbprint(pair(algorithm).public_key()),
        algorithm=algorithm,
        verifier=pair(algorithm).public_key(),
    )
    for algorithm in ALGORITHMS
]
FULL_RING = KeyRing(RING.signing, [RING.signing, *ASYMMETRIC], SECRET)
KIDS: Mapping[str, str] = {key.algorithm: key.id for key in FULL_RING.keys}


def signature(algorithm: str, message: bytes, key: PrivateKey | None = None) -> bytes:
    """Return a signature by RFC 7518 section 3 or RFC 8037 section 3.1, by a key or the ring's."""
    if algorithm == "HS256":
        return hmac.digest(SECRET, message, "sha256")
    key = key or pair(algorithm)
    if isinstance(key, Ed25519PrivateKey):
        return key.sign(message)
    if isinstance(key, EllipticCurvePrivateKey):
        numbers = decode_dss_signature(key.sign(message, ECDSA(SHA256())))
        return b"".join(number.to_bytes(32) for number in numbers)
    return key.sign(message, PKCS1v15(), SHA256())


def signed_part(algorithm: str, header: Members | None = None) -> str:
    """Return the signing input: a header, valid except for some members, and claims."""
    good = {"alg": json.dumps(algorithm), "kid": json.dumps(KIDS[algorithm])}
    return f"{b64(json_object({**HEADER, **good, **(header or {})}))}.{b64(json_object(CLAIMS))}"


def mint(algorithm: str, header: Members | None = None, *, by: str | None = None) -> str:
    """Return a token that is valid except for the given members, signed by an algorithm."""
    signed = signed_part(algorithm, header)
    return with_signature(signed, signature(by or algorithm, signed.encode()))


def with_signature(signed: str, its_signature: bytes) -> str:
    """Return a token with any signature."""
    return f"{signed}.{b64(its_signature)}"


def outcome(token: str) -> TokenReason | None:
    """Return the reason why the ring of all four keys refuses a token, None if it is valid."""
    try:
        assert decode_token(FULL_RING, ISSUER, token).customer_id == CUSTOMER
    except Unauthenticated as why:
        return why.reason
    return None
