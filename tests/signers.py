"""A stand-in for a key management service: its key is not exported, and signing may be slow."""

import asyncio
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from tests.security.foundry import pair, public_pem


@dataclass
class KeyService:
    """A remote signer; ES256 signatures are returned in DER, as by key management services."""

    algorithm: str = "ES256"
    key_id: str = "key-of-the-service"
    error: BaseException | None = None
    gate: asyncio.Event | None = None
    """The event that each signature waits for, if there is one."""
    asked: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    """The data to sign so far."""

    @property
    def public_key(self) -> str:
        """The public key in PEM."""
        return public_pem(pair(self.algorithm).public_key()).decode()

    async def sign(self, data: bytes) -> bytes:
        """Return a signature, once the gate is open."""
        self.asked.put_nowait(data)
        if self.gate:
            await self.gate.wait()
        await asyncio.sleep(0)
        if self.error:
            raise self.error
        return self.signature(data)

    def signature(self, data: bytes) -> bytes:
        """Return a signature at once."""
        key = pair(self.algorithm)
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key.sign(data, ec.ECDSA(SHA256()))
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return key.sign(data)
        return key.sign(data, PKCS1v15(), SHA256())
