"""Signing and verifying of tokens, with a key of ours or one that is held elsewhere."""

import asyncio
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Final, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from jwt.algorithms import Algorithm as Verifier

from gql_app.lib.faults import CannotStart, DependencyFailed
from gql_app.lib.keyring.keys import Algorithm, Key, SigningKey, public_key
from gql_app.lib.telemetry import get_logger

SIGNING_TIMEOUT: Final = 5
"""Seconds after which a signer is waited for no longer."""
ES256_BYTES: Final = 64
_log: Final = get_logger(__name__)


class Signer(Protocol):
    """Signs access tokens with a key that never comes here, such as that of a key service (KMS).

    The keys that are set go on verifying. The public half verifies here as well, and is published
    at /.well-known/jwks.json.
    """

    @property
    def key_id(self) -> str:
        """The id by which tokens name the key; another key has another one."""

    @property
    def algorithm(self) -> str:
        """EdDSA, ES256 or RS256, as the key's type has it."""

    @property
    def public_key(self) -> str | Mapping[str, object]:
        """The public half, as PEM text or as a JWK (RFC 7517)."""

    async def sign(self, data: bytes) -> bytes:
        """Return the signature of some bytes, within SIGNING_TIMEOUT.

        An ES256 signature may be in DER, as key services answer it. Whatever it raises is logged,
        and the client is told to try again later.
        """


def signer_key(signer: Signer) -> Key:
    """Return the public half of a signer's key. Raise CannotStart, which says what is wrong."""
    if not signer.key_id:
        raise CannotStart(["The signer's key has no id"])
    try:
        key = public_key(signer.public_key, signer.key_id)
    except ValueError as why:
        raise CannotStart([f"The signer's public key {why}"]) from None
    if key.algorithm != signer.algorithm:
        fault = f"The signer says {signer.algorithm}, but its public key takes {key.algorithm}"
        raise CannotStart([fault])
    return key


def unsigned_token(key: Key, payload: Mapping[str, object], *, typ: str) -> bytes:
    """Return what is signed of a token: its header and payload (RFC 7515 section 5.1)."""
    header = {"alg": key.algorithm, "kid": key.id, "typ": typ}
    parts = (json.dumps(part, separators=(",", ":")).encode() for part in (header, payload))
    return b".".join(map(_base64url, parts))


def sign(key: SigningKey, unsigned: bytes) -> str:
    """Return the token of an unsigned one, in compact form."""
    return _compact(unsigned, _verifier(key.algorithm).sign(unsigned, key.secret))


async def sign_elsewhere(signer: Signer, key: Key, unsigned: bytes) -> str:
    """Return the token of an unsigned one, signed by a signer; its signature verifies.

    Raise DependencyFailed, and log why.
    """
    try:
        async with asyncio.timeout(SIGNING_TIMEOUT):
            signature = _as_jws_has_it(key.algorithm, await signer.sign(unsigned))
        if verifies(key, unsigned, signature):
            return _compact(unsigned, signature)
    except Exception as why:
        _log.warning("The signer failed", key=key.id, cause=f"{type(why).__name__}: {why}")
        raise DependencyFailed from why
    _log.error("What the signer signs does not verify by its public key", key=key.id)
    raise DependencyFailed


def verifies(key: Key, signed: bytes, signature: bytes) -> bool:
    """Return whether a signature is of a key and of these bytes."""
    return _verifier(key.algorithm).verify(signed, key.verifier, signature)


@cache
def _verifier(algorithm: str) -> Verifier:
    """Return what signs and verifies by one algorithm."""
    return jwt.PyJWS(algorithms=[algorithm]).get_algorithm_by_name(algorithm)


def _as_jws_has_it(algorithm: str, signature: bytes) -> bytes:
    """Return a signature as a JWS has it: ES256 in 64 bytes (RFC 7518 section 3.4).

    Whatever is neither that nor DER is returned as it is, and verifies nothing.
    """
    if algorithm == Algorithm.ES256 and len(signature) != ES256_BYTES:
        with suppress(ValueError, OverflowError):
            numbers = decode_dss_signature(signature)
            return b"".join(number.to_bytes(ES256_BYTES // 2) for number in numbers)
    return signature


def _compact(unsigned: bytes, signature: bytes) -> str:
    return f"{unsigned.decode()}.{_base64url(signature).decode()}"


def _base64url(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")
