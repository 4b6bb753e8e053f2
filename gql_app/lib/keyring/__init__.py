"""Signing keys: files, rotation and JWKS."""

from gql_app.lib.keyring.compact import (
    DuplicateMember,
    MalformedToken,
    check_claims,
    parse_compact,
)
from gql_app.lib.keyring.keys import (
    NEW_RSA_BITS,
    SECRET_KEY,
    Algorithm,
    Key,
    guessable,
    is_pattern,
    is_short,
    public_key,
    published_keys,
    stored_secret,
)
from gql_app.lib.keyring.ring import (
    INTERVAL,
    KeyRing,
    KeyStore,
    ReloadingKeyRing,
    is_valid,
    sign,
    unsigned_token,
    verifies,
)
from gql_app.lib.keyring.rotation import make, promote, retire
from gql_app.lib.keyring.signing import SIGNING_TIMEOUT, Signer, sign_externally, signer_key
from gql_app.lib.keyring.token_cache import TokenCache

__all__ = [
    "INTERVAL",
    "NEW_RSA_BITS",
    "SECRET_KEY",
    "SIGNING_TIMEOUT",
    "Algorithm",
    "DuplicateMember",
    "Key",
    "KeyRing",
    "KeyStore",
    "MalformedToken",
    "ReloadingKeyRing",
    "Signer",
    "TokenCache",
    "check_claims",
    "guessable",
    "is_pattern",
    "is_short",
    "is_valid",
    "make",
    "parse_compact",
    "promote",
    "public_key",
    "published_keys",
    "retire",
    "sign",
    "sign_externally",
    "signer_key",
    "stored_secret",
    "unsigned_token",
    "verifies",
]
