"""A cache of the genuine tokens that were used last."""

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Final, Generic, Protocol, TypeVar

from gql_app.lib import clock
from gql_app.lib.keyring.ring import KeyRing

MAX_TOKENS: Final = 4096
"""Tokens in the cache; the claims of each take some 600 bytes."""
MAX_BYTES: Final = 2 * 1024 * 1024
"""Bytes of the tokens themselves."""


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
    """The genuine tokens that were used last; refused ones are never cached.

    A token is genuine from the moment that it was verified until it expires or its key stops
    verifying: both are checked each time. After the clock was set back, or with another ring, it
    is verified again. The time of a miss reveals nothing, for tokens are found by a keyed hash.
    Whether the session lives is for the database to say.
    """

    def __init__(
        self, decode: Callable[[KeyRing, str], C], *, max_tokens: int = MAX_TOKENS
    ) -> None:
        self._decode = decode
        self._max_tokens = max_tokens
        self._ring: KeyRing | None = None
        self._cached: OrderedDict[str, tuple[C, datetime, datetime]] = OrderedDict()
        """The claims of a token, and from when until when they need no verifying."""
        self._bytes = 0

    def read(self, ring: KeyRing, text: str) -> C:
        """Return a token's claims, as decoding does, and raise what it raises."""
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
        deaths = [key.not_after for key in ring.keys if key.id == claims.key_id and key.not_after]
        self._cached[text] = claims, clock.now(), min([claims.expires_at, *deaths])
        self._bytes += len(text)
        while len(self._cached) > self._max_tokens or self._bytes > MAX_BYTES:
            self._bytes -= len(self._cached.popitem(last=False)[0])
        return claims
