"""The verification of tokens with PyJWT alone, to be ported to any other language."""

import os
from typing import Any

import jwt

ALGORITHMS = ["EdDSA", "ES256", "RS256"]
keys = jwt.PyJWKClient(
    os.environ["ACCOUNTS_URL"] + "/.well-known/jwks.json", cache_keys=True, lifespan=300
)


def verified(token: str) -> dict[str, Any]:
    """Return the claims of a token for "orders". Raises jwt.PyJWTError."""
    header = jwt.get_unverified_header(token)
    key = keys.get_signing_key(header.get("kid", ""))
    if header.get("typ", "").lower() not in {"at+jwt", "application/at+jwt"}:
        message = "This is no access token"
        raise jwt.InvalidTokenError(message)
    if header["alg"] != key.algorithm_name:
        message = "The key is not for this algorithm"
        raise jwt.InvalidAlgorithmError(message)
    claims: dict[str, Any] = jwt.decode(
        token,
        key.key,
        algorithms=ALGORITHMS,
        issuer="gql_app",
        audience="orders",
        options={"require": ["iss", "aud", "sub", "sid", "iat", "exp", "jti"], "strict_aud": True},
    )
    return claims
