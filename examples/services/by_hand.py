"""The same checks with PyJWT alone, as in a service in any other language."""

import os
import time
from typing import Any

import jwt

ALGORITHMS = ["EdDSA", "ES256", "RS256"]
TYPES = ["at+jwt", "application/at+jwt"]
# A cache of single keys (cache_keys) would never drop one that the server removes.
keys = jwt.PyJWKClient(
    os.environ["ACCOUNTS_URL"] + "/.well-known/jwks.json", lifespan=300, cooldown_duration=1
)


def verified(token: str) -> dict[str, Any]:
    """Return the claims of a token for "orders".

    Raises jwt.PyJWKClientError if its key can't be found now: answer 503, as it may be a new one.
    Raises another jwt.PyJWTError if the token is refused: answer 401.
    """
    header = jwt.get_unverified_header(token)
    if not (header.get("typ") in TYPES and header.get("alg") in ALGORITHMS and "kid" in header):
        message = "This is no access token"
        raise jwt.InvalidTokenError(message)
    try:
        key = keys.get_signing_key(header["kid"])
    except jwt.PyJWKClientError:
        # An expired token is refused by any key.
        jwt.decode(token, options={"verify_signature": False, "verify_exp": True})
        raise
    if header["alg"] != key.algorithm_name:
        message = "The key is not for this algorithm"
        raise jwt.InvalidAlgorithmError(message)
    claims: dict[str, Any] = jwt.decode(
        token,
        key.key,
        algorithms=ALGORITHMS,
        issuer="gql_app",
        audience="orders",
        leeway=60,  # seconds that the server's clock may be ahead
        options={"require": ["iss", "aud", "sub", "sid", "iat", "exp", "jti"], "strict_aud": True},
    )
    if int(claims["exp"]) <= time.time():  # which has no leeway
        message = "The token has expired"
        raise jwt.ExpiredSignatureError(message)
    return claims
