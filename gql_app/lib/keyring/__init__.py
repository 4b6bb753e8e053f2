"""Signing keys: files, rotation and JWKS."""

from gql_app.lib.keyring.compact import DuplicateMember, MalformedToken, parse_compact
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
from gql_app.lib.keyring.ring import KeyRing, KeyStore, ReloadingKeyRing
from gql_app.lib.keyring.rotation import make, promote, retire
from gql_app.lib.keyring.signing import (
    SIGNING_TIMEOUT,
    Signer,
    sign,
    sign_elsewhere,
    signer_key,
    unsigned_token,
    verifies,
)

__all__ = [
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
    "guessable",
    "is_pattern",
    "is_short",
    "make",
    "parse_compact",
    "promote",
    "public_key",
    "published_keys",
    "retire",
    "sign",
    "sign_elsewhere",
    "signer_key",
    "stored_secret",
    "unsigned_token",
    "verifies",
]
