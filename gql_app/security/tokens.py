"""Tokens: access tokens, and the opaque tokens that are valid for one use.

The access token is a JWT (RFC 7519) of the profile for access tokens (RFC 9068). A link's token is
256 random bits, a refresh token the id of its session and 128 random bits, which can't be guessed
(RFC 6749 section 10.10). The database holds the digest of either.
"""

import hashlib
import hmac
import json
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol
from uuid import UUID

from gql_app.errors import KeysGone, TokenExpired, TokenInvalid, TokenMalformed
from gql_app.lib import clock
from gql_app.lib.keyring import (
    DuplicateMember,
    Key,
    KeyRing,
    MalformedToken,
    Signer,
    parse_compact,
    sign,
    sign_externally,
    unsigned_token,
    verifies,
)

MAX_TOKEN_BYTES: Final = 8 * 1024
MAX_LIFETIME: Final = 24 * 3600
"""The most seconds from `iat` to `exp`, unless the settings allow more.

Tokens that were issued before the setting was lowered, or by another service that has the secret,
may exceed the setting. A token whose `exp` is before its `iat` has expired, or is about to.
"""
CLOCK_LEEWAY: Final = 60
"""Seconds that another machine's clock may be ahead; it does not apply to `exp`."""
REFRESH: Final = "gar_"
RESET: Final = "gap_"
VERIFY: Final = "gav_"
INVITATION: Final = "gai_"
SIGN_IN: Final = "gas_"
UNDO: Final = "gau_"  # a change of address
ENROLMENT: Final = "gae_"  # signs in to set up a second factor
UNDO_FACTOR: Final = "gaf_"
CHALLENGE: Final = "gac_"  # a sign-in that waits for its second factor
"""The prefixes of opaque tokens, by which scanners recognise a leaked one."""
SECRET_BYTES: Final = 32
REFRESH_SECRET_BYTES: Final = 16
"""Random bytes of a refresh token that names its session, whose id takes as many."""
OUR_CLAIMS: Final = frozenset(
    {"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid", "client_id", "roles"}
)
"""The claims of every token (RFC 9068 section 2.2)."""
RESERVED_CLAIMS: Final = OUR_CLAIMS | {
    *("typ", "alg", "kid", "crit", "act", "acr", "amr", "auth_time", "azp", "cnf", "nonce"),
}
"""The names that no feature's claim may have: ours, headers, and claims about a sign-in."""
_SHAPE: Final = re.compile(r"[\w-]{43}", re.ASCII)
_NAMES_SESSION: Final = 0b01000000
"""The two bits of 43 letters beyond 32 bytes: 01 if these are a session's id and a secret.

They are 00 in earlier tokens, which name no session. Servers of the version before accept either.
"""
_TYPE: Final = "at+jwt"
_TYPES: Final = (_TYPE, f"application/{_TYPE}")
_END_OF_TIME: Final = int(clock.LATEST.timestamp()) + 1


@dataclass(frozen=True, slots=True)
class Issuer:
    """The issuer and audience of tokens, and the seconds that each lives."""

    issuer: str
    audience: str
    ttl: int
    longest_life: int = MAX_LIFETIME
    """The most seconds that a token may live to be accepted, if that is more than `ttl`."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The customer and session of a request, by any kind of credentials."""

    customer_id: UUID
    session_id: UUID


@dataclass(frozen=True, slots=True)
class Claims(Identity):
    """The claims of a genuine token."""

    issued_at: datetime
    expires_at: datetime
    key_id: str


class Keys(Protocol):
    """The keys that verify signatures, such as those of a KeyRing."""

    def find(self, key_id: str) -> Key | None:
        """Return the key that a token's header names, None if there is none."""


def encode_token(
    ring: KeyRing,
    issuer: Issuer,
    *,
    customer_id: UUID,
    session_id: UUID,
    not_after: datetime,
    hints: Mapping[str, object] | None = None,
) -> tuple[str, Claims]:
    """Return a token that the ring signs, and its claims; it expires by `not_after` at the latest.

    `hints` are further claims, for other services; this API ignores them. Raise KeysGone if the
    signing key was removed, and no other can sign.
    """
    key = ring.signing
    if ring.find(key.id) is None:
        raise KeysGone
    payload = _payload(issuer, customer_id, session_id, not_after, hints)
    token = sign(key, unsigned_token(key, payload, typ=_TYPE))
    return token, _checked(payload, issuer, key.id)


async def issue_token(
    signer: Signer | None,
    ring: KeyRing,
    issuer: Issuer,
    *,
    customer_id: UUID,
    session_id: UUID,
    not_after: datetime,
    hints: Mapping[str, object],
) -> tuple[str, Claims]:
    """Return a token signed by the signer, or by the ring if there is none, as encode_token does.

    Raise KeysGone or DependencyFailed.
    """
    if signer is None:
        who = {"customer_id": customer_id, "session_id": session_id}
        return encode_token(ring, issuer, **who, not_after=not_after, hints=hints)
    key = ring.find(signer.key_id)
    if key is None:
        raise KeysGone
    payload = _payload(issuer, customer_id, session_id, not_after, hints)
    token = await sign_externally(signer, key, unsigned_token(key, payload, typ=_TYPE))
    return token, _checked(payload, issuer, key.id)


def decode_token(keys: Keys, issuer: Issuer, text: str) -> Claims:
    """Return the claims of a genuine token for the issuer's audience, as read_token does."""
    claims, _ = read_token(keys, issuer, text)
    return claims


