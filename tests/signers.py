"""A stand-in for a key service: its key never leaves it, and it takes its time."""

import asyncio
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from tests.security.foundry import pair, public_pem


@dataclass
class KeyService:
    """Signs elsewhere; an ES256 signature is answered in DER, as key services do."""

    algorithm: str = "ES256"
    key_id: str = "key-of-the-service"
    error: Exception | None = None
    gate: asyncio.Event | None = None
    """What each signature waits for, if there is one."""
    asked: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    """What was to be signed so far."""

    @property
    def public_key(self) -> str:
        """Tell the public half."""
        return public_pem(pair(self.algorithm).public_key()).decode()

    async def sign(self, data: bytes) -> bytes:
        """Sign once the gate is open."""
        self.asked.put_nowait(data)
        if self.gate:
            await self.gate.wait()
        await asyncio.sleep(0)
        if self.error:
            raise self.error
        return self.signature(data)

    def signature(self, data: bytes) -> bytes:
        """Sign at once."""
        key = pair(self.algorithm)
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key.sign(data, ec.ECDSA(SHA256()))
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return key.sign(data)
        return key.sign(data, PKCS1v15(), SHA256())
