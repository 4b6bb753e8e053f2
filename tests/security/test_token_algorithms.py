"""Each key with its one algorithm, and every way to confuse one with another.

RFC 8725 sections 2.1, 3.1 and 3.2; RFC 7515 sections 5.2 and 10.7; RFC 7518 section 3.
"""

import hmac
import json
from itertools import product

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512

from gql_app.errors import TokenReason
from gql_app.lib.clock import LATEST
from gql_app.lib.keyring import KeyRing
from gql_app.lib.keyring.keys import SigningKey
from gql_app.security.tokens import encode_token
from tests.security.forging import (
    CLAIMS,
    CUSTOMER,
    ISSUER,
    NOW_SECONDS,
    SECRET,
    SESSION,
    b64,
    json_object,
)
from tests.security.foundry import ALGORITHMS, SPELLINGS, pair, public_spellings
from tests.security.minting import (
    ALL,
    KIDS,
    mint,
    outcome,
    signature,
    signed_part,
    with_signature,
)

INVALID = TokenReason.TOKEN_INVALID
NONES = ["".join(letters) for letters in product("nN", "oO", "nN", "eE")]
OTHER_NAMES = [
    *("HS384", "HS512", "RS384", "RS512", "PS256", "PS384", "PS512", "ES384", "ES512", "ES256K"),
    *("Ed25519", "Ed448", "eddsa", "hs256", "rs256", "es256", "RSA-OAEP", "dir", "A128KW"),
    *("", " ", "none ", "HS256\0", "__class__"),
]
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493

pytestmark = pytest.mark.usefixtures("stopped_clock")


@pytest.mark.parametrize("algorithm", ALL)
def test_token_made_by_hand_is_good_with_each_algorithm(algorithm: str) -> None:
    assert outcome(mint(algorithm)) is None


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_issued_token_names_the_key_that_signed_it(algorithm: str) -> None:
    private = pair(algorithm)
    key = SigningKey(
        id=KIDS[algorithm], algorithm=algorithm, verifier=private.public_key(), secret=private
    )
    token, claims = encode_token(
        KeyRing(key, [key], SECRET),
        ISSUER,
        customer_id=CUSTOMER,
        session_id=SESSION,
        not_after=LATEST,
    )
    assert claims.key_id == KIDS[algorithm]
    assert outcome(token) is None


@pytest.mark.parametrize("name", [*ALL, *OTHER_NAMES, *NONES])
@pytest.mark.parametrize("algorithm", ALL)
def test_right_signature_under_another_algorithm_s_name_is_invalid(
    algorithm: str, name: str
) -> None:
    """RFC 8725 section 3.1: the header's `alg` chooses nothing."""
    expected = None if name == algorithm else INVALID
    assert outcome(mint(algorithm, {"alg": json.dumps(name)})) == expected


@pytest.mark.parametrize("alg", [None, "null", "1", "true", "[]", '["HS256"]', '{"a":1}'])
@pytest.mark.parametrize("algorithm", ALL)
def test_algorithm_of_a_wrong_type_or_none_is_invalid(algorithm: str, alg: str | None) -> None:
    """RFC 7515 section 4.1.1: `alg` is required, and a string."""
    assert outcome(mint(algorithm, {"alg": alg})) == INVALID


@pytest.mark.parametrize("name", NONES)
@pytest.mark.parametrize("algorithm", ALL)
def test_no_spelling_of_none_gets_by_without_a_signature(algorithm: str, name: str) -> None:
    """RFC 8725 section 2.1, RFC 7518 section 3.6."""
    assert outcome(f"{signed_part(algorithm, {'alg': json.dumps(name)})}.") == INVALID


@pytest.mark.parametrize(
    ("algorithm", "by"), [pair for pair in product(ALL, ALL) if len(set(pair)) > 1]
)
def test_signature_of_another_key_on_the_ring_is_invalid(algorithm: str, by: str) -> None:
    assert outcome(mint(algorithm, by=by)) == INVALID
    assert outcome(mint(algorithm, {"alg": json.dumps(by)}, by=by)) == INVALID


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_signature_of_another_key_of_the_same_algorithm_is_invalid(algorithm: str) -> None:
    signed = signed_part(algorithm)
    forged = signature(algorithm, signed.encode(), pair(algorithm, other=True))
    assert outcome(with_signature(signed, forged)) == INVALID


@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_public_key_as_secret_of_hmac_is_invalid(
    algorithm: str, spelling: str, digest: str
) -> None:
    """RFC 8725 section 2.1: what everybody has must not sign."""
    secret = public_spellings(algorithm)[spelling]
    for alg in (algorithm, f"HS{digest.removeprefix('sha')}"):
        signed = signed_part(algorithm, {"alg": json.dumps(alg)})
        forged = hmac.digest(secret, signed.encode(), digest)
        assert outcome(with_signature(signed, forged)) == INVALID


