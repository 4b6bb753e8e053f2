"""Verification of authenticators' responses, by webauthn."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from webauthn import verify_authentication_response, verify_registration_response
from webauthn.helpers import (
    base64url_to_bytes,
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
    parse_cbor,
)
from webauthn.helpers.cose import COSECRV, COSEKTY, COSEAlgorithmIdentifier
from webauthn.helpers.structs import (
    AuthenticationCredential,
    AuthenticatorAssertionResponse,
    AuthenticatorAttestationResponse,
    RegistrationCredential,
)

from gql_app.lib.passkeys.cbor import require_plain, require_plain_authenticator_data
from gql_app.lib.passkeys.credentials import (
    ALGORITHMS,
    base64url,
    credential_id_of,
    parts_of,
    transports_of,
)
from gql_app.lib.passkeys.results import Asserted, InvalidPasskey, Registered

KINDS: Final = {
    (COSEAlgorithmIdentifier.ECDSA_SHA_256, COSEKTY.EC2, COSECRV.P256),
    (COSEAlgorithmIdentifier.EDDSA, COSEKTY.OKP, COSECRV.ED25519),
    (COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256, COSEKTY.RSA, None),
}
"""Algorithm, type and curve of the keys that are accepted (WebAuthn section 5.8.5)."""
MAX_RSA: Final = 512
"""The most bytes of an RSA key's modulus; genuine ones have 256."""
MAX_EXPONENT: Final = 4
"""The most bytes of its exponent: the cost of verifying a signature grows with it."""


def registered(
    credential: object, challenge: bytes, rp_id: str, origins: Sequence[str]
) -> Registered:
    """Return the passkey that an authenticator made. Raise InvalidPasskey."""
    client_data, attestation = parts_of(credential, "attestationObject")
    with _invalid_unless_verified():
        _require_no_attestation(attestation)
        verified = verify_registration_response(
            credential=RegistrationCredential(
                *_ids(credential),
                AuthenticatorAttestationResponse(client_data, attestation),
            ),
            expected_challenge=challenge,
            expected_rp_id=rp_id,
            expected_origin=list(origins),
            supported_pub_key_algs=[COSEAlgorithmIdentifier(each) for each in ALGORITHMS],
        )
        _require_usable(verified.credential_public_key)
        if base64url(verified.credential_id) != credential_id_of(credential):
            message = "the authenticator made a credential of another id"
            raise ValueError(message)
    return Registered(
        base64url(verified.credential_id),
        verified.credential_public_key,
        verified.sign_count,
        verified.user_verified,
        transports_of(credential),
        verified.aaguid,
    )


def asserted(
    credential: object,
    challenge: bytes,
    rp_id: str,
    origins: Sequence[str],
    *,
    public_key: bytes,
    require_user_verification: bool,
) -> Asserted:
    """Return what an authenticator proved. Raise InvalidPasskey.

    The library would compare the counters before the signature, so that a forged response could
    report that one went back.
    """
    client_data, data, signature = parts_of(credential, "authenticatorData", "signature")
    with _invalid_unless_verified():
        require_plain_authenticator_data(data)
        verified = verify_authentication_response(
            credential=AuthenticationCredential(
                *_ids(credential), AuthenticatorAssertionResponse(client_data, data, signature)
            ),
            expected_challenge=challenge,
            expected_rp_id=rp_id,
            expected_origin=list(origins),
            credential_public_key=public_key,
            credential_current_sign_count=0,
            require_user_verification=require_user_verification,
        )
    return Asserted(verified.new_sign_count, verified.user_verified)


@contextmanager
def _invalid_unless_verified() -> Iterator[None]:
    """Raise InvalidPasskey for any exception in the block."""
    try:
        yield
    except Exception as why:  # a library may raise anything for hostile bytes
        raise InvalidPasskey from why


def _ids(credential: object) -> tuple[str, bytes]:
    """Return the id of a credential as text and as bytes. Raise ValueError if it has none."""
    text = credential_id_of(credential)
    if text is None:
        message = "the credential has no id"
        raise ValueError(message)
    return text, base64url_to_bytes(text)


def _require_no_attestation(attestation: bytes) -> None:
    """Raise ValueError or LookupError unless an attestation object is plain, and attests nothing.

    None is requested, and the code for its formats should not be reachable.
    """
    require_plain(attestation)
    members = parse_cbor(attestation)
    if members["fmt"] != "none":
        message = "an attestation that was not asked for"
        raise ValueError(message)
    require_plain_authenticator_data(members["authData"])


def _require_usable(public_key: bytes) -> None:
    """Raise ValueError unless a key is of an accepted kind, and can verify a signature."""
    decoded = decode_credential_public_key(public_key)
    if (decoded.alg, decoded.kty, getattr(decoded, "crv", None)) not in KINDS:
        message = "a key that does not fit its algorithm"
        raise ValueError(message)
    modulus, exponent = getattr(decoded, "n", b""), getattr(decoded, "e", b"")
    if len(modulus) > MAX_RSA or len(exponent) > MAX_EXPONENT:
        message = "a key that costs more than any honest one"
        raise ValueError(message)
    decoded_public_key_to_cryptography(decoded)
