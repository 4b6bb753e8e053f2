"""Hand-made tokens, in which every header, claim and signature can be forged."""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

import pytest

from gql_app.errors import TokenReason, Unauthenticated
from gql_app.lib.keyring import KeyStore, TokenCache
from gql_app.lib.keyring.token_cache import MAX_TOKENS
from gql_app.security.tokens import Claims, Issuer, decode_token

SECRET = b"the forger knows this secret, for once"
RING = KeyStore(SECRET).read()
ISSUER = Issuer(issuer="https://issuer.example", audience="the-api", ttl=3600)

NOW = datetime(2026, 7, 1, 12, 0, 0, tzinfo=UTC)
NOW_SECONDS = int(NOW.timestamp())
CUSTOMER = UUID("01980000-0000-7000-8000-000000000001")
SESSION = UUID("01980000-0000-7000-8000-000000000002")

Members = Mapping[str, str | None]
"""Members of a JSON object as raw JSON, which may be invalid; None removes a member."""

HEADER: Members = {
    "alg": '"HS256"',
    "typ": '"at+jwt"',
    "kid": json.dumps(RING.signing.id),
}
CLAIMS: Members = {
    "iss": json.dumps(ISSUER.issuer),
    "aud": json.dumps(ISSUER.audience),
    "sub": json.dumps(str(CUSTOMER)),
    "sid": json.dumps(str(SESSION)),
    "iat": str(NOW_SECONDS),
    "exp": str(NOW_SECONDS + 3600),
    "jti": '"a token of its own"',
}


def forge(header: Members | None = None, claims: Members | None = None) -> str:
    """Return a token that is valid except for the given members, signed with the right key."""
    return seal(
        json_object({**HEADER, **(header or {})}), json_object({**CLAIMS, **(claims or {})})
    )


def json_object(members: Members) -> bytes:
    """Return a JSON object, member by member."""
    kept = (f"{json.dumps(name)}:{value}" for name, value in members.items() if value is not None)
    return ("{" + ",".join(kept) + "}").encode()


def seal(header: bytes, payload: bytes, *, secret: bytes = SECRET, digest: str = "sha256") -> str:
    """Return any two byte strings signed with HMAC, in compact form."""
    signed = f"{b64(header)}.{b64(payload)}"
    return f"{signed}.{b64(hmac.digest(secret, signed.encode(), digest))}"


def b64(raw: bytes) -> str:
    """Return base64url without padding (RFC 7515 appendix C)."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def refusal(token: str) -> Unauthenticated:
    """Verify a token, which must be refused, and return the error."""
    with pytest.raises(Unauthenticated) as caught:
        decode_token(RING, ISSUER, token)
    return caught.value


def reason(token: str) -> TokenReason:
    """Verify a token, which must be refused, and return the reason."""
    return refusal(token).reason


def token_cache(max_tokens: int = MAX_TOKENS) -> TokenCache[Claims]:
    """Return an empty cache of tokens."""
    return TokenCache(lambda ring, text: decode_token(ring, ISSUER, text), max_tokens=max_tokens)
