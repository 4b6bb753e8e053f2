"""A cache of verified tokens (LRU)."""

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Final, Generic, Protocol, TypeVar

from gql_app.lib import clock
from gql_app.lib.keyring.ring import KeyRing

MAX_TOKENS: Final = 4096
"""The most tokens in the cache; the claims of each take some 600 bytes."""
MAX_BYTES: Final = 2 * 1024 * 1024
"""The most bytes of the tokens themselves."""


class Expiring(Protocol):
    """The claims of a token that expires."""

    @property
    def expires_at(self) -> datetime:
        """When it expires."""

    @property
    def key_id(self) -> str:
        """The id of the key that verified it."""


C = TypeVar("C", bound=Expiring)


class TokenCache(Generic[C]):
    """The verified tokens that were used last; refused ones are never cached.

    An entry is valid from when the token was verified until it expires or its key stops verifying:
    both are checked each time. After the clock was set back, or with another ring, it is verified
    again. The time of a miss reveals nothing, since Python's hash of a text is keyed. Whether the
    session is still active is checked in the database.
    """

    def __init__(
        self, decode: Callable[[KeyRing, str], C], *, max_tokens: int = MAX_TOKENS
    ) -> None:
        self._decode = decode
        self._max_tokens = max_tokens
        self._ring: KeyRing | None = None
        self._cached: OrderedDict[str, tuple[C, datetime, datetime]] = OrderedDict()
        """The claims of a token, and the times from and until which they need no verifying."""
        self._bytes = 0

    def read(self, ring: KeyRing, text: str) -> C:
        """Return a token's claims, from the cache or decoded; raise what decoding raises."""
        if ring is not self._ring:
            self._cached.clear()
            self._ring, self._bytes = ring, 0
        if text in self._cached:
            claims, since, until = self._cached[text]
            if since <= clock.now() < until:
                self._cached.move_to_end(text)
                return claims
            del self._cached[text]
            self._bytes -= len(text)
        claims = self._decode(ring, text)
        expiries = [key.not_after for key in ring.keys if key.id == claims.key_id and key.not_after]
        self._cached[text] = claims, clock.now(), min([claims.expires_at, *expiries])
        self._bytes += len(text)
        while len(self._cached) > self._max_tokens or self._bytes > MAX_BYTES:
            self._bytes -= len(self._cached.popitem(last=False)[0])
        return claims
