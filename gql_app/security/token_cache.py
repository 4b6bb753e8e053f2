"""A cache of verified tokens, so that a signature is verified once."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gql_app.lib import clock
from gql_app.lib.keyring import KeyRing
from gql_app.security.tokens import Claims, Issuer, decode_token

MAX_TOKENS: Final = 4096
"""Tokens in the cache; the claims of each take some 600 bytes."""
MAX_BYTES: Final = 2 * 1024 * 1024
"""Bytes of the tokens themselves."""


@dataclass(frozen=True, slots=True)
class CachedToken:
    """A token's claims, and the time in which they need no verifying."""

    claims: Claims
    since: datetime
    until: datetime


class TokenCache:
    """The genuine tokens that were used last; refused ones are never cached.

    A token is genuine from the moment that it was verified until it expires or its key stops
    verifying: both are checked each time. After the clock was set back, or with another ring, it
    is verified again. The time of a miss reveals nothing, for tokens are found by a keyed hash.
    Whether the session lives is for the database to say.
    """

    def __init__(
        self, issuer: Issuer, *, max_tokens: int = MAX_TOKENS, max_bytes: int = MAX_BYTES
    ) -> None:
        self._issuer = issuer
        self._max_tokens = max_tokens
        self._max_bytes = max_bytes
        self._ring: KeyRing | None = None
        self._cached: OrderedDict[str, CachedToken] = OrderedDict()
        self._bytes = 0

    def read(self, ring: KeyRing, text: str) -> Claims:
        """Return a token's claims, as decode_token does, and raise what it raises."""
        if ring is not self._ring:
            self._cached.clear()
            self._ring, self._bytes = ring, 0
        cached = self._cached.get(text)
        if cached is None:
            return self._verify(ring, text)
        if cached.since <= clock.now() < cached.until:
            self._cached.move_to_end(text)
            return cached.claims
        del self._cached[text]
        self._bytes -= len(text)
        return self._verify(ring, text)

    def _verify(self, ring: KeyRing, text: str) -> Claims:
        claims = decode_token(ring, self._issuer, text)
        deaths = [key.not_after for key in ring.keys if key.id == claims.key_id and key.not_after]
        self._cached[text] = CachedToken(claims, clock.now(), min([claims.expires_at, *deaths]))
        self._bytes += len(text)
        while len(self._cached) > self._max_tokens or self._bytes > self._max_bytes:
            self._bytes -= len(self._cached.popitem(last=False)[0])
        return claims
