"""Key pairs of every algorithm, generated once per run, and their file formats."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from gql_app.lib.keyring import keys
from gql_app.lib.keyring.keys import PrivateKey, PublicKey, public_jwk

ALGORITHMS = ("EdDSA", "ES256", "RS256")

Pair = PrivateKey | ed448.Ed448PrivateKey | x25519.X25519PrivateKey


@cache
def pair(algorithm: str, *, other: bool = False) -> PrivateKey:
    """Return one of two key pairs for an algorithm; it is cached, as RSA is slow."""
    del other
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(65537, 2048)


@contextmanager
def read_once() -> Iterator[None]:
    """Load each private key once, as OpenSSL takes a tenth of a second to check one of RSA."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "load_pem_private_key", cache(load_pem_private_key))
        yield


def private_pem(
    key: Pair,
    form: PrivateFormat = PrivateFormat.PKCS8,
    lock: KeySerializationEncryption | None = None,
) -> bytes:
    """Return a private key in PEM."""
    return key.private_bytes(Encoding.PEM, form, lock or NoEncryption())


def public_pem(key: PublicKey) -> bytes:
    """Return a public key in PEM."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def public_spellings(algorithm: str) -> dict[str, bytes]:
    """Return a public key in every encoding that might be mistaken for a secret."""
    key = pair(algorithm).public_key()
    bare = public_pem(key).rstrip(b"\n")
    jwk = json.dumps(public_jwk(key)).encode()
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return {
        "PEM": bare + b"\n",
        "PEM without newline": bare,
        "PEM with CRLF": bare.replace(b"\n", b"\r\n") + b"\r\n",
        "PEM with BOM": b"\xef\xbb\xbf" + bare + b"\n",
        "PEM after spaces": b" \n" + bare,
        "DER": der,
        "JWK": jwk,
        "JWK with newline": jwk + b"\n",
        "JWK with BOM": b"\xef\xbb\xbf" + jwk,
        "JWK set": b'{"keys":[' + jwk + b"]}",
    }


SPELLINGS = tuple(public_spellings("EdDSA"))
