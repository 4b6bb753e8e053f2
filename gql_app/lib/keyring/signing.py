"""Signing of tokens by an external signer, such as a key service (KMS)."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from gql_app.lib.faults import CancellationsAsFaults, CannotStart, DependencyFailed
from gql_app.lib.keyring.keys import Algorithm, Key, public_key
from gql_app.lib.keyring.ring import compact, verifies

SIGNING_TIMEOUT: Final = 5
"""Seconds that a signer has to answer."""
ES256_BYTES: Final = 64
_PARTS: Final = ("key_id", "algorithm", "public_key", "sign")
"""What a Signer has."""


class Signer(Protocol):
    """Signs access tokens with a key that this server never holds, as a key service (KMS) does.

    The configured keys go on verifying. The signer's public key verifies as well, and is published
    at /.well-known/jwks.json.
    """

    @property
    def key_id(self) -> str:
        """The id of the key in tokens (kid); another key must have another one."""

    @property
    def algorithm(self) -> str:
        """EdDSA, ES256 or RS256, according to the key's type."""

    @property
    def public_key(self) -> str | Mapping[str, object]:
        """The public key, as PEM text or as a JWK (RFC 7517)."""

    async def sign(self, data: bytes) -> bytes:
        """Return the signature of some bytes, within SIGNING_TIMEOUT.

        An ES256 signature may be in DER, as key services return it. Any exception is logged, and
        the client is told to try again later.
        """


def signer_key(signer: Signer) -> Key:
    """Return the public key of a signer. Raise CannotStart, with the fault."""
    lacking = [name for name in _PARTS if not hasattr(signer, name)]
    if lacking:
        kind = type(signer).__name__
        raise CannotStart([f"The signer, of the class {kind}, has no {', '.join(lacking)}"])
    if not (signer.key_id and isinstance(signer.key_id, str)):
        raise CannotStart(["The signer's key has no id"])
    try:
        key = public_key(signer.public_key, signer.key_id)
    except ValueError as why:
        raise CannotStart([f"The signer's public key {why}"]) from None
    if key.algorithm != signer.algorithm:
        fault = f"The signer says {signer.algorithm}, but its public key takes {key.algorithm}"
        raise CannotStart([fault])
    return key


async def sign_externally(signer: Signer, key: Key, unsigned: bytes) -> str:
    """Return a token signed by a signer, whose signature was verified.

    Raise DependencyFailed, and log why.
    """
    from gql_app.lib.telemetry import get_logger  # noqa: PLC0415 — as for ReloadingKeyRing

    log = get_logger(__name__)
    try:
        with CancellationsAsFaults():
            async with asyncio.timeout(SIGNING_TIMEOUT):
                signature = _jws_signature(key.algorithm, await signer.sign(unsigned))
        if verifies(key, unsigned, signature):
            return compact(unsigned, signature)
    except Exception as why:
        log.warning("The signer failed", key=key.id, cause=f"{type(why).__name__}: {why}")
        raise DependencyFailed from why
    log.error("What the signer signs does not verify by its public key", key=key.id)
    raise DependencyFailed


def _jws_signature(algorithm: str, signature: bytes) -> bytes:
    """Return a signature in the form of a JWS: ES256 in 64 bytes (RFC 7518 section 3.4).

    Anything that is neither that nor DER is returned as it is, and does not verify.
    """
    if algorithm == Algorithm.ES256 and len(signature) != ES256_BYTES:
        with suppress(ValueError, OverflowError):
            numbers = decode_dss_signature(signature)
            return b"".join(number.to_bytes(ES256_BYTES // 2) for number in numbers)
    return signature
