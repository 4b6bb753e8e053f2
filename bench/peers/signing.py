"""The peers' tokens, with the same secret and claims as ours."""

import os
import time
from base64 import urlsafe_b64encode
from typing import Final
from uuid import uuid4

import jwt

ALGORITHM: Final = "HS256"
ISSUER: Final = "gql_app"
AUDIENCE: Final = "gql_app"
REQUIRED: Final = ["exp", "iat", "iss", "aud", "sub", "sid"]
LIFETIME: Final = 3600
"""Lifetime of a token in seconds."""
SECRET: Final = os.environ.get("BENCH_SECRET_KEY", "").encode()
KEY: Final = jwt.PyJWK(
    {"kty": "oct", "k": urlsafe_b64encode(SECRET).rstrip(b"=").decode(), "alg": ALGORITHM}
)
"""The secret as a key object: of bytes, PyJWT would check for PEM each time."""


def sign(customer_id: str, session_id: str) -> str:
    """Return a signed token."""
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": customer_id,
        "sid": session_id,
        "iat": now,
        "exp": now + LIFETIME,
        "jti": str(uuid4()),
    }
    return jwt.encode(claims, SECRET, ALGORITHM, headers={"typ": "at+jwt"})


def verified(authorization: str | None) -> dict[str, str]:
    """Return the claims of a header's token, verified as in PyJWT's manual. Raises PyJWTError."""
    claims: dict[str, str] = jwt.decode(
        (authorization or "").removeprefix("Bearer "),
        SECRET,
        [ALGORITHM],
        audience=AUDIENCE,
        issuer=ISSUER,
        options={"require": REQUIRED},
    )
    return claims