def read_token(
    keys: Keys, issuer: Issuer, text: str, audiences: Collection[str] = ()
) -> tuple[Claims, Mapping[str, object]]:
    """Return the claims of a genuine token, and its whole payload; expiry is checked last.

    Its audience is the issuer's, or one of `audiences`. Raise TokenMalformed, TokenInvalid or
    TokenExpired. The checks are those of RFC 7519 section 7.2, RFC 8725 section 3 and RFC 9068
    section 4.
    """
    try:
        token = parse_compact(text, max_bytes=MAX_TOKEN_BYTES)
    except MalformedToken:
        raise TokenMalformed from None
    except DuplicateMember:
        raise TokenInvalid from None
    claims = _checked(token.payload, issuer, _key_id(token.header), audiences)
    key = keys.find(claims.key_id)
    if key is None or token.header.get("alg") != key.algorithm:
        raise TokenInvalid
    if not verifies(key, token.signed, token.signature):
        raise TokenInvalid
    if claims.expires_at <= clock.now():
        raise TokenExpired(
            issued_at=claims.issued_at, expires_at=claims.expires_at, key_id=claims.key_id
        )
    return claims, token.payload


def _key_id(header: Mapping[str, object]) -> str:
    """Return the id of the key that an access token's header names. Raise TokenInvalid."""
    key_id = header.get("kid")
    if (
        not isinstance(key_id, str)
        or header.get("typ") not in _TYPES
        or "crit" in header
        or header.get("b64") is False
    ):
        raise TokenInvalid
    return key_id


def _payload(
    issuer: Issuer,
    customer_id: UUID,
    session_id: UUID,
    not_after: datetime,
    hints: Mapping[str, object] | None,
) -> dict[str, object]:
    """Return the claims of a new token (RFC 9068 section 2.2)."""
    issued_at = int(clock.now().timestamp())
    return {
        **(hints or {}),
        "iss": issuer.issuer,
        "aud": issuer.audience,
        "sub": str(customer_id),
        "sid": str(session_id),
        "client_id": issuer.issuer,  # the server itself is the client at sign-in
        "iat": issued_at,
        "exp": min(issued_at + issuer.ttl, int(not_after.timestamp())),
        "jti": str(clock.new_id()),
    }


def _checked(
    payload: Mapping[str, object], issuer: Issuer, key_id: str, audiences: Collection[str] = ()
) -> Claims:
    customer_id, session_id = _id(payload.get("sub")), _id(payload.get("sid"))
    issued_at, expires_at = _time(payload.get("iat")), _time(payload.get("exp"))
    not_before = _time(payload["nbf"]) if "nbf" in payload else issued_at
    jwt_id = payload.get("jti")
    soon = clock.now().timestamp() + CLOCK_LEEWAY
    if (
        payload.get("iss") != issuer.issuer
        or payload.get("aud") not in (issuer.audience, *audiences)
        or not (isinstance(jwt_id, str) and jwt_id)
        or customer_id is None
        or session_id is None
        or issued_at > soon
        or not_before > soon
        or expires_at - issued_at > max(issuer.ttl, issuer.longest_life)
    ):
        raise TokenInvalid
    return Claims(
        customer_id=customer_id,
        session_id=session_id,
        issued_at=datetime.fromtimestamp(issued_at, UTC),
        expires_at=datetime.fromtimestamp(expires_at, UTC),
        key_id=key_id,
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


def new_refresh_token(session_id: UUID) -> str:
    """Return the first refresh token of a session, which names it."""
    return _encode_refresh(session_id, secrets.token_bytes(REFRESH_SECRET_BYTES))


def session_of(token: str) -> UUID | None:
    """Return the session that a refresh token names; None if it is of a version before they did.

    The name proves nothing: a token is looked up by its digest.
    """
    if digest(REFRESH, token) is None:
        return None
    *raw, spare = urlsafe_b64decode(token.removeprefix(REFRESH) + "A")
    return UUID(bytes=bytes(raw[:-REFRESH_SECRET_BYTES])) if spare == _NAMES_SESSION else None


def new_challenge() -> str:
    """Return the token of a sign-in that waits for its second factor."""
    return _encode(CHALLENGE, secrets.token_bytes(SECRET_BYTES))


def new_salt() -> str:
    """Return the 256 random bits that a refresh token's successor is derived from, in hex."""
    return secrets.token_hex(SECRET_BYTES)


def succeeding(pepper: bytes, token: str, salt: str) -> str:
    """Return the one successor of a refresh token.

    Concurrent requests with one token get the same successor, so that its family can't fork. It is
    derived from the token, its salt in the database and the pepper. It names the session if the
    token does: the successor of an older token is the one that the version before derives.
    """
    made = hmac.digest(pepper, bytes.fromhex(salt) + token.encode(), "sha256")
    session_id = session_of(token)
    if session_id is None:
        return _encode(REFRESH, made)
    return _encode_refresh(session_id, made[:REFRESH_SECRET_BYTES])


def link_token(prefix: str, pepper: bytes, letter_id: UUID) -> str:
    """Return the token of a letter's link, the same at each attempt to send the letter."""
    return _encode(prefix, hmac.digest(pepper, letter_id.bytes, "sha256"))


def digest(prefix: str, token: str) -> str | None:
    """Return a token's digest (SHA-256), None if it does not have the form of this kind."""
    if not token.startswith(prefix) or not _SHAPE.fullmatch(token.removeprefix(prefix)):
        return None
    return hashlib.sha256(token.encode()).hexdigest()


def state_digest(state: Sequence[object]) -> str:
    """Return the digest (SHA-256) of the state that a token is bound to, and void without."""
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()


def _encode_refresh(session_id: UUID, secret: bytes) -> str:
    raw = session_id.bytes + secret + bytes([_NAMES_SESSION])
    return _encode(REFRESH, raw)[:-1]


def _encode(prefix: str, raw: bytes) -> str:
    return prefix + urlsafe_b64encode(raw).rstrip(b"=").decode()
