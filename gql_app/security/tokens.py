"""Tokens: access tokens, their cache, and the opaque ones that are good for one use.

The access token is a JWT (RFC 7519) of the profile for access tokens (RFC 9068). A refresh token
and a reset link's are 256 random bits, of which the database holds the digest.
"""

import hashlib
import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Final
from uuid import UUID

import jwt
from jwt.algorithms import Algorithm

from gql_app.errors import KeysGone, TokenExpired, TokenInvalid, TokenMalformed
from gql_app.lib import clock
from gql_app.lib.keyring import DuplicateMember, Key, KeyRing, MalformedToken, parse_compact

MAX_TOKEN_BYTES: Final = 8 * 1024
LONGEST_LIFE: Final = 24 * 3600
"""Seconds from `iat` to `exp` that are allowed, or those of the settings if they are more.

Tokens that were issued before the setting was lowered, or by another service that has the secret,
need not fit it to the second. A token whose `exp` is before its `iat` has expired, or is about to.
"""
CLOCK_LEEWAY: Final = 60
"""Seconds that another machine's clock may be ahead; none for `exp`."""
MAX_TOKENS: Final = 4096
"""Tokens in the cache; the claims of each take some 600 bytes."""
MAX_BYTES: Final = 2 * 1024 * 1024
"""Bytes of the tokens themselves."""
REFRESH: Final = "gar_"
"""The prefix of a refresh token, by which scanners recognise a leaked one."""
RESET: Final = "gap_"
"""The prefix of a token that resets a password."""
SECRET_BYTES: Final = 32
_SHAPE: Final = re.compile(r"[\w-]{43}", re.ASCII)
_TYPE: Final = "at+jwt"
_TYPES: Final = (_TYPE, f"application/{_TYPE}")
_END_OF_TIME: Final = int(clock.LATEST.timestamp()) + 1


@dataclass(frozen=True, slots=True)
class Issuer:
    """The issuer and audience of tokens, and the seconds that each lives."""

    issuer: str
    audience: str
    ttl: int


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a genuine token."""

    customer_id: UUID
    session_id: UUID
    issued_at: datetime
    expires_at: datetime
    key_id: str


def encode_token(
    ring: KeyRing, issuer: Issuer, *, customer_id: UUID, session_id: UUID, not_after: datetime
) -> tuple[str, Claims]:
    """Return a signed token and its claims; it can't outlive its session (RFC 9068 section 2).

    Raise KeysGone if the key that signs was removed, and no other can.
    """
    issued_at = int(clock.now().timestamp())
    expires_at = min(issued_at + issuer.ttl, int(not_after.timestamp()))
    payload = {
        "iss": issuer.issuer,
        "aud": issuer.audience,
        "sub": str(customer_id),
        "sid": str(session_id),
        "iat": issued_at,
        "exp": expires_at,
        "jti": str(clock.new_id()),
    }
    key = ring.signing
    if ring.find(key.id) is None:
        raise KeysGone
    text = jwt.encode(payload, key.secret, key.algorithm, {"kid": key.id, "typ": _TYPE})
    return text, _checked(payload, issuer, key)


def decode_token(ring: KeyRing, issuer: Issuer, text: str) -> Claims:
    """Return the claims of a genuine token; expiry is checked last.

    Raise TokenMalformed, TokenInvalid or TokenExpired. The checks are those of
    RFC 7519 section 7.2, RFC 8725 section 3 and RFC 9068 section 4.
    """
    try:
        token = parse_compact(text, max_bytes=MAX_TOKEN_BYTES)
    except MalformedToken:
        raise TokenMalformed from None
    except DuplicateMember:
        raise TokenInvalid from None
    key = _key(ring, token.header)
    if not _algorithm(key.algorithm).verify(token.signed, key.verifier, token.signature):
        raise TokenInvalid
    claims = _checked(token.payload, issuer, key)
    if claims.expires_at <= clock.now():
        raise TokenExpired(
            issued_at=claims.issued_at, expires_at=claims.expires_at, key_id=claims.key_id
        )
    return claims


def _key(ring: KeyRing, header: Mapping[str, object]) -> Key:
    """Return the key that a header names, with that key's algorithm. Raise TokenInvalid."""
    key_id = header.get("kid")
    key = ring.find(key_id) if isinstance(key_id, str) else None
    if (
        key is None
        or header.get("alg") != key.algorithm
        or header.get("typ") not in _TYPES
        or "crit" in header
        or header.get("b64") is False
    ):
        raise TokenInvalid
    return key


