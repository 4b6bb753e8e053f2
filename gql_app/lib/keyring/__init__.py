"""Signing keys: files, rotation and JWKS."""

from gql_app.lib.keyring.compact import DuplicateMember, MalformedToken, parse_compact
from gql_app.lib.keyring.jwk import public_jwk, thumbprint
from gql_app.lib.keyring.keyfiles import NEW_RSA_BITS, Algorithm, is_short
from gql_app.lib.keyring.keys import SECRET_KEY, Key, KeyRing, stored_secret
from gql_app.lib.keyring.keystore import KeyStore, StoredKey
from gql_app.lib.keyring.reloading import ReloadingKeyRing
from gql_app.lib.keyring.rotation import CannotRotate, make, promote, retire
from gql_app.lib.keyring.secret_strength import guessable, is_pattern

__all__ = [
    "NEW_RSA_BITS",
    "SECRET_KEY",
    "Algorithm",
    "CannotRotate",
    "DuplicateMember",
    "Key",
    "KeyRing",
    "KeyStore",
    "MalformedToken",
    "ReloadingKeyRing",
    "StoredKey",
    "guessable",
    "is_pattern",
    "is_short",
    "make",
    "parse_compact",
    "promote",
    "public_jwk",
    "retire",
    "stored_secret",
    "thumbprint",
]