@pytest.mark.parametrize(
    "change", ["first", "middle", "last", "cut", "longer", "empty", "zeros", "ones"]
)
@pytest.mark.parametrize("algorithm", ALL)
def test_changed_signature_is_invalid(algorithm: str, change: str) -> None:
    """RFC 8725 section 3.3: whatever does not verify refuses the whole token."""
    signed = signed_part(algorithm)
    good = signature(algorithm, signed.encode())
    bad = {
        "first": bytes([good[0] ^ 1]) + good[1:],
        "middle": good[:16] + bytes([good[16] ^ 0x80]) + good[17:],
        "last": good[:-1] + bytes([good[-1] ^ 1]),
        "cut": good[:-1],
        "longer": good + b"\0",
        "empty": b"",
        "zeros": bytes(len(good)),
        "ones": b"\xff" * len(good),
    }[change]
    assert outcome(with_signature(signed, good)) is None
    assert outcome(with_signature(signed, bad)) == INVALID


@pytest.mark.parametrize("algorithm", ALL)
def test_header_and_claims_exchanged_under_a_signature_are_invalid(algorithm: str) -> None:
    _, claims, its_signature = mint(algorithm).split(".")
    header, _, _ = mint(algorithm, {"x": "1"}).split(".")
    assert outcome(f"{header}.{claims}.{its_signature}") == INVALID
    header, _, its_signature = mint(algorithm).split(".")
    claims = b64(json_object({**CLAIMS, "exp": str(NOW_SECONDS + 7200)}))
    assert outcome(f"{header}.{claims}.{its_signature}") == INVALID


def test_es256_signature_in_der_is_invalid() -> None:
    """RFC 7518 section 3.4: it is two numbers of 32 bytes, and nothing around them."""
    key, signed = pair("ES256"), signed_part("ES256")
    assert isinstance(key, EllipticCurvePrivateKey)
    assert outcome(with_signature(signed, key.sign(signed.encode(), ECDSA(SHA256())))) == INVALID


@pytest.mark.parametrize("digest", [SHA384(), SHA512()], ids=["SHA-384", "SHA-512"])
def test_right_key_with_another_digest_is_invalid(digest: SHA384 | SHA512) -> None:
    """RFC 8725 section 3.2: the algorithm is the whole of it, digest included."""
    curve, rsa = pair("ES256"), pair("RS256")
    assert isinstance(curve, EllipticCurvePrivateKey)
    assert isinstance(rsa, RSAPrivateKey)
    numbers = decode_dss_signature(curve.sign(signed_part("ES256").encode(), ECDSA(digest)))
    forged = b"".join(number.to_bytes(32) for number in numbers)
    assert outcome(with_signature(signed_part("ES256"), forged)) == INVALID
    forged = rsa.sign(signed_part("RS256").encode(), PKCS1v15(), digest)
    assert outcome(with_signature(signed_part("RS256"), forged)) == INVALID


def test_rs256_key_takes_no_pss_signature() -> None:
    rsa = pair("RS256")
    assert isinstance(rsa, RSAPrivateKey)
    for name in ("RS256", "PS256"):
        signed = signed_part("RS256", {"alg": json.dumps(name)})
        forged = rsa.sign(signed.encode(), PSS(MGF1(SHA256()), 32), SHA256())
        assert outcome(with_signature(signed, forged)) == INVALID


@pytest.mark.parametrize("numbers", [(0, 0), (0, 1), (1, 0), (P256_ORDER, 1), (1, P256_ORDER)])
def test_es256_signature_of_numbers_out_of_range_is_invalid(numbers: tuple[int, int]) -> None:
    """CVE-2022-21449: zeros once verified everything."""
    forged = b"".join(number.to_bytes(32) for number in numbers)
    assert outcome(with_signature(signed_part("ES256"), forged)) == INVALID


def test_mirrored_es256_signature_says_nothing_else() -> None:
    """ECDSA has two signatures for each; sessions end by the claims, never by the spelling."""
    signed = signed_part("ES256")
    good = signature("ES256", signed.encode())
    mirrored = good[:32] + (P256_ORDER - int.from_bytes(good[32:])).to_bytes(32)
    assert outcome(with_signature(signed, mirrored)) is None


def test_eddsa_signature_has_one_spelling() -> None:
    """RFC 8032 section 5.1.7: the number S is less than the order."""
    signed = signed_part("EdDSA")
    good = signature("EdDSA", signed.encode())
    larger = int.from_bytes(good[32:], "little") + ED25519_ORDER
    forged = good[:32] + larger.to_bytes(32, "little")
    assert outcome(with_signature(signed, forged)) == INVALID


def test_rs256_signature_has_one_spelling() -> None:
    """RFC 8017 section 8.2.2: as long as the modulus, and less than it."""
    rsa, signed = pair("RS256"), signed_part("RS256")
    assert isinstance(rsa, RSAPrivateKey)
    good = signature("RS256", signed.encode())
    assert outcome(with_signature(signed, b"\0" + good)) == INVALID
    larger = int.from_bytes(good) + rsa.public_key().public_numbers().n
    forged = larger.to_bytes(257 if larger >> 2048 else 256)
    assert outcome(with_signature(signed, forged)) == INVALID
