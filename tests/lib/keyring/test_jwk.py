"""Public keys as JWK, against the examples of the standards and another library's reading."""

import json
from base64 import urlsafe_b64decode

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    derive_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from jwt import PyJWK

from gql_app.lib.keyring.keys import public_jwk, thumbprint
from tests.security.foundry import ALGORITHMS, pair, public_pem

RFC_7638_N = (
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPeb"
    "WKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368Q"
    "QMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2"
    "NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
)
RFC_8037_X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"


def number(text: str) -> bytes:
    """Read base64url without padding."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_rsa_key_has_the_thumbprint_of_rfc_7638_section_3_1() -> None:
    key = RSAPublicNumbers(65537, int.from_bytes(number(RFC_7638_N))).public_key()
    assert public_jwk(key) == {"kty": "RSA", "n": RFC_7638_N, "e": "AQAB"}
    assert thumbprint(key) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_ed25519_key_has_the_thumbprint_of_rfc_8037_appendix_a_3() -> None:
    key = Ed25519PublicKey.from_public_bytes(number(RFC_8037_X))
    assert public_jwk(key) == {"kty": "OKP", "crv": "Ed25519", "x": RFC_8037_X}
    assert thumbprint(key) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_coordinates_keep_their_leading_zeros_by_rfc_7518_section_6_2_1_2() -> None:
    short = next(
        key
        for secret in range(1, 5000)
        for key in [derive_private_key(secret, SECP256R1())]
        if min(key.public_key().public_numbers().x, key.public_key().public_numbers().y) >> 248 == 0
    )
    assert isinstance(short, EllipticCurvePrivateKey)
    jwk = public_jwk(short.public_key())
    assert [len(number(jwk[name])) for name in ("x", "y")] == [32, 32]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_another_library_reads_the_same_key_and_no_private_half(algorithm: str) -> None:
    key = pair(algorithm).public_key()
    jwk = public_jwk(key)
    read = PyJWK.from_json(json.dumps(jwk), algorithm).key
    assert public_pem(read) == public_pem(key)
    assert not jwk.keys() & {"d", "p", "q", "dp", "dq", "qi", "k"}
