"""The same checks with PyJWT alone, as in a service in any other language."""

import json
import math
import os
import threading
import time
from http.client import HTTPException
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import jwt

ACCOUNTS_URL = os.environ["ACCOUNTS_URL"]
ALGORITHMS = ["EdDSA", "ES256", "RS256"]
TYPES = ["at+jwt", "application/at+jwt"]
INTERVAL = 1  # seconds between two requests for the keys because of an unknown key id


class Unavailable(Exception):
    """The server can't be asked now: answer 503, and never sign the caller out."""


class Keys(jwt.PyJWKClient):
    """The published keys, when they were asked for, and when the known ones were."""

    asked_at = known_at = -math.inf
    lock = threading.Lock()

    def fetch_data(self) -> object:
        """Fetch the keys."""
        asked_at = self.asked_at = time.monotonic()
        fetched = super().fetch_data()
        self.known_at = asked_at  # which a fetch in vain is not
        return fetched

    def find(self, key_id: str) -> jwt.PyJWK:
        """Return the key of an id.

        Raises Unavailable if it may be newer than the keys, or there are none.
        Raises jwt.InvalidTokenError if keys that were fetched just now are without it.
        """
        before = time.monotonic()
        try:
            key = self.match_kid(self.get_signing_keys(), key_id)
            if key is None:
                with self.lock:  # which no known key waits for
                    if self.asked_at + INTERVAL <= before:
                        self.get_signing_keys(refresh=True)
                    key = self.match_kid(self.get_signing_keys(), key_id)
        except (jwt.PyJWTError, OSError, ValueError) as why:  # no answer, or another one
            raise Unavailable from why
        if key is None and self.known_at < before:
            raise Unavailable
        if key is None:
            message = "The key is not published"
            raise jwt.InvalidTokenError(message)
        return key


# The keys are cached for their max-age. A cache of single keys (cache_keys) would never drop one
# that the server removes; one between this service and the server has to ask it.
keys = Keys(
    f"{ACCOUNTS_URL}/.well-known/jwks.json",
    lifespan=300,
    timeout=5,
    headers={"Cache-Control": "no-cache"},
)


def is_active(token: str) -> bool:
    """Return whether a token's session is open, asked for each time. Raises Unavailable."""
    form = urlencode({"token": token}).encode()
    try:
        with urlopen(f"{ACCOUNTS_URL}/introspect", form, timeout=5) as answer:  # noqa: S310
            return json.load(answer)["active"] is True
    except (OSError, HTTPException, ValueError, LookupError, TypeError) as why:
        raise Unavailable from why


def verified(token: str) -> dict[str, Any]:
    """Return the claims of a token for "orders".

    Raises Unavailable if the server can't be asked: answer 503.
    Raises jwt.PyJWTError if the token is refused: answer 401.
    """
    header = jwt.get_unverified_header(token)
    if not (header.get("typ") in TYPES and header.get("alg") in ALGORITHMS and "kid" in header):
        message = "This is no access token"
        raise jwt.InvalidTokenError(message)
    # An expired token is refused by any key.
    jwt.decode(token, options={"verify_signature": False, "verify_exp": True})
    key = keys.find(header["kid"])
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
    if not is_active(token):
        message = "The session has ended"
        raise jwt.InvalidTokenError(message)
    return claims
