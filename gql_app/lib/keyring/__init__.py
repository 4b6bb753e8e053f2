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
    stored_secret,
)
from gql_app.lib.keyring.ring import KeyRing, KeyStore, ReloadingKeyRing
from gql_app.lib.keyring.rotation import make, promote, retire

__all__ = [
    "NEW_RSA_BITS",
    "SECRET_KEY",
    "Algorithm",
    "DuplicateMember",
    "Key",
    "KeyRing",
    "KeyStore",
    "MalformedToken",
    "ReloadingKeyRing",
    "guessable",
    "is_pattern",
    "is_short",
    "make",
    "parse_compact",
    "promote",
    "retire",
    "stored_secret",
]
