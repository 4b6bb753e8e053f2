"""Challenges that are dated and signed, so that none has to be stored before it is answered."""

import hmac
import secrets
from datetime import UTC, datetime, timedelta
from typing import Final

LIFETIME: Final = timedelta(minutes=5)
"""How long a challenge can be answered."""
AHEAD: Final = timedelta(minutes=1)
"""How far the clocks of servers that share a key may differ."""
RANDOM_BYTES: Final = 16
TIME_BYTES: Final = 8
UNSIGNED_BYTES: Final = RANDOM_BYTES + TIME_BYTES


class Challenges:
    """Makes challenges, and recognises its own by a key that all servers share."""

    def __init__(self, key: bytes) -> None:
        """Take a key of at least 32 random bytes, which signs nothing else."""
        self._key: Final = key

    def new(self, purpose: str, *, now: datetime) -> bytes:
        """Return a new challenge. Its purpose is signed, and can't be read from it."""
        seconds = int(now.timestamp()).to_bytes(TIME_BYTES)
        unsigned = secrets.token_bytes(RANDOM_BYTES) + seconds
        return unsigned + self._signature(unsigned, purpose)

    def expires_at(self, challenge: bytes, purpose: str, *, now: datetime) -> datetime | None:
        """Return when a challenge expires, None if it has, or was not made here for this purpose.

        The caller makes sure that it is used once, by storing it until it expires.
        """
        unsigned, signature = challenge[:UNSIGNED_BYTES], challenge[UNSIGNED_BYTES:]
        if not hmac.compare_digest(signature, self._signature(unsigned, purpose)):
            return None
        made_at = datetime.fromtimestamp(int.from_bytes(unsigned[RANDOM_BYTES:]), UTC)
        ends_at = made_at + LIFETIME
        return ends_at if made_at - AHEAD <= now < ends_at else None

    def _signature(self, unsigned: bytes, purpose: str) -> bytes:
        """Return the HMAC of a purpose and a challenge, whose fixed length keeps the two apart."""
        return hmac.digest(self._key, purpose.encode() + unsigned, "sha256")
