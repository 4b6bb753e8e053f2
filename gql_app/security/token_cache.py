"""Tokens that were verified lately, so that no signature is paid for twice."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gql_app import clock
from gql_app.lib.keyring.keys import KeyRing
from gql_app.security.tokens import Claims, Issuer, decode_token

MOST: Final = 4096
"""Tokens that are kept; what each says takes some 600 bytes."""
MOST_BYTES: Final = 2 * 1024 * 1024
"""Bytes that these tokens themselves may have."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a token says, and when it says so without being verified anew."""

    claims: Claims
    since: datetime
    until: datetime


class VerifiedTokens:
    """The genuine tokens that came last; of all others nothing is kept.

    What was good at one moment is good from then on, until it expires or its key dies: both
    are looked at each time. Wherever that doesn't hold, as after the clock was set back or
    with another ring, the token is verified anew, so no refusal is ever answered from here.
    The time of a miss tells nothing of the tokens kept, for it is a keyed hash of the whole
    token that finds them. Whether the session lives is for the database to say.
    """

    def __init__(self, issuer: Issuer, *, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self._issuer = issuer
        self._most = most
        self._most_bytes = most_bytes
        self._ring: KeyRing | None = None
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._bytes = 0

    def read(self, ring: KeyRing, text: str) -> Claims:
        """Tell what a token says, as decode_token does, and raise what that raises."""
        if ring is not self._ring:
            self._kept.clear()
            self._ring, self._bytes = ring, 0
        kept = self._kept.get(text)
        if kept is None:
            return self._verify(ring, text)
        if kept.since <= clock.now() < kept.until:
            self._kept.move_to_end(text)
            return kept.claims
        del self._kept[text]
        self._bytes -= len(text)
        return self._verify(ring, text)

    def _verify(self, ring: KeyRing, text: str) -> Claims:
        claims = decode_token(ring, self._issuer, text)
        deaths = [key.not_after for key in ring.keys if key.id == claims.key_id and key.not_after]
        self._kept[text] = Kept(claims, clock.now(), min([claims.expires_at, *deaths]))
        self._bytes += len(text)
        while len(self._kept) > self._most or self._bytes > self._most_bytes:
            self._bytes -= len(self._kept.popitem(last=False)[0])
        return claims