@cache
def _algorithm(name: str) -> Algorithm:
    """Return what verifies by one algorithm."""
    return jwt.PyJWS(algorithms=[name]).get_algorithm_by_name(name)


def _checked(payload: Mapping[str, object], issuer: Issuer, key: Key) -> Claims:
    customer_id, session_id = _id(payload.get("sub")), _id(payload.get("sid"))
    issued_at, expires_at = _time(payload.get("iat")), _time(payload.get("exp"))
    not_before = _time(payload["nbf"]) if "nbf" in payload else issued_at
    jwt_id = payload.get("jti")
    soon = clock.now().timestamp() + CLOCK_LEEWAY
    if (
        payload.get("iss") != issuer.issuer
        or payload.get("aud") != issuer.audience
        or not (isinstance(jwt_id, str) and jwt_id)
        or customer_id is None
        or session_id is None
        or issued_at > soon
        or not_before > soon
        or expires_at - issued_at > max(issuer.ttl, LONGEST_LIFE)
    ):
        raise TokenInvalid
    return Claims(
        customer_id=customer_id,
        session_id=session_id,
        issued_at=datetime.fromtimestamp(issued_at, UTC),
        expires_at=datetime.fromtimestamp(expires_at, UTC),
        key_id=key.id,
    )


def _time(claim: object) -> float:
    """Return a NumericDate (RFC 7519 section 2) of the years 1970 to 9999. Raise TokenInvalid."""
    if isinstance(claim, bool) or not isinstance(claim, int | float):
        raise TokenInvalid
    if not 0 <= claim < _END_OF_TIME:
        raise TokenInvalid
    return claim


def _id(claim: object) -> UUID | None:
    return clock.parse_id(claim) if isinstance(claim, str) else None


class TokenCache:
    """The genuine tokens that were used last; refused ones are never cached.

    A token is genuine from the moment that it was verified until it expires or its key stops
    verifying: both are checked each time. After the clock was set back, or with another ring, it
    is verified again. The time of a miss reveals nothing, for tokens are found by a keyed hash.
    Whether the session lives is for the database to say.
    """

    def __init__(self, issuer: Issuer, *, max_tokens: int = MAX_TOKENS) -> None:
        self._issuer = issuer
        self._max_tokens = max_tokens
        self._ring: KeyRing | None = None
        self._cached: OrderedDict[str, tuple[Claims, datetime, datetime]] = OrderedDict()
        """The claims of a token, and from when until when they need no verifying."""
        self._bytes = 0

    def read(self, ring: KeyRing, text: str) -> Claims:
        """Return a token's claims, as decode_token does, and raise what it raises."""
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
        claims = decode_token(ring, self._issuer, text)
        deaths = [key.not_after for key in ring.keys if key.id == claims.key_id and key.not_after]
        self._cached[text] = claims, clock.now(), min([claims.expires_at, *deaths])
        self._bytes += len(text)
        while len(self._cached) > self._max_tokens or self._bytes > MAX_BYTES:
            self._bytes -= len(self._cached.popitem(last=False)[0])
        return claims


def new_refresh_token() -> str:
    """Return the first refresh token of a session."""
    return _spell(REFRESH, secrets.token_bytes(SECRET_BYTES))


def new_salt() -> str:
    """Return the 256 random bits that a refresh token's successor is derived from, in hex."""
    return secrets.token_hex(SECRET_BYTES)


def succeeding(pepper: bytes, token: str, salt: str) -> str:
    """Return the one successor of a refresh token.

    Requests that race with one token get the same successor, so that the family can't fork. It
    takes the token, its salt from the database and the pepper to derive it.
    """
    message = bytes.fromhex(salt) + token.encode()
    return _spell(REFRESH, hmac.digest(pepper, message, "sha256"))


def reset_token(pepper: bytes, letter_id: UUID) -> str:
    """Return the token of one letter, the same each time the letter is tried."""
    return _spell(RESET, hmac.digest(pepper, letter_id.bytes, "sha256"))


def digest(prefix: str, token: str) -> str | None:
    """Return a token's digest (SHA-256), None if it has not the form of this kind."""
    if not token.startswith(prefix) or not _SHAPE.fullmatch(token.removeprefix(prefix)):
        return None
    return hashlib.sha256(token.encode()).hexdigest()


def _spell(prefix: str, raw: bytes) -> str:
    return prefix + urlsafe_b64encode(raw).rstrip(b"=").decode()
